import { blocksPerRow, rowBytes, type BlockData, type BlockForm } from '@weft/onnx';
import type { GroupedCodes, PublishedForm } from './published.js';

/** Sizes of blocks that operators read, the largest first. */
const blockSizes = [256, 128, 64, 32, 16];

/** The largest block that a group is made of; any, if a row is one group. */
const blockSizeOf = (groupSize: number, columns: number): number | undefined =>
  blockSizes.find((size) => groupSize >= columns || groupSize % size === 0);

/**
 * The form of the blocks that keep a published matrix as it is, `undefined` where there is none.
 *
 * @param isReordered whether groups are not consecutive columns
 */
export function exactForm(
  form: PublishedForm,
  columns: number,
  isReordered: boolean,
): Pick<BlockForm, 'bits' | 'blockSize'> | undefined {
  if (isReordered || !('groupSize' in form)) return undefined;
  const blockSize = blockSizeOf(form.groupSize, columns);
  return blockSize === undefined ? undefined : { bits: form.kind === 'awq' ? 4 : form.bits, blockSize };
}

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
  const blockSize = blockSizeOf(groupSize, columns);
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
