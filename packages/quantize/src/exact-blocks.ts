import { blocksPerRow, rowBytes, type BlockData } from '@weft/onnx';
import type { GroupedCodes } from './published.js';

/** Sizes of blocks that operators read, the largest first. */
const blockSizes = [256, 128, 64, 32, 16];

/**
 * Whole numbers in groups as blocks of the same numbers: nothing is rounded. A group may become several blocks.
 *
 * @returns `undefined` where blocks cannot say the same: groups that are not consecutive columns, or whose size is no
 * multiple of a block's, and a zero point beyond the largest number
 */
export function exactBlocks(
  { bits, groupSize, codes, zeros, scales, groupOf }: GroupedCodes,
  [rows, columns]: readonly [rows: number, columns: number],
): BlockData | undefined {
  const groups = Math.ceil(columns / groupSize);
  const blockSize = blockSizes.find((size) => groups === 1 || groupSize % size === 0);
  if (groupOf || blockSize === undefined || zeros.some((zero) => zero >= 2 ** bits)) return undefined;
  const form = { bits, blockSize, shape: [rows, columns] as const };
  const [count, bytes] = [blocksPerRow(form), rowBytes(form)];
  const data = new Uint8Array(rows * bytes.data);
  const zeroPoints = new Uint8Array(rows * bytes.zeroPoints);
  const blockScales = new Float32Array(rows * count);
  const write = (into: Uint8Array, start: number, index: number, value: number): void => {
    if (bits === 8) into[start + index] = value;
    else into[start + (index >> 1)]! |= value << (index % 2 === 0 ? 0 : 4);
  };
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < count; block++) {
      const group = row * groups + Math.min(groups - 1, Math.floor((block * blockSize) / groupSize));
      blockScales[row * count + block] = scales[group]!;
      write(zeroPoints, row * bytes.zeroPoints, block, zeros[group]!);
    }
    for (let column = 0; column < columns; column++)
      write(data, row * bytes.data, column, codes[row * columns + column]!);
  }
  return { ...form, data, scales: blockScales, zeroPoints };
}
