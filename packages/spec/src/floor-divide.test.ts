import { InputError } from '@weft/errors';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { floorDivide } from './floor-divide.js';

/** Written by `tools/golden/sizes.py`. */
const golden = JSON.parse(
  readFileSync(new URL('./__fixtures__/floor-divide.json', import.meta.url), 'utf8'),
) as { readonly sha256: string; readonly cases: readonly (readonly [x: number, y: number, floor: number])[] };

/** The script's generator of whole numbers. */
function mulberry(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** The numbers that the script divides. */
function* pairs(): Generator<readonly [x: number, y: number]> {
  const draw = mulberry(20261129);
  const any = (): number => (draw(2 ** 32) - 2 ** 31 + 0.5) / 2 ** draw(60);
  for (let i = 0; i < 100_000; i++)
    if (i % 3 === 0) {
      const x = 1 + draw(700);
      yield [x, Math.sqrt((x * (1 + draw(700))) / ((1 + draw(12)) * (2 + draw(40)) ** 2))];
    } else if (i % 3 === 1) yield [any(), any()];
    else {
      const y = (draw(1000) - 500.5) / (1 + draw(1000));
      yield [y * (draw(1000) - 500), y];
    }
}

describe('floorDivide', () => {
  it('gives what Python gives for 100,000 pairs of floats, bit for bit', () => {
    const hash = createHash('sha256');
    let different = 0;
    for (const [x, y] of pairs()) {
      const quotient = floorDivide(x, y);
      hash.update(new Uint8Array(Float64Array.of(x, y, quotient).buffer));
      if (!Object.is(quotient, Math.floor(x / y))) different++;
    }
    expect(hash.digest('hex')).toBe(golden.sha256);
    // Had the quotient been rounded first, these would be wrong.
    expect(different).toBeGreaterThan(1000);
  });

  it.each(golden.cases)('divides %d by %d: %d', (x, y, floor) => {
    expect(floorDivide(x, y)).toBe(floor);
  });

  it.each([
    [7, 0.1, 69],
    [-7, 0.1, -70],
    [7, -0.1, -70],
    [-7, -0.1, 69],
    [0, 3, 0],
    [-0, 3, -0],
    [0, -3, -0],
    [0.5, Infinity, 0],
    [-0.5, Infinity, -1],
    [Infinity, 2, Number.NaN],
    [1e300, 1e-300, Infinity],
  ])('divides %d by %d as CPython: %d', (x, y, floor) => {
    expect(floorDivide(x, y)).toBe(floor);
  });

  it('refuses to divide by zero', () => {
    expect(() => floorDivide(2, 0)).toThrow(InputError);
    expect(() => floorDivide(2, -0)).toThrow(/2 cannot be divided by 0/);
  });
});
