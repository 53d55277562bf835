import { blocksPerRow, rowBytes } from '../stored-weight.js';
import { declareBlocks } from '../dequantize-nodes.js';
import type { Emitter, StoredValue } from '../emitter.js';
import type { BlockSupport } from '../target.js';
import { microsoft } from './fused.js';

/** What `MatMulNBits` and `GatherBlockQuantized` take. */
export const nBits: BlockSupport = { bits: [4, 8], blockSizes: [16, 32, 64, 128, 256], zeroPoints: true };

/**
 * `x W^T` over a weight in blocks: x `[…, columns]` to `[…, rows]`.
 *
 * @param accuracyLevel 4: x is rounded to 8 bits in each block before it is multiplied, which is fast; 0: it is not
 */
export function matMulNBits(
  e: Emitter,
  x: string,
  { path, blocks }: StoredValue,
  accuracyLevel: 0 | 4,
): string {
  const { bits, blockSize, shape } = blocks;
  const [rows, columns] = shape;
  const count = blocksPerRow(blocks);
  const { data, scales, zeroPoints } = declareBlocks(e, path, blocks, [rows, count, (blockSize * bits) / 8]);
  return e.node(
    'MatMulNBits',
    [x, data, scales, ...(zeroPoints ? [zeroPoints] : [])],
    { K: columns, N: rows, bits, block_size: blockSize, accuracy_level: accuracyLevel },
    microsoft,
  );
}

/** Rows of a table in blocks by int64 ids `[…]`: `[…, columns]`. */
export function gatherRows(e: Emitter, ids: string, { path, blocks }: StoredValue, rank: number): string {
  const { bits, blockSize, shape } = blocks;
  const { data, scales, zeroPoints } = declareBlocks(e, path, blocks, [shape[0], rowBytes(blocks).data]);
  const filled = e.node(
    'GatherBlockQuantized',
    [data, ids, scales, ...(zeroPoints ? [zeroPoints] : [])],
    { bits, block_size: blockSize, gather_axis: 0, quantize_axis: 1 },
    microsoft,
  );
  if (blocksPerRow(blocks) * blockSize === shape[1]) return filled;
  return e.node('Slice', [filled, e.ints([0]), e.ints([shape[1]]), e.ints([rank])]);
}
