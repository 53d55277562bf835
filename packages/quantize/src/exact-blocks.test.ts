import { dequantize } from '@weft/onnx';
import { randomNumbers } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { exactBlocks } from './exact-blocks.js';
import type { GroupedCodes } from './published.js';

function grouped(bits: 4 | 8, groupSize: number, [rows, columns]: readonly [number, number]): GroupedCodes {
  const random = randomNumbers(bits + groupSize + columns);
  const groups = rows * Math.ceil(columns / groupSize);
  const upTo = (count: number): number => Math.floor(random() * count);
  return {
    bits,
    groupSize,
    codes: Uint8Array.from({ length: rows * columns }, () => upTo(2 ** bits)),
    zeros: Uint16Array.from({ length: groups }, () => upTo(2 ** bits)),
    scales: Float32Array.from({ length: groups }, () => random() - 0.5),
    groupOf: undefined,
  };
}

/** What the numbers mean, group by group. */
const meaning = (
  { codes, zeros, scales, groupSize }: GroupedCodes,
  [rows, columns]: readonly [number, number],
) =>
  Float32Array.from({ length: rows * columns }, (_, i) => {
    const group =
      Math.floor(i / columns) * Math.ceil(columns / groupSize) + Math.floor((i % columns) / groupSize);
    return Math.fround(scales[group]! * (codes[i]! - zeros[group]!));
  });

describe('exactBlocks', () => {
  it.each<[4 | 8, number, readonly [number, number], number]>([
    [4, 32, [5, 96], 32],
    [4, 128, [3, 300], 128],
    [8, 64, [4, 64], 256],
    [4, 96, [3, 192], 32],
    [4, 48, [2, 144], 16],
    [8, 1024, [2, 2048], 256],
    [4, 37, [3, 37], 256],
  ])('says the same in blocks: %i bits in groups of %i, %j', (bits, groupSize, shape, blockSize) => {
    const given = grouped(bits, groupSize, shape);
    const blocks = exactBlocks(given, shape)!;
    expect(blocks.blockSize).toBe(blockSize);
    expect(dequantize(blocks)).toEqual(meaning(given, shape));
  });

  it('gives up where blocks cannot say the same', () => {
    const given = grouped(4, 32, [2, 64]);
    expect(exactBlocks({ ...given, groupOf: new Uint32Array(64) }, [2, 64])).toBeUndefined();
    expect(exactBlocks({ ...given, zeros: Uint16Array.of(1, 16, 0, 3) }, [2, 64])).toBeUndefined();
    expect(exactBlocks(grouped(4, 40, [2, 80]), [2, 80])).toBeUndefined();
  });
});
