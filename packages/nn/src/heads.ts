import { multiplyDims, reshape, type Value } from '@weft/graph';

/** Channels as heads: `[B, L, N * H]` to `[B, L, N, H]`. */
export const splitHeads = (x: Value, heads: number): Value =>
  reshape(x, [x.shape[0]!, x.shape[1]!, heads, Number(x.shape[2]) / heads]);

/** Heads as channels: `[B, L, N, H]` to `[B, L, N * H]`. */
export const mergeHeads = (x: Value): Value =>
  reshape(x, [x.shape[0]!, x.shape[1]!, multiplyDims(x.shape[2]!, x.shape[3]!)]);
