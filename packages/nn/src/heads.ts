import { ShapeError } from '@weft/errors';
import { multiplyDims, reshape, type Value } from '@weft/graph';

/**
 * Channels as heads: `[B, L, N * H]` to `[B, L, N, H]`.
 *
 * @throws ShapeError if the heads do not divide the channels
 */
export function splitHeads(x: Value, heads: number): Value {
  const size = Number(x.shape[2]) / heads;
  if (!Number.isInteger(size))
    throw new ShapeError({
      message: `${x.shape[2]} channels cannot be split into ${heads} heads.`,
      hint: 'The number of attention heads must divide the channels.',
    });
  return reshape(x, [x.shape[0]!, x.shape[1]!, heads, size]);
}

/** Heads as channels: `[B, L, N, H]` to `[B, L, N * H]`. */
export const mergeHeads = (x: Value): Value =>
  reshape(x, [x.shape[0]!, x.shape[1]!, multiplyDims(x.shape[2]!, x.shape[3]!)]);
