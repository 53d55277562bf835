import { resize } from '@weft/image';
import { describe, expect, it } from 'vitest';
import { makeExample } from './example.js';
import { Random } from './random.js';

describe('makeExample', () => {
  it('is the same for the same seed and another for another seed', () => {
    const first = makeExample(11, 64, { resize });
    expect(makeExample(11, 64, { resize })).toEqual(first);
    expect(makeExample(12, 64, { resize }).pixels).not.toEqual(first.pixels);
  });

  it('gives pictures of the input size whatever the canvas', () => {
    for (const canvas of [64, 100, 333]) {
      expect(makeExample(3, 72, { resize, canvas }).pixels.length).toBe(72 * 72 * 3);
    }
  });

  it('shows the same picture at every canvas size once it is resized', () => {
    const [small, large] = [128, 512].map(
      (canvas) => makeExample(4, 64, { resize, canvas, worn: false }).pixels,
    ) as [Uint8Array, Uint8Array];
    const error = small.reduce((sum, value, i) => sum + Math.abs(value - large[i]!), 0) / small.length;
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(4);
  });

  it('asks as many questions as wanted', () => {
    expect(makeExample(5, 64, { resize, count: 3 }).dialogues.length).toBe(3);
    const only = makeExample(5, 64, { resize, kinds: ['describe-boxes'], count: 5 }).dialogues;
    expect(only.map(({ kind }) => kind)).toEqual(['describe-boxes']);
  });
});

describe('Random', () => {
  it('is uniform, normal and bounded as it says', () => {
    const random = new Random(1);
    const uniform = Array.from({ length: 20_000 }, () => random.next());
    const normal = Array.from({ length: 20_000 }, () => random.normal());
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean(uniform) - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(mean(normal))).toBeLessThan(0.03);
    expect(Math.abs(mean(normal.map((value) => value * value)) - 1)).toBeLessThan(0.05);
    const integers = new Set(Array.from({ length: 500 }, () => random.integer(2, 5)));
    expect([...integers].toSorted()).toEqual([2, 3, 4, 5]);
  });

  it('shuffles without losing items and picks by weight', () => {
    const random = new Random(2);
    expect(random.shuffle([1, 2, 3, 4]).toSorted()).toEqual([1, 2, 3, 4]);
    const hits = Array.from({ length: 4000 }, () => random.weighted([1, 3]));
    expect(hits.filter((value) => value === 1).length / 4000).toBeGreaterThan(0.7);
    expect(hits.filter((value) => value === 1).length / 4000).toBeLessThan(0.8);
  });

  it('gives different numbers for neighbouring and for large seeds', () => {
    const firsts = new Set([0, 1, 2, 2 ** 32, 2 ** 32 + 1, 2 ** 40].map((seed) => new Random(seed).bits()));
    expect(firsts.size).toBe(6);
  });
});
