import { WeightError } from '@weft/errors';
import { toFloat32, type SafetensorsDtype } from '@weft/weights';

/** How the numbers of a matrix `[rows, columns]` follow from the tensors that a published checkpoint holds in its place. */
export type PublishedForm =
  /**
   * GPTQ: `qweight` int32 `[columns * bits / 32, rows]`, packed along the columns; `qzeros` int32 `[groups, rows * bits / 32]`;
   * `scales` `[groups, rows]`; perhaps `g_idx` int32 `[columns]`, the group of each column.
   */
  | {
      readonly kind: 'gptq';
      readonly bits: 4 | 8;
      readonly groupSize: number;
      /** What is added to stored zero points, in 8 bits without carry: 1, but 0 in files that say `gptq_v2`. */
      readonly zeroShift: 0 | 1;
    }
  /** AWQ: `qweight` int32 `[columns, rows / 8]` and `qzeros` `[groups, rows / 8]`, eight rows in an order of its own; `scales` `[groups, rows]`. */
  | { readonly kind: 'awq'; readonly groupSize: number }
  /**
   * bitsandbytes, 4 bits: `weight` uint8, two numbers in a byte, the first in the high bits; `quant_map` float32 `[16]`;
   * `quant_state`, a JSON object with the size of blocks; `absmax` of each block: float32, or uint8 with
   * `nested_quant_map` float32 `[256]`, `nested_absmax` float32, and an offset in `quant_state`.
   */
  | { readonly kind: 'bnb-4bit' }
  /** bitsandbytes, 8 bits: `weight` int8 `[rows, columns]`, and `SCB` float32 `[rows]`, which is 127 times the scale. */
  | { readonly kind: 'bnb-int8' }
  /** `weight` int8 or of floats of 8 bits `[rows, columns]`, and `scale` for each block of rows and columns. */
  | { readonly kind: 'scaled'; readonly block: readonly [rows: number, columns: number] }
  /** compressed-tensors: `weight` int32 `[rows, columns * bits / 32]`, numbers raised by half their range; `scale` `[rows, groups]`; perhaps `zero_point` int32 `[rows * bits / 32, groups]`. */
  | { readonly kind: 'packed'; readonly bits: 4 | 8; readonly groupSize: number };

/** A tensor among those that stand for a matrix. */
export interface PublishedPiece {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A matrix as a published checkpoint holds it. */
export interface PublishedMatrix {
  readonly form: PublishedForm;
  readonly shape: readonly [rows: number, columns: number];
  readonly pieces: Readonly<Record<string, PublishedPiece>>;
}

/** Whole numbers in groups along the rows of a matrix: each stands for `(code - zero) * scale`. */
export interface GroupedCodes {
  readonly bits: 4 | 8;
  readonly groupSize: number;
  /** `[rows, columns]`. */
  readonly codes: Uint8Array;
  /** `[rows, groups]`; may be one more than the largest code. */
  readonly zeros: Uint16Array;
  /** `[rows, groups]`. */
  readonly scales: Float32Array;
  /** The group of each column, where groups are not consecutive columns. */
  readonly groupOf: Uint32Array | undefined;
}

/**
 * The numbers of a matrix, `[rows, columns]` in float32 arithmetic.
 *
 * Sources: AutoGPTQ's and AutoAWQ's packed layouts, bitsandbytes' `dequantize_4bit`, compressed-tensors' `pack_to_int32`,
 * transformers' fine-grained FP8.
 *
 * @throws WeightError if a tensor is missing or has another size than the form says
 */
export function readPublished(matrix: PublishedMatrix): Float32Array {
  const [rows, columns] = matrix.shape;
  const grouped = groupedCodes(matrix);
  if (!grouped) return floatsOf(matrix);
  const { codes, zeros, scales, groupSize, groupOf } = grouped;
  const groups = Math.ceil(columns / groupSize);
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const group = row * groups + (groupOf?.[column] ?? Math.floor(column / groupSize));
      values[row * columns + column] = scales[group]! * (codes[row * columns + column]! - zeros[group]!);
    }
  return values;
}

/**
 * The whole numbers of a matrix, `undefined` for forms that have none in groups.
 *
 * @throws WeightError if a tensor is missing or has another size than the form says
 */
