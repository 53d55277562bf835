import { describe, expect, it } from 'vitest';
import { seenMask } from './sight.js';

const rowsOf = ({ shape, data }: ReturnType<typeof seenMask>): string[] => {
  const [batch = 0, length = 0, tiles = 0] = shape;
  return Array.from({ length: batch }, (_, row) =>
    Array.from({ length }, (_, column) =>
      [...data.subarray((row * length + column) * tiles, (row * length + column + 1) * tiles)].join(','),
    ).join(' '),
  );
};

describe('seenMask', () => {
  it('says what each token sees, and that a row has fewer tiles than another', () => {
    const mask = seenMask(
      [
        { columns: [0, 1], seen: { tiles: 2, visible: Uint8Array.of(1, 0, 1, 1) } },
        { columns: [0, 1], seen: { tiles: 1, visible: Uint8Array.of(0, 1) } },
      ],
      2,
    );
    expect(mask.shape).toEqual([2, 2, 2]);
    expect(rowsOf(mask)).toEqual(['1,0 1,1', '0,-1 1,-1']);
  });

  it('lets padding see nothing, on whichever side it is', () => {
    const seen = { tiles: 1, visible: Uint8Array.of(1, 1) };
    const mask = seenMask(
      [
        { columns: [1, 2], seen },
        { columns: [0, 1], seen },
        { columns: [0, 2], seen },
      ],
      3,
    );
    expect(rowsOf(mask)).toEqual(['0 1 1', '1 1 0', '1 0 1']);
  });

  it('has no tile for rows that see nothing, and as many as are asked for at least', () => {
    const blind = [{ columns: [0] }, { columns: [0], seen: { tiles: 0, visible: new Uint8Array(0) } }];
    expect(seenMask(blind, 1).shape).toEqual([2, 1, 0]);
    expect(rowsOf(seenMask(blind, 1, 1))).toEqual(['-1', '-1']);
  });
});
