import { ConfigError } from '@weft/errors';
import type { ExternalTensor } from './model-proto.js';

/** A weight whose numbers lie in a file one by one. */
export type Plain = ExternalTensor;

/** How a matrix is cut into blocks of small whole numbers. */
export interface BlockForm {
  /** Bits of a number. */
  readonly bits: 4 | 8;
  /** Consecutive numbers of a row that share a scale; the last block of a row is filled up. */
  readonly blockSize: number;
  /** Rows and columns; a weight of more axes counts as its first axis by all others. */
  readonly shape: readonly [rows: number, columns: number];
}

/**
 * A weight stored as small whole numbers `q` in blocks along the last axis: its number is `(q - zero) * scale`. The
 * layout is that of ONNX Runtime's `MatMulNBits`.
 */
export interface Blocks extends BlockForm {
  /** uint8 `[rows, blocks, blockSize * bits / 8]`; of two numbers in a byte the first is in the low bits. */
  readonly data: ExternalTensor;
  /** float32 or float16 `[rows, blocks]`. */
  readonly scales: ExternalTensor;
  /**
   * uint8 `[rows, bytes]`, packed like the numbers, each row from a byte's beginning; `2^(bits - 1)` for all blocks
   * unless given.
   */
  readonly zeroPoints?: ExternalTensor | undefined;
}

/** How a weight lies in its files. */
export type StoredWeight = Plain | Blocks;

export const isBlocks = (weight: StoredWeight): weight is Blocks => 'blockSize' in weight;

/** Blocks of a row. */
export const blocksPerRow = ({ shape, blockSize }: BlockForm): number => Math.ceil(shape[1] / blockSize);

/** Bytes of a row: those of its numbers and those of its zero points. */
export const rowBytes = (form: BlockForm): { readonly data: number; readonly zeroPoints: number } => {
  const count = blocksPerRow(form);
  return { data: (count * form.blockSize * form.bits) / 8, zeroPoints: Math.ceil((count * form.bits) / 8) };
};

/** The bytes of a weight in blocks, laid out as {@link Blocks} says. */
export interface BlockData extends BlockForm {
  readonly data: Uint8Array;
  readonly scales: Float32Array;
  readonly zeroPoints?: Uint8Array | undefined;
}

/** What a weight in blocks means: its numbers `[rows, columns]`. All targets are measured against this function. */
export function dequantize(weight: BlockData): Float32Array {
  const { bits, blockSize, shape, data, scales, zeroPoints } = weight;
  const [rows, columns] = shape;
  const [count, bytes] = [blocksPerRow(weight), rowBytes(weight)];
  const numberAt = (packed: Uint8Array, row: number, rowLength: number, index: number): number => {
    if (bits === 8) return packed[row * rowLength + index]!;
    const byte = packed[row * rowLength + (index >> 1)]!;
    return index % 2 === 0 ? byte & 15 : byte >> 4;
  };
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const block = Math.floor(column / blockSize);
      const zero = zeroPoints ? numberAt(zeroPoints, row, bytes.zeroPoints, block) : 1 << (bits - 1);
      result[row * columns + column] =
        (numberAt(data, row, bytes.data, column) - zero) * scales[row * count + block]!;
    }
  return result;
}

/** Rows of a weight in blocks, without copying. */
export function sliceRows(weight: Blocks, start: number, end: number): Blocks {
  const bytes = rowBytes(weight);
  const cut = (tensor: ExternalTensor, bytesPerRow: number): ExternalTensor => ({
    ...tensor,
    offset: tensor.offset + start * bytesPerRow,
    length: (end - start) * bytesPerRow,
    shape: [end - start, ...tensor.shape.slice(1)],
  });
  const { data, scales, zeroPoints } = weight;
  return {
    ...weight,
    shape: [end - start, weight.shape[1]],
    data: cut(data, bytes.data),
    scales: cut(scales, scales.length / weight.shape[0]),
    zeroPoints: zeroPoints && cut(zeroPoints, bytes.zeroPoints),
  };
}

/** @throws ConfigError if a weight in blocks does not have the sizes that its form says, or those of its parameter */
export function checkBlocks(path: string, weight: Blocks, parameter: readonly number[]): void {
  const { bits, blockSize, shape, data, scales, zeroPoints } = weight;
  const fail = (message: string): never => {
    throw new ConfigError({ message, where: path });
  };
  const elements = parameter.reduce((product, size) => product * size, 1);
  if (shape[0] !== parameter[0] || shape[0] * shape[1] !== elements)
    fail(`The weight has the shape [${shape.join(', ')}], the parameter [${parameter.join(', ')}].`);
  if (
    (bits !== 4 && bits !== 8) ||
    !(Number.isInteger(blockSize) && blockSize > 0) ||
    (blockSize * bits) % 8 !== 0
  )
    fail(
      `Blocks of ${blockSize} numbers of ${bits} bits cannot be read; bits are 4 or 8, and blocks whole bytes.`,
    );
  const [count, bytes] = [blocksPerRow(weight), rowBytes(weight)];
  const types = scales.dtype === 'float16' ? 2 : 4;
  if (
    data.dtype !== 'uint8' ||
    (zeroPoints && zeroPoints.dtype !== 'uint8') ||
    !/^float(16|32)$/.test(scales.dtype)
  )
    fail(
      `Numbers and zero points are uint8, scales float32 or float16, but got ${data.dtype}, ${zeroPoints?.dtype ?? 'none'} and ${scales.dtype}.`,
    );
  for (const [what, tensor, expected] of [
    ['The numbers have', data, shape[0] * bytes.data],
    ['The scales have', scales, shape[0] * count * types],
    ['The zero points have', zeroPoints, shape[0] * bytes.zeroPoints],
  ] as const)
    if (tensor && tensor.length !== expected)
      fail(
        `${what} ${tensor.length} bytes, expected ${expected} for [${shape.join(', ')}] in blocks of ${blockSize} with ${bits} bits.`,
      );
}