export function groupedCodes({ form, shape, pieces }: PublishedMatrix): GroupedCodes | undefined {
  const { words, numbers } = readersOf(pieces);
  const [rows, columns] = shape;
  const codes = new Uint8Array(
    form.kind === 'gptq' || form.kind === 'awq' || form.kind === 'packed' ? rows * columns : 0,
  );
  switch (form.kind) {
    case 'gptq': {
      const { bits, groupSize, zeroShift } = form;
      const groups = Math.ceil(columns / groupSize);
      const line = Math.ceil(rows / (32 / bits));
      const packed = words('qweight', Math.ceil(columns / (32 / bits)) * rows);
      const stored = words('qzeros', groups * line);
      for (let column = 0; column < columns; column++)
        for (let row = 0; row < rows; row++)
          codes[row * columns + column] = field(packed, bits, { at: column, stride: rows, offset: row });
      const zeros = byRow(rows, groups, (row, group) => {
        const zero = field(stored, bits, { at: row, stride: 1, offset: group * line }) + zeroShift;
        return bits === 8 ? zero & 255 : zero;
      });
      const scales = transposed(numbers('scales', groups * rows), groups, rows);
      const groupOf = pieces['g_idx'] && words('g_idx', columns);
      if (groupOf?.some((group) => group >= groups))
        throw new WeightError({ message: `g_idx of the weight names a group beyond its ${groups}.` });
      return { bits, groupSize, codes, zeros, scales, groupOf };
    }
    case 'awq': {
      const { groupSize } = form;
      const groups = Math.ceil(columns / groupSize);
      const line = rows / 8;
      const packed = words('qweight', columns * line);
      const stored = words('qzeros', groups * line);
      const numberAt = (from: Uint32Array, start: number, row: number): number =>
        (from[start * line + (row >> 3)]! >>> awqShifts[row & 7]!) & 15;
      for (let column = 0; column < columns; column++)
        for (let row = 0; row < rows; row++) codes[row * columns + column] = numberAt(packed, column, row);
      const zeros = byRow(rows, groups, (row, group) => numberAt(stored, group, row));
      const scales = transposed(numbers('scales', groups * rows), groups, rows);
      return { bits: 4, groupSize, codes, zeros, scales, groupOf: undefined };
    }
    case 'packed': {
      const { bits, groupSize } = form;
      const groups = Math.ceil(columns / groupSize);
      const line = Math.ceil(columns / (32 / bits));
      const packed = words('weight', rows * line);
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          codes[row * columns + column] = field(packed, bits, { at: column, stride: 1, offset: row * line });
      const stored = pieces['zero_point'] && words('zero_point', Math.ceil(rows / (32 / bits)) * groups);
      const zeros = byRow(rows, groups, (row, group) =>
        stored ? field(stored, bits, { at: row, stride: groups, offset: group }) : 2 ** (bits - 1),
      );
      return { bits, groupSize, codes, zeros, scales: numbers('scale', rows * groups), groupOf: undefined };
    }
    default:
      return undefined;
  }
}

/** One of the numbers that words hold, the first in the lowest bits; words of one line are `stride` apart. */
function field(
  words: Uint32Array,
  bits: number,
  { at, stride, offset }: { readonly at: number; readonly stride: number; readonly offset: number },
): number {
  const perWord = 32 / bits;
  const word = words[offset + Math.floor(at / perWord) * stride]!;
  return (word >>> ((at % perWord) * bits)) & (2 ** bits - 1);
}

const byRow = (rows: number, groups: number, valueAt: (row: number, group: number) => number): Uint16Array =>
  Uint16Array.from({ length: rows * groups }, (_, i) => valueAt(Math.floor(i / groups), i % groups));

const transposed = (values: Float32Array, lines: number, length: number): Float32Array =>
  Float32Array.from(values, (_, i) => values[(i % lines) * length + Math.floor(i / lines)]!);

/** What reads tensors by their roles and checks their sizes. */
function readersOf(pieces: PublishedMatrix['pieces']) {
  const piece = (role: string): PublishedPiece => {
    const found = pieces[role];
    if (found) return found;
    throw new WeightError({ message: `The weight has no tensor for its ${role}.` });
  };
  const sized = <T extends { readonly length: number }>(values: T, role: string, count: number): T => {
    if (values.length === count) return values;
    throw new WeightError({
      message: `The ${role} of the weight has ${values.length} numbers, expected ${count}.`,
    });
  };
  return {
    bytes: (role: string, count: number): Uint8Array => sized(piece(role).bytes, role, count),
    words: (role: string, count: number): Uint32Array =>
      sized(new Uint32Array(new Uint8Array(piece(role).bytes).buffer), role, count),
    numbers: (role: string, count: number): Float32Array => {
      const { bytes, dtype } = piece(role);
      const values = dtype.startsWith('F8') ? eightBitFloats(bytes, dtype) : toFloat32(bytes, dtype);
      return sized(values, role, count);
    },
  };
}

