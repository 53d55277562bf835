import { describe, expect, it } from 'vitest';
import { faces, setDigits } from './digits.js';
import { Random } from './random.js';
import { randomScene, type Scene } from './scene.js';

const scenes = (count: number, options = {}): Scene[] =>
  Array.from({ length: count }, (_, seed) => randomScene(new Random(seed), options));

describe('random scenes', () => {
  it('are the same for the same seed', () => {
    expect(randomScene(new Random(7))).toEqual(randomScene(new Random(7)));
    expect(randomScene(new Random(7))).not.toEqual(randomScene(new Random(8)));
  });

  it('hold one to five objects, each wholly inside', () => {
    const counts = new Set<number>();
    for (const { objects } of scenes(300)) {
      counts.add(objects.length);
      for (const { outline } of objects) {
        expect(Math.min(...outline)).toBeGreaterThanOrEqual(-1e-9);
        expect(Math.max(...outline)).toBeLessThanOrEqual(1 + 1e-9);
      }
    }
    expect([...counts].toSorted()).toEqual([1, 2, 3, 4, 5]);
  });

  it('keep objects and the number apart', () => {
    for (const { objects, number } of scenes(300)) {
      for (const [i, { outline, box }] of objects.entries()) {
        for (const other of objects.slice(i + 1)) expect(inside(other.outline, outline)).toBe(false);
        if (!number) continue;
        const overlap =
          Math.min(box.x2, number.box.x2) > Math.max(box.x1, number.box.x1) &&
          Math.min(box.y2, number.box.y2) > Math.max(box.y1, number.box.y1);
        expect(overlap).toBe(false);
      }
    }
  });

  it('never draw a large object as small as a small one', () => {
    const halves = { small: [] as number[], large: [] as number[] };
    for (const { objects } of scenes(400)) {
      for (const { size, box } of objects)
        halves[size].push(Math.sqrt((box.x2 - box.x1) * (box.y2 - box.y1)) / 2);
    }
    expect(Math.max(...halves.small)).toBeLessThan(Math.min(...halves.large));
  });

  it('print numbers of one to four digits about a quarter of the canvas high in about 45 % of them', () => {
    const numbers = scenes(1000).flatMap(({ number }) => number ?? []);
    expect(numbers.length).toBeGreaterThan(400);
    expect(numbers.length).toBeLessThan(500);
    expect(new Set(numbers.map(({ text }) => text.length))).toEqual(new Set([1, 2, 3, 4]));
    for (const { text, height, box } of numbers) {
      expect(text).toMatch(/^(0|[1-9]\d{0,3})$/);
      expect(height).toBeGreaterThan(0.18);
      expect(height).toBeLessThan(0.3);
      expect(Math.min(box.x1, box.y1)).toBeGreaterThanOrEqual(0);
      expect(Math.max(box.x2, box.y2)).toBeLessThanOrEqual(1);
    }
  });

  it('print held-out faces only when asked to', () => {
    const held = new Set(
      faces()
        .filter((face) => face.heldOut)
        .map((face) => face.name),
    );
    const fonts = (list: Scene[]) => list.flatMap(({ number }) => number?.font ?? []);
    expect(fonts(scenes(200)).some((font) => held.has(font))).toBe(false);
    expect(fonts(scenes(200, { faces: 'held-out' })).every((font) => held.has(font))).toBe(true);
  });

  it('have as many scenes of each count as questions need', () => {
    const most = scenes(500).map(({ objects }) => {
      const counts = objects.map(({ shape }) => objects.filter((other) => other.shape === shape).length);
      return Math.max(...counts);
    });
    for (const count of [1, 2, 3, 4, 5])
      expect(most.filter((value) => value === count).length).toBeGreaterThan(10);
  });
});

describe('digit faces', () => {
  it('are many, sans and serif, four of them held out', () => {
    expect(faces().length).toBeGreaterThanOrEqual(24);
    const held = faces().filter((face) => face.heldOut);
    expect(held.map(({ style }) => style).toSorted()).toEqual(['sans', 'sans', 'serif', 'serif']);
  });

  it('set digits whose ink begins at the origin and is about one unit high', () => {
    for (const { name } of faces()) {
      const { contours, width, height } = setDigits('0123456789', name);
      const xs = contours.flatMap((contour) => contour.filter((_, i) => i % 2 === 0));
      const ys = contours.flatMap((contour) => contour.filter((_, i) => i % 2 === 1));
      expect(Math.min(...xs)).toBeCloseTo(0, 9);
      expect(Math.min(...ys)).toBeCloseTo(0, 9);
      expect(Math.max(...xs)).toBeCloseTo(width, 9);
      expect(height).toBeGreaterThan(0.98);
      expect(height).toBeLessThan(1.2);
    }
  });

  it('refuse a face that does not exist, naming those that do', () => {
    expect(() => setDigits('1', 'comic')).toThrow(/No face is called 'comic'[^]*dejavusans-400/);
  });
});

/** Whether a corner of one polygon lies inside the other. */
function inside(corners: readonly number[], polygon: readonly number[]): boolean {
  for (let i = 0; i < corners.length; i += 2) {
    const [x, y] = [corners[i]!, corners[i + 1]!];
    let odd = false;
    for (let j = 0; j < polygon.length; j += 2) {
      const [x0, y0] = [polygon[j]!, polygon[j + 1]!];
      const [x1, y1] = [polygon[(j + 2) % polygon.length]!, polygon[(j + 3) % polygon.length]!];
      if (y0 > y !== y1 > y && x < x0 + ((y - y0) / (y1 - y0)) * (x1 - x0)) odd = !odd;
    }
    if (odd) return true;
  }
  return false;
}
