import { describe, expect, it } from 'vitest';
import { lossPlot, movingMean, type Metric } from './index.js';

const metric = (step: number, loss: number, more: Partial<Metric> = {}): Metric => ({
  stage: 'tune',
  step,
  loss,
  gradientNorms: {},
  learningRates: {},
  tokens: 1,
  milliseconds: 1,
  ...more,
});
const run = (length: number, loss: (i: number) => number, stage = 'tune'): Metric[] =>
  Array.from({ length }, (_, i) => metric(i + 1, loss(i), { stage }));

/** Texts of a picture with the pixels that they begin and end at, by a width of 7.5 for a character. */
function textsOf(svg: string) {
  return [...svg.matchAll(/<text x="([\d.-]+)" y="([\d.-]+)"(?: text-anchor="(\w+)")?>([^<]*)</g)].map(
    ([, x, y, anchor, text]) => {
      const size = 7.5 * text!.replace(/&#\d+;/g, '_').length;
      const from = Number(x) - (anchor === 'end' ? size : anchor === 'middle' ? size / 2 : 0);
      return { text: text!, from, to: from + size, y: Number(y), anchor };
    },
  );
}
const lossLabels = (svg: string): number[] =>
  textsOf(svg)
    .filter(({ text, anchor }) => anchor === 'end' && !text.includes('update'))
    .map(({ text }) => Number(text.replaceAll(',', '')));
const lines = (svg: string): string[][] =>
  [...svg.matchAll(/<polyline[^>]*points="([^"]*)"/g)].map(([, points]) => points!.split(' '));

describe('the running mean', () => {
  it('of a constant is that constant from the first value on', () => {
    const mean = movingMean();
    for (let i = 0; i < 40; i++) expect(mean(3.25)).toBeCloseTo(3.25, 12);
  });

  it('counts the first values by their age, not as all that came before', () => {
    const mean = movingMean();
    expect(mean(10)).toBeCloseTo(10, 12);
    expect(mean(0)).toBeCloseTo((0.95 * 10) / (0.95 + 1), 12);
    for (let i = 0; i < 18; i++) mean(0);
    // A mean that starts at the first value would still be at 10 * 0.95^19 = 3.8.
    const weights = Array.from({ length: 21 }, (_, age) => 0.95 ** age);
    const sum = weights.reduce((a, b) => a + b);
    expect(mean(0)).toBeCloseTo((10 * weights[20]!) / sum, 12);
  });
});

describe('the picture of the loss', () => {
  it.each([
    ['a few updates', run(3, (i) => 2 - 0.3 * i)],
    ['many decades', run(400, (i) => 10 ** (2 - i / 60))],
    ['hardly any change', run(300, (i) => 2.36 + 0.01 * Math.sin(i))],
    ['tiny values', run(50, (i) => 3e-7 / (i + 1))],
    ['large values', run(50, (i) => 123_456 * (i + 1))],
    ['many updates', run(200_000, (i) => 0.1 + 4 * Math.exp(-i / 9000))],
  ])('of %s has round labels in order, none cut and none over another', (_, metrics) => {
    const svg = lossPlot(metrics);
    const labels = lossLabels(svg);
    expect(labels.length).toBeGreaterThan(1);
    expect(labels.length).toBeLessThan(13);
    expect(new Set(labels).size).toBe(labels.length);
    for (const label of labels) expect(Number(label.toPrecision(4))).toBe(label);
    const texts = textsOf(svg);
    for (const { from, to } of texts) {
      expect(from).toBeGreaterThanOrEqual(0);
      expect(to).toBeLessThanOrEqual(720);
    }
    for (const [i, one] of texts.entries())
      for (const other of texts.slice(i + 1))
        if (Math.abs(one.y - other.y) < 9)
          expect(one.to <= other.from || other.to <= one.from, `${one.text} | ${other.text}`).toBe(true);
  });

  it('keeps names of stages apart and within the picture, and shows no character that acts', () => {
    const names = ['first', 'a name of some length', 'x'.repeat(200), '<b>&\x1b[31m"', 'fifth', 'last'];
    const svg = lossPlot(names.flatMap((name, i) => run(4 + i, () => 1 / (i + 1), name)));
    expect(svg).not.toContain('\x1b');
    expect(svg).not.toContain('<b>');
    const marks = textsOf(svg).filter(({ text }) => /^(first|a name|xxx|&#60;|fifth|last)/.test(text));
    expect(marks).toHaveLength(6);
    for (const [i, one] of marks.entries()) {
      expect(one.to).toBeLessThanOrEqual(720);
      for (const other of marks.slice(i + 1)) if (one.y === other.y) expect(one.to).toBeLessThan(other.from);
    }
  });

  it('begins the mean of each stage at its own first loss', () => {
    const svg = lossPlot([...run(100, () => 8, 'one'), ...run(100, () => 0.5, 'two')]);
    const [, , first, second] = lines(svg);
    const heights = (points: readonly string[]) => new Set(points.map((point) => point.split(',')[1]));
    expect(heights(first!).size).toBe(1);
    expect(heights(second!).size).toBe(1);
    expect(heights(first!)).not.toEqual(heights(second!));
  });

  it.each([130_000, 200_000, 270_001])('draws %d updates as a small picture with every extreme', (length) => {
    const spike = 77_777;
    const metrics = run(length, (i) => (i === spike ? 50 : 1));
    const svg = lossPlot(metrics);
    expect(svg.length).toBeLessThan(150_000);
    const [each] = lines(svg);
    const heights = each!.map((point) => Number(point.split(',')[1]));
    const top = heights.reduce((a, b) => Math.min(a, b));
    expect(heights.filter((height) => height === top)).toHaveLength(1);
  });

  it('has a place for losses of zero, for a single update, and for held-out samples', () => {
    for (const metrics of [
      run(30, () => 0),
      run(1, () => 0.7),
      [metric(1, 1, { evaluation: 3 }), metric(2, 0)],
    ]) {
      const svg = lossPlot(metrics);
      expect(svg).not.toMatch(/NaN|Infinity|undefined/);
      expect(lossLabels(svg).length).toBeGreaterThan(1);
    }
    expect(lossPlot(run(1, () => 0.7))).toMatch(/<circle/);
    expect(lossPlot(run(9, () => 1))).not.toMatch(/held-out/);
    expect(lossPlot([metric(1, 1, { evaluation: 3 }), metric(2, 1)])).toMatch(/<circle[^]*held-out samples/);
  });
});