function floatsOf({ form, shape, pieces }: PublishedMatrix): Float32Array {
  const { bytes, numbers } = readersOf(pieces);
  const [rows, columns] = shape;
  const values = new Float32Array(rows * columns);
  switch (form.kind) {
    case 'bnb-4bit': {
      const map = numbers('quant_map', 16);
      const state = quantState(pieces['quant_state']);
      const blocks = Math.ceil(values.length / state.blocksize);
      const largest =
        state.nested_blocksize === undefined
          ? numbers('absmax', blocks)
          : nestedLargest(state, blocks, numbers);
      const packed = bytes('weight', Math.ceil(values.length / 2));
      for (let i = 0; i < values.length; i++) {
        const byte = packed[i >> 1]!;
        values[i] = map[i % 2 === 0 ? byte >> 4 : byte & 15]! * largest[Math.floor(i / state.blocksize)]!;
      }
      return values;
    }
    case 'bnb-int8': {
      const stored = numbers('weight', values.length);
      const scales = numbers('SCB', rows).map((scale) => scale * Math.fround(1 / 127));
      for (let i = 0; i < values.length; i++) values[i] = stored[i]! * scales[Math.floor(i / columns)]!;
      return values;
    }
    case 'scaled': {
      const [tall, wide] = form.block;
      const across = Math.ceil(columns / wide);
      const stored = numbers('weight', values.length);
      const scales = numbers('scale', Math.ceil(rows / tall) * across);
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          const at = row * columns + column;
          values[at] = stored[at]! * scales[Math.floor(row / tall) * across + Math.floor(column / wide)]!;
        }
      return values;
    }
    default:
      return values;
  }
}

/** Bits to the number of each of eight rows in a word of AWQ. */
const awqShifts = [0, 16, 4, 20, 8, 24, 12, 28];

/** What bitsandbytes writes beside a weight. */
interface QuantState {
  /** Numbers of a block. */
  readonly blocksize: number;
  /** Of the largest numbers of blocks, if they were rounded themselves. */
  readonly nested_blocksize?: number;
  readonly nested_offset?: number;
}

/** @throws WeightError if the tensor is missing or holds something else */
function quantState(piece: PublishedPiece | undefined): QuantState {
  let state: Partial<QuantState> | null = null;
  try {
    state = JSON.parse(new TextDecoder().decode(piece?.bytes)) as Partial<QuantState> | null;
  } catch {
    // Told below.
  }
  const { blocksize, nested_blocksize: nested } = state ?? {};
  const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
  if (isSize(blocksize) && (nested === undefined || isSize(nested))) return state as QuantState;
  throw new WeightError({
    message: 'The weight has no quant_state that says the size of its blocks.',
    hint: 'bitsandbytes writes it as JSON in a tensor whose name ends in quant_state.bitsandbytes__nf4 or __fp4.',
  });
}

/** Largest numbers of blocks that were rounded to 8 bits themselves. */
function nestedLargest(
  { nested_blocksize: blockSize = 1, nested_offset: offset = 0 }: QuantState,
  blocks: number,
  numbers: (role: string, count: number) => Float32Array,
): Float32Array {
  const codes = numbers('absmax', blocks);
  const map = numbers('nested_quant_map', 256);
  const largest = numbers('nested_absmax', Math.ceil(blocks / blockSize));
  return codes.map((code, i) => Math.fround(map[code]! * largest[Math.floor(i / blockSize)]!) + offset);
}

/** Values of all bytes of a type: floats of 8 bits. */
const tables = new Map<string, Float32Array>();

function eightBitFloats(bytes: Uint8Array, dtype: string): Float32Array {
  const table =
    tables.get(dtype) ?? Float32Array.from({ length: 256 }, (_, byte) => eightBitFloat(byte, dtype));
  tables.set(dtype, table);
  return Float32Array.from(bytes, (byte) => table[byte]!);
}

/**
 * A float of 8 bits: E4M3 without infinities, whose 127 and 255 are no numbers; E5M2 as float16 cut short.
 *
 * @see https://arxiv.org/abs/2209.05433
 */
function eightBitFloat(byte: number, dtype: string): number {
  const sign = byte & 128 ? -1 : 1;
  const isWide = dtype === 'F8_E5M2';
  const fraction = isWide ? 2 : 3;
  const exponent = (byte & 127) >> fraction;
  const rest = byte & (2 ** fraction - 1);
  const bias = isWide ? 15 : 7;
  if (isWide && exponent === 31) return rest === 0 ? sign * Infinity : Number.NaN;
  if (!isWide && (byte & 127) === 127) return Number.NaN;
  if (exponent === 0) return sign * rest * 2 ** (1 - bias - fraction);
  return sign * (1 + rest / 2 ** fraction) * 2 ** (exponent - bias);
}
