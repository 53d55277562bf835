import { describe, expect, it } from 'vitest';
import { trainingProgress, type Metric, type Stage } from './index.js';

const stage: Stage = { name: 'tune', trainable: ['connector'], steps: 120, batchSize: 1, learningRate: 1e-3 };
const metric = (step: number, more: Partial<Metric> = {}): Metric => ({
  stage: 'tune',
  step,
  loss: 2,
  gradientNorms: {},
  learningRates: {},
  tokens: 50,
  milliseconds: 100,
  ...more,
});

/** What a stream of some width was told. */
function written(columns: number | undefined, steps: readonly Metric[], of = stage): string[] {
  const texts: string[] = [];
  const progress = trainingProgress({
    ...(columns === undefined ? {} : { isTTY: true, columns }),
    write: (text) => texts.push(text),
  });
  for (const one of steps) progress(one, of);
  return texts;
}

describe('the progress of a training', () => {
  it('tells the loss on held-out samples when it is measured, and keeps it in the bar', () => {
    const steps = [metric(1), metric(7, { evaluation: 1.25 }), metric(8), metric(120)];
    expect(written(undefined, steps)).toEqual([
      'tune 1/120  loss 2.0000  500 tokens/s  12s left\n',
      'tune 7/120  loss 2.0000  held-out 1.2500  500 tokens/s  11s left\n',
      'tune 120/120  loss 2.0000  held-out 1.2500  500 tokens/s  0s left\n',
    ]);
    const bars = written(100, steps);
    expect(bars).toHaveLength(4);
    expect(bars[0]).not.toMatch('held-out');
    for (const bar of bars.slice(1)) expect(bar).toMatch(/held-out 1\.2500/);
    expect(bars.at(-1)).toMatch(/^\r\[#+\] .*\n$/);
  });

  it.each([20, 40, 60, 80, 200])('fits a terminal of %d columns', (columns) => {
    for (const text of written(columns, [metric(1), metric(2, { evaluation: 1 }), metric(120)]))
      expect(text.replace('\r', '').replace('\x1b[K', '').trimEnd().length).toBeLessThan(columns);
  });

  it('forgets the held-out loss of the stage before, and shows names without what a terminal obeys', () => {
    const texts = written(undefined, [metric(1, { evaluation: 1 }), metric(1, { stage: 'next' })]);
    expect(texts[1]).not.toMatch('held-out');
    const name = 'a\x1b]0;owned\x07\nerror: b';
    const [shown] = written(undefined, [metric(1, { stage: name })], { ...stage, name });
    expect(shown).toMatch(/^a\\u001b\]0;owned\\u0007\\nerror: b 1\/120 /);
  });
});
