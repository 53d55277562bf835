import { WeightError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { wholeTensor } from './join.js';
import { matchWeights } from './match.js';
import type { TensorEntry } from './safetensors.js';
import { splitTensors, type TensorSlice } from './split.js';

const entry = (name: string, shape: readonly number[], offset: number): TensorEntry => ({
  name,
  dtype: 'BF16',
  shape,
  file: '/models/tiny/model.safetensors',
  offset,
  byteLength: 2 * shape.reduce((product, size) => product * size, 1),
});
const tensors = new Map(
  [entry('fused', [2, 3, 4], 100), entry('whole', [5], 148)].map((one) => [one.name, one]),
);
const pieces: TensorSlice[] = [
  { name: 'first', start: 0, shape: [3, 4] },
  { name: 'second', start: 12, shape: [3, 4] },
];
const split = (name: string) => (name === 'fused' ? pieces : undefined);

describe('splitTensors', () => {
  it('gives the places of the pieces in the file, and leaves other tensors alone', () => {
    const result = splitTensors(tensors, split);
    expect([...result.keys()]).toEqual(['first', 'second', 'whole']);
    expect(result.get('second')).toEqual({ ...entry('second', [3, 4], 124) });
    expect(result.get('whole')).toBe(tensors.get('whole'));
  });

  it('refuses pieces that reach beyond their tensor, and names that are taken', () => {
    expect(() => splitTensors(tensors, () => [{ name: 'a', start: 13, shape: [3, 4] }])).toThrow(WeightError);
    expect(() => splitTensors(tensors, () => [{ name: 'a', start: 13, shape: [3, 4] }])).toThrow(
      /'a' \[3, 4\] at element 13 is not within the tensor \[2, 3, 4\]/,
    );
    expect(() =>
      splitTensors(tensors, (name) =>
        name === 'fused'
          ? [
              { name: 'a', start: 0, shape: [1] },
              { name: 'a', start: 0, shape: [1] },
            ]
          : undefined,
      ),
    ).toThrow(/'a' is a tensor of the file, and a piece of 'fused' too/);
  });

  it('lets parameters be matched with pieces', () => {
    const expected = new Map([
      ['b', { shape: [3, 4] }],
      ['a', { shape: [3, 4] }],
      ['whole', { shape: [5] }],
    ]);
    const rename = (name: string) => ({ first: 'a', second: 'b' })[name] ?? name;
    const { entries } = matchWeights({ expected, file: { path: '/models/tiny', tensors }, split, rename });
    expect(wholeTensor(entries.get('b')!).offset).toBe(124);
  });
});
