import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { modelWith } from '../test/model.js';
import { givenSight, type GivenPicture } from './given-pictures.js';

const picture = (tiles: number): GivenPicture => ({
  inputs: {},
  placement: {
    tokens: 1,
    cross: { tiles: Array.from({ length: tiles }, (_, i) => i), seen: tiles, placed: [] },
  },
});
const row = { ids: [1, 2], columns: [0, 1] } as never;
const mask = (shape: readonly number[], data: readonly number[]) => ({
  dtype: 'int64' as const,
  shape,
  data: BigInt64Array.from(data, BigInt),
});

describe('a mask of what tokens see', () => {
  // The first row has no picture, the second one of two tiles, the third one of one tile and one of two.
  const pictures = [[], [picture(2)], [picture(1), picture(2)]];
  const given = mask(
    [3, 2, 2, 2],
    [...[0, 0, 0, 0, 0, 0, 0, 0], ...[1, 0, 0, 0, 1, 1, 0, 0], ...[0, 0, 0, 1, 1, 0, 1, 1]],
  );

  it('is read for rows that have fewer pictures than others, and pictures that have fewer tiles', () => {
    const { shape, data } = givenSight(modelWith(), pictures, [row, row, row], 2, given);
    expect(shape).toEqual([3, 2, 3]);
    expect([...data].map(Number)).toEqual([
      ...[-1, -1, -1, -1, -1, -1],
      ...[1, 0, -1, 1, 1, -1],
      ...[0, 0, 1, 1, 1, 1],
    ]);
  });

  it('must have room for the row that has most', () => {
    const narrow = mask(
      [3, 2, 1, 2],
      Array.from({ length: 12 }, () => 0),
    );
    const read = () => givenSight(modelWith(), pictures, [row, row, row], 2, narrow);
    expect(read).toThrow(InputError);
    expect(read).toThrow(/is \[3, 2, 1, 2\], expected \[3, 2, 2, 2\]/);
  });
});
