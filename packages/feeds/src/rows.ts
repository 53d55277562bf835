import type { TensorData } from '@weft/graph';
import { seenMask, type RowSight, type SeeingRow } from './sight.js';

/** New tokens of one sequence, as a step of the language model takes them. */
export interface TokenRow {
  readonly ids: readonly number[];
  /** For each axis the position of every token; one axis unless the model has a rule for positions. */
  readonly positions: readonly (readonly number[])[];
  /**
   * Tokens of the text that these are a piece of, up to its last new one: what frequencies of positions may depend on.
   * Counted from the largest of the positions unless given.
   */
  readonly textLength?: number | undefined;
  /** Which of the tokens image embeddings take the place of, ascending. */
  readonly places?: readonly number[] | undefined;
  /** The embeddings of `places` in order, in pieces of `[n, D]` each. */
  readonly embeds?: readonly Float32Array[] | undefined;
  /** Which tiles each token sees by cross-attention; absent where the row sees by none. */
  readonly seen?: RowSight | undefined;
  /** The tokens whose logits are wanted: the last one unless given. */
  readonly logits?: 'none' | 'last' | 'all' | undefined;
}

/** Rows of one step as the inputs of the text graph, for `B` columns of `L` tokens. */
export interface RowGrid {
  readonly batch: number;
  readonly length: number;
  /** int64 `[B, L]`. */
  readonly inputIds: TensorData;
  /** int64 `[B, L]`, or `[axes, B, L]` where the model has a rule for positions. */
  readonly positionIds: TensorData;
  /** int64 `[B]`: `textLength` of each row; 1 for one of padding only. */
  readonly lengths: TensorData;
  /** `[B, L]`: 1 for tokens, 0 for padding. */
  readonly mask: BigInt64Array;
  /** int64 `[M]`: flat positions whose logits are wanted, row by row. */
  readonly logitPositions: TensorData;
  /** int64 `[N]`: flat positions that image embeddings take. */
  readonly imagePositions: TensorData;
  /** float32 `[N, D]`. */
  readonly imageEmbeds: TensorData;
  /**
   * int64 `[B, L, tiles of the row that has most, at least one]`: 1 where a token sees a tile, 0 where not, -1 where its
   * row has no such tile. Absent if no row sees by cross-attention.
   */
  readonly seenMask: TensorData | undefined;
}

/** Facts of a model that the layout of its rows needs. */
export interface RowShape {
  readonly hiddenSize: number;
  /** Numbers that make up a position; `undefined` where positions are counted, without an axis of their own. */
  readonly axes: number | undefined;
}

const int64 = (data: BigInt64Array, shape: readonly number[]): TensorData => ({
  dtype: 'int64',
  shape,
  data,
});

/**
 * Lays rows of new tokens side by side. They end together: shorter ones begin with padding, which is masked, so that
 * the distance of two tokens within a row is that of their columns. A row that is `undefined` is padding only.
 */
export function layOutRows(rows: readonly (TokenRow | undefined)[], { hiddenSize, axes }: RowShape): RowGrid {
  const batch = rows.length;
  const length = rows.reduce((most, row) => Math.max(most, row?.ids.length ?? 0), 0);
  const size = batch * length;
  const inputIds = new BigInt64Array(size);
  const positionIds = new BigInt64Array((axes ?? 1) * size);
  const mask = new BigInt64Array(size);
  const logitPositions: number[] = [];
  const imagePositions: number[] = [];
  const embeds: Float32Array[] = [];
  for (const [index, row] of rows.entries()) {
    if (!row) continue;
    const { ids, positions, places = [], logits = 'last' } = row;
    const end = (index + 1) * length;
    const first = end - ids.length;
    for (let token = 0; token < ids.length; token++) {
      inputIds[first + token] = BigInt(ids[token]!);
      for (const [axis, values] of positions.entries())
        positionIds[axis * size + first + token] = BigInt(values[token]!);
      mask[first + token] = 1n;
      if (logits === 'all') logitPositions.push(first + token);
    }
    if (logits === 'last') logitPositions.push(end - 1);
    for (const place of places) imagePositions.push(first + place);
    embeds.push(...(row.embeds ?? []));
  }
  const grid = [batch, length];
  return {
    batch,
    length,
    inputIds: int64(inputIds, grid),
    positionIds: int64(positionIds, axes === undefined ? grid : [axes, ...grid]),
    lengths: int64(BigInt64Array.from(rows, lengthOf), [batch]),
    mask,
    logitPositions: int64(BigInt64Array.from(logitPositions, BigInt), [logitPositions.length]),
    imagePositions: int64(BigInt64Array.from(imagePositions, BigInt), [imagePositions.length]),
    imageEmbeds: {
      dtype: 'float32',
      shape: [imagePositions.length, hiddenSize],
      data: joinArrays(embeds),
    },
    seenMask: maskOf(rows, length),
  };
}

const lengthOf = (row: TokenRow | undefined): bigint =>
  BigInt(row?.textLength ?? 1 + (row?.positions.flat() ?? []).reduce((most, at) => Math.max(most, at), 0));

/** What the tokens see, in rows that end together; the graph wants one tile at least, even where no row has any. */
function maskOf(rows: readonly (TokenRow | undefined)[], length: number): TensorData | undefined {
  if (!rows.some((row) => row?.seen)) return undefined;
  const seeing = rows.map((row): SeeingRow => {
    const count = row?.ids.length ?? 0;
    return { columns: Array.from({ length: count }, (_, i) => length - count + i), seen: row?.seen };
  });
  return seenMask(seeing, length, 1);
}

/** Arrays one after the other; the array itself if there is one. */
export function joinArrays(arrays: readonly Float32Array[]): Float32Array {
  if (arrays.length === 1) return arrays[0]!;
  const result = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    result.set(array, at);
    at += array.length;
  }
  return result;
}
