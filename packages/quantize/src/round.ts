import { blocksPerRow, rowBytes, type BlockData } from '@weft/onnx';
import type { Scheme } from './scheme.js';

/** Rows of a matrix rounded to blocks, and what that cost. */
export interface RoundedRows extends BlockData {
  /** Sum of the squared differences between the numbers and what their blocks mean. */
  readonly squaredError: number;
  /** Sum of the squared numbers. */
  readonly squaredNorm: number;
}

/**
 * Rounds rows of a matrix to small whole numbers in blocks along the rows.
 *
 * Without zero points a block of 4 bits puts its largest magnitude at -8, so that its sign decides that of the scale; one
 * of 8 bits puts it at ±127. With zero points the range of the block, 0 included, spans all numbers.
 *
 * @param values `[rows, columns]`, finite
 * @param columns any number above 0; the last block of a row is filled up with zeros
 */
export function roundRows(
  values: Float32Array,
  [rows, columns]: readonly [rows: number, columns: number],
  scheme: Scheme,
): RoundedRows {
  const { bits, blockSize } = scheme;
  const form = { bits, blockSize, shape: [rows, columns] as const };
  const [count, bytes] = [blocksPerRow(form), rowBytes(form)];
  const data = new Uint8Array(rows * bytes.data);
  const scales = new Float32Array(rows * count);
  const zeroPoints = scheme.zeroPoints ? new Uint8Array(rows * bytes.zeroPoints) : undefined;
  const rounder = rounderOf(scheme);
  const codes = new Uint8Array(blockSize);
  let [squaredError, squaredNorm] = [0, 0];
  for (let row = 0; row < rows; row++)
    for (let block = 0; block < count; block++) {
      const from = row * columns + block * blockSize;
      const length = Math.min(blockSize, columns - block * blockSize);
      const { scale, zero } = rounder(values, from, length, codes);
      scales[row * count + block] = scale;
      codes.fill(zero, length);
      const at = row * bytes.data + (block * blockSize * bits) / 8;
      if (bits === 8) data.set(codes, at);
      else for (let i = 0; i < blockSize; i += 2) data[at + i / 2] = codes[i]! | (codes[i + 1]! << 4);
      if (zeroPoints) {
        const place = row * bytes.zeroPoints;
        if (bits === 8) zeroPoints[place + block] = zero;
        else zeroPoints[place + (block >> 1)]! |= zero << (block % 2 === 0 ? 0 : 4);
      }
      const exact = Math.fround(scale);
      for (let i = 0; i < length; i++) {
        const value = values[from + i]!;
        const difference = value - (codes[i]! - zero) * exact;
        squaredError += difference * difference;
        squaredNorm += value * value;
      }
    }
  return { ...form, data, scales, ...(zeroPoints ? { zeroPoints } : {}), squaredError, squaredNorm };
}

/** Scale and zero point of a block whose codes were written. */
interface RoundedBlock {
  readonly scale: number;
  readonly zero: number;
}

type Rounder = (values: Float32Array, from: number, length: number, codes: Uint8Array) => RoundedBlock;

function rounderOf({ bits, zeroPoints, rounding }: Scheme): Rounder {
  const isSearch = rounding === 'search';
  if (zeroPoints)
    return (values, from, length, codes) => roundRange(values, { from, length, codes, bits, isSearch });
  return bits === 8
    ? (values, from, length, codes) => roundMagnitude(values, { from, length, codes, isSearch })
    : (values, from, length, codes) => roundSigned(values, { from, length, codes, isSearch });
}

interface Block {
  readonly from: number;
  readonly length: number;
  readonly codes: Uint8Array;
  readonly isSearch: boolean;
}

/** Codes that the largest magnitude is tried to have, beside -8: fewer steps lose a hundredth of the gain. */
const signedRanges = [-8, -7.75, -7.5, -7.25, -7, -6.75, -8.25, -8.5, -8.75];

