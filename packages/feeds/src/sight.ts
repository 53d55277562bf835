import type { TensorData } from '@weft/graph';

/** Tiles that the tokens of a row may see by cross-attention. */
export interface RowSight {
  /** Tiles of all the row's pictures. */
  readonly tiles: number;
  /** `[tokens, tiles]`, 1 where a token sees a tile. */
  readonly visible: Uint8Array;
}

/** What a row of a batch sees, and the column at which each of its tokens stands. */
export interface SeeingRow {
  readonly columns: readonly number[];
  /** Absent where the row sees nothing by cross-attention. */
  readonly seen?: RowSight | undefined;
}

/**
 * What tokens see by cross-attention, as the graphs take it: int64 `[B, L, tiles of the row that has most]`, 1 where a
 * token sees a tile, 0 where not and at padding, -1 where its row has no such tile.
 *
 * @param length columns of the batch
 * @param least tiles of the last axis at least: an empty axis would be no batch that ONNX Runtime could multiply
 */
export function seenMask(
  rows: readonly SeeingRow[],
  length: number,
  least = 0,
): TensorData & { readonly data: BigInt64Array } {
  const tiles = rows.reduce((most, { seen }) => Math.max(most, seen?.tiles ?? 0), least);
  const data = new BigInt64Array(rows.length * length * tiles);
  for (const [row, { columns, seen }] of rows.entries()) {
    const own = seen?.tiles ?? 0;
    const first = row * length;
    for (let column = 0; column < length; column++)
      data.fill(-1n, (first + column) * tiles + own, (first + column + 1) * tiles);
    for (const [token, column] of columns.entries())
      for (let tile = 0; tile < own; tile++)
        data[(first + column) * tiles + tile] = BigInt(seen!.visible[token * own + tile]!);
  }
  return { dtype: 'int64', shape: [rows.length, length, tiles], data };
}
