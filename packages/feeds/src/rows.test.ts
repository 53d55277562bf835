import { describe, expect, it } from 'vitest';
import { layOutRows, type TokenRow } from './rows.js';

const numbers = ({ data }: { readonly data: ArrayLike<bigint | number> }): number[] =>
  Array.from(data as ArrayLike<bigint>, Number);
const shape = { hiddenSize: 2, axes: undefined };

describe('rows of a step', () => {
  it('end together, behind masked padding', () => {
    const rows: TokenRow[] = [
      { ids: [7, 8, 9], positions: [[4, 5, 6]] },
      { ids: [3], positions: [[11]] },
    ];
    const grid = layOutRows(rows, shape);
    expect([grid.batch, grid.length]).toEqual([2, 3]);
    expect(numbers(grid.inputIds)).toEqual([7, 8, 9, 0, 0, 3]);
    expect(numbers(grid.positionIds)).toEqual([4, 5, 6, 0, 0, 11]);
    expect([...grid.mask]).toEqual([1n, 1n, 1n, 0n, 0n, 1n]);
    expect(numbers(grid.logitPositions)).toEqual([2, 5]);
    expect(grid.seenMask).toBeUndefined();
  });

  it('have a length of their own: that of the text, or one more than the largest position on any axis', () => {
    const rows: TokenRow[] = [
      { ids: [7, 8], positions: [[4, 5]], textLength: 300 },
      { ids: [3], positions: [[11], [2], [12]] },
    ];
    const grid = layOutRows([...rows, undefined], shape);
    expect(grid.lengths.shape).toEqual([3]);
    expect(numbers(grid.lengths)).toEqual([300, 13, 1]);
  });

  it('have a position on each axis of the rule', () => {
    const grid = layOutRows(
      [
        {
          ids: [1, 2],
          positions: [
            [5, 6],
            [7, 8],
          ],
        },
        undefined,
      ],
      { ...shape, axes: 2 },
    );
    expect(grid.positionIds.shape).toEqual([2, 2, 2]);
    expect(numbers(grid.positionIds)).toEqual([5, 6, 0, 0, 7, 8, 0, 0]);
  });

  it('give the logits that are asked for, row by row', () => {
    const positions = [[0, 1]];
    const grid = layOutRows(
      [
        { ids: [1, 2], positions, logits: 'all' },
        { ids: [1, 2], positions, logits: 'none' },
        { ids: [4], positions: [[0]] },
      ],
      shape,
    );
    expect(numbers(grid.logitPositions)).toEqual([0, 1, 5]);
  });

  it('carry image embeddings in the order of their places', () => {
    const grid = layOutRows(
      [
        {
          ids: [1, 9, 9],
          positions: [[0, 1, 2]],
          places: [1, 2],
          embeds: [Float32Array.of(1, 2), Float32Array.of(3, 4)],
        },
        { ids: [9], positions: [[0]], places: [0], embeds: [Float32Array.of(5, 6)] },
      ],
      shape,
    );
    expect(numbers(grid.imagePositions)).toEqual([1, 2, 5]);
    expect(grid.imageEmbeds.shape).toEqual([3, 2]);
    expect(numbers(grid.imageEmbeds)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('tell tiles that a token does not see from tiles that its row does not have', () => {
    const grid = layOutRows(
      [
        { ids: [1, 2], positions: [[0, 1]], seen: { tiles: 2, visible: Uint8Array.of(0, 0, 1, 1) } },
        { ids: [1], positions: [[0]], seen: { tiles: 1, visible: Uint8Array.of(1) } },
        { ids: [1], positions: [[0]], seen: { tiles: 0, visible: new Uint8Array(0) } },
      ],
      shape,
    );
    expect(grid.seenMask!.shape).toEqual([3, 2, 2]);
    expect(numbers(grid.seenMask!)).toEqual([0, 0, 1, 1, 0, -1, 1, -1, -1, -1, -1, -1]);
  });

  it('have one tile at least, which none of them has', () => {
    const grid = layOutRows(
      [{ ids: [1], positions: [[0]], seen: { tiles: 0, visible: new Uint8Array(0) } }],
      shape,
    );
    expect(grid.seenMask!.shape).toEqual([1, 1, 1]);
    expect(numbers(grid.seenMask!)).toEqual([-1]);
  });
});