/** 4 bits around 8: the largest magnitude, whichever sign it has, is the code 0. */
function roundSigned(values: Float32Array, { from, length, codes, isSearch }: Block): RoundedBlock {
  const largest = largestOf(values, from, length);
  if (largest === 0) {
    codes.fill(8, 0, length);
    return { scale: 0, zero: 8 };
  }
  let [scale, inverse] = [largest / -8, -8 / largest];
  if (isSearch) {
    let best = -1;
    for (const range of signedRanges) {
      const tried = range / largest;
      const fit = fitted(values, { from, length, inverse: tried, zero: 8, highest: 15 });
      if (fit.gain > best) [best, inverse, scale] = [fit.gain, tried, fit.scale];
    }
  }
  for (let k = 0; k < length; k++) codes[k] = codeOf(values[from + k]! * inverse, 8, 15);
  return { scale, zero: 8 };
}

/** The code of a number that was divided by the scale: the nearest, halves upwards. */
function codeOf(quotient: number, zero: number, highest: number): number {
  const code = quotient + zero + 0.5;
  return code <= 0 ? 0 : code >= highest ? highest : code | 0;
}

/** The best scale for the codes that an inverse scale gives, and what it takes off the squared norm of the block. */
function fitted(
  values: Float32Array,
  tried: {
    readonly from: number;
    readonly length: number;
    readonly inverse: number;
    readonly zero: number;
    readonly highest: number;
  },
): { readonly gain: number; readonly scale: number } {
  const { from, length, inverse, zero, highest } = tried;
  const end = from + length;
  const shift = zero + 0.5;
  let products = 0;
  let squares = 0;
  for (let k = from; k < end; k++) {
    const value = values[k]!;
    const raised = value * inverse + shift;
    const code = (raised <= 0 ? 0 : raised >= highest ? highest : raised | 0) - zero;
    products += value * code;
    squares += code * code;
  }
  return squares === 0
    ? { gain: 0, scale: 0 }
    : { gain: (products * products) / squares, scale: products / squares };
}

/** 8 bits around 128. */
function roundMagnitude(values: Float32Array, { from, length, codes, isSearch }: Block): RoundedBlock {
  const largest = Math.abs(largestOf(values, from, length));
  if (largest === 0) {
    codes.fill(128, 0, length);
    return { scale: 0, zero: 128 };
  }
  const inverse = 127 / largest;
  let [products, squares] = [0, 0];
  for (let k = 0; k < length; k++) {
    const value = values[from + k]!;
    const code = codeOf(value * inverse, 128, 255) - 128;
    codes[k] = code + 128;
    products += value * code;
    squares += code * code;
  }
  return { scale: isSearch ? products / squares : largest / 127, zero: 128 };
}

/** How much of the range of a block is tried to be covered. */
const shares = [1, 0.95, 0.9, 0.85, 0.8];

/** Between the ends of a block's range, or of a part of it. */
function roundRange(
  values: Float32Array,
  { from, length, codes, bits, isSearch }: Block & { readonly bits: 4 | 8 },
): RoundedBlock {
  const highest = 2 ** bits - 1;
  let [least, most] = [0, 0];
  for (let k = from; k < from + length; k++) {
    const value = values[k]!;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (least === most) {
    codes.fill(0, 0, length);
    return { scale: 0, zero: 0 };
  }
  let scale = (most - least) / highest;
  let inverse = 1 / scale;
  let zero = Math.round(-least * inverse);
  if (isSearch) {
    let best = -1;
    for (const share of shares) {
      const tried = highest / ((most - least) * share);
      const middle = Math.round(-least * share * tried);
      for (let z = Math.max(0, middle - 1); z <= Math.min(highest, middle + 1); z++) {
        const fit = fitted(values, { from, length, inverse: tried, zero: z, highest });
        if (fit.gain > best) [best, inverse, zero, scale] = [fit.gain, tried, z, fit.scale];
      }
    }
  }
  for (let k = 0; k < length; k++) codes[k] = codeOf(values[from + k]! * inverse, zero, highest);
  return { scale, zero };
}

/** The number of the largest magnitude, with its sign. */
function largestOf(values: Float32Array, from: number, length: number): number {
  let largest = 0;
  for (let k = from; k < from + length; k++)
    if (Math.abs(values[k]!) > Math.abs(largest)) largest = values[k]!;
  return largest;
}
