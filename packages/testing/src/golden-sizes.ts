import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';

/** Draws a whole number below another. */
export type Draw = (below: number) => number;

/** What `tools/golden/sizes.py` wrote of one rule: what the reference makes of pictures by their sizes. */
export interface GoldenSizes {
  readonly name: string;
  /** Near whole multiples of which some sizes are, pixels. */
  readonly unit: number;
  /** Of all numbers, as int32. */
  readonly sha256: string;
  /** The first ones. */
  readonly cases: readonly (readonly [width: number, height: number, numbers: readonly number[]])[];
}

const count = 100_000;

/** The script's generator, Mulberry32. */
export function mulberry(seed: number): Draw {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const shapes = [
  [4, 3],
  [3, 2],
  [16, 9],
  [1, 1],
  [2, 1],
  [3, 1],
] as const;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A size as the script draws it: of photographs, near whole units, near squares, thin, or any. */
function drawSize(draw: Draw, unit: number): Size {
  const kind = draw(8);
  if (kind < 2) return { width: 1 + draw(2500), height: 1 + draw(2500) };
  if (kind === 2) return { width: 1 + draw(2 ** (1 + draw(14))), height: 1 + draw(2 ** (1 + draw(14))) };
  if (kind === 3) {
    const width = 1 + draw(4096);
    return { width, height: Math.max(1, width + draw(5) - 2) };
  }
  if (kind === 4) {
    const side = (): number => Math.max(1, unit * draw(9) + draw(5) - 2);
    return { width: side(), height: side() };
  }
  if (kind === 5) {
    const [a, b] = shapes[draw(shapes.length)]!;
    const k = 1 + draw(700);
    return draw(2) ? { width: a * k, height: b * k } : { width: b * k, height: a * k };
  }
  const [long, short] = [1 + draw(10000), 1 + draw(40)];
  return draw(2) ? { width: long, height: short } : { width: short, height: long };
}

/**
 * Compares a rule with the reference over 100,000 sizes: those of the file with their numbers, all by their hash.
 *
 * @param numbersOf what the rule makes of a picture of a size; `draw` is for what it depends on besides
 */
export function testGoldenSizes(
  { name, unit, sha256, cases }: GoldenSizes,
  numbersOf: (size: Size, draw: Draw) => readonly number[],
): void {
  it(`makes of 100,000 sizes what the reference makes of them: ${name}`, () => {
    const draw = mulberry(createHash('sha256').update(name).digest().readUInt32LE(0));
    const all: number[] = [];
    for (let i = 0; i < count; i++) {
      const size = drawSize(draw, unit);
      const numbers = numbersOf(size, draw);
      const golden = cases[i];
      if (golden) expect([size.width, size.height, numbers]).toEqual(golden);
      for (const number of numbers) all.push(number);
    }
    const bytes = new Uint8Array(Int32Array.from(all).buffer);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
  }, 120_000);
}
