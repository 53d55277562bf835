import { blocksPerRow, rowBytes, type BlockData, type BlockForm } from '@weft/onnx';

/**
 * Rounds a matrix to blocks: to nearest, by the largest magnitude of each block, or by its range with zero points. Good
 * enough to test with; a quantizer for real weights chooses better.
 */
export function quantize(
  values: ArrayLike<number>,
  form: BlockForm,
  { zeroPoints = false }: { readonly zeroPoints?: boolean } = {},
): BlockData {
  const { bits, blockSize, shape } = form;
  const [rows, columns] = shape;
  const [count, bytes] = [blocksPerRow(form), rowBytes(form)];
  const highest = 2 ** bits - 1;
  const data = new Uint8Array(rows * bytes.data);
  const scales = new Float32Array(rows * count);
  const zeros = new Uint8Array(rows * bytes.zeroPoints);
  const write = (packed: Uint8Array, start: number, index: number, value: number): void => {
    const at = start + Math.floor((index * bits) / 8);
    packed[at]! |= value << ((index * bits) % 8);
  };
  for (let row = 0; row < rows; row++)
    for (let block = 0; block < count; block++) {
      const from = block * blockSize;
      const length = Math.min(blockSize, columns - from);
      const numbers = Array.from({ length }, (_, i) => values[row * columns + from + i]!);
      const [least, most] = [Math.min(0, ...numbers), Math.max(0, ...numbers)];
      const range = zeroPoints ? (most - least) / highest : Math.max(-least, most) / ((highest - 1) / 2);
      const scale = Math.fround(range || 1);
      const zero = zeroPoints ? Math.round(-least / scale) : (highest + 1) / 2;
      scales[row * count + block] = scale;
      write(zeros, row * bytes.zeroPoints, block, zero);
      // What fills up the last block is never read; zero is as good as anything.
      for (let i = 0; i < blockSize; i++) {
        const value = i < length ? Math.round(numbers[i]! / scale) + zero : zero;
        write(data, row * bytes.data, from + i, Math.min(highest, Math.max(0, value)));
      }
    }
  return { ...form, data, scales, ...(zeroPoints ? { zeroPoints: zeros } : {}) };
}
