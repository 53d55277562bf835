import { UnsupportedError, WeightError } from '@weft/errors';

const elementBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  U16: 2,
  U32: 4,
  U64: 8,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F8_E8M0: 1,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  F4: 0.5,
  C64: 8,
} as const;

/** Element type of a tensor, as the safetensors format spells it. */
export type SafetensorsDtype = keyof typeof elementBytes;

/** Element types that {@link fromFloat32} writes. */
export type FloatDtype = 'F32' | 'F16' | 'BF16';

/** Whether the value names an element type of the safetensors format that this package knows. */
export const isSafetensorsDtype = (value: unknown): value is SafetensorsDtype =>
  typeof value === 'string' && Object.hasOwn(elementBytes, value);

/** Whether {@link toFloat32} converts elements of the type. */
export const isConvertible = (dtype: SafetensorsDtype): boolean => !/^(F8|F6|F4|C64)/.test(dtype);

/** Size of one element of the type, in bytes; 3/4 and 1/2 for the types of 6 and 4 bits, which are packed. */
export const bytesPerElement = (dtype: SafetensorsDtype): number => elementBytes[dtype];

/**
 * The elements of a tensor as single precision numbers, in a new array.
 *
 * Numbers that single precision cannot hold are rounded to the nearest, ties to even. NaN keeps its payload
 * for F32, F16 and BF16. The bytes may start at any offset of their buffer.
 *
 * @param bytes - elements in little-endian order, `count * bytesPerElement(dtype)` bytes
 * @returns `count` numbers; BOOL becomes 0 or 1
 * @throws WeightError if the bytes are not a whole number of elements
 * @throws UnsupportedError for complex numbers and floating point types of 8, 6 and 4 bits
 */
export const toFloat32 = (bytes: Uint8Array, dtype: SafetensorsDtype): Float32Array<ArrayBuffer> => {
  const size = bytesPerElement(dtype);
  const count = bytes.byteLength / size;
  if (!Number.isInteger(count)) {
    throw new WeightError({
      message: `${bytes.byteLength} bytes are not a whole number of ${dtype} elements of ${size} bytes.`,
      hint: 'Pass the bytes of the whole tensor and the dtype that its file states.',
    });
  }
  switch (dtype) {
    case 'F32':
      return new Float32Array(new Uint8Array(bytes).buffer);
    case 'F16':
      return halfToFloat32(words(bytes, count));
    case 'BF16':
      return brainToFloat32(words(bytes, count));
    case 'F64':
      return new Float32Array(view(bytes, 8, (buffer, offset) => new Float64Array(buffer, offset, count)));
    case 'I64':
    case 'U64':
      return wideToFloat32(
        view(bytes, 4, (buffer, offset) => new Uint32Array(buffer, offset, count * 2)),
        dtype === 'I64',
      );
    case 'I32':
      return new Float32Array(view(bytes, 4, (buffer, offset) => new Int32Array(buffer, offset, count)));
    case 'U32':
      return new Float32Array(view(bytes, 4, (buffer, offset) => new Uint32Array(buffer, offset, count)));
    case 'I16':
      return new Float32Array(view(bytes, 2, (buffer, offset) => new Int16Array(buffer, offset, count)));
    case 'U16':
      return new Float32Array(words(bytes, count));
    case 'I8':
      return new Float32Array(new Int8Array(bytes.buffer, bytes.byteOffset, count));
    case 'U8':
      return new Float32Array(bytes);
    case 'BOOL':
      return new Float32Array(bytes.map((value) => (value === 0 ? 0 : 1)));
    default:
      throw new UnsupportedError({
        message: `${dtype} cannot be converted to single precision numbers.`,
        hint: 'Use a checkpoint with F32, F16 or BF16 weights, or read the bytes as they are.',
      });
  }
};

/**
 * The numbers as elements of a tensor, in little-endian order and in new memory.
 *
 * Rounds to the nearest, ties to even; overflow becomes infinity; NaN stays NaN with the upper bits of its
 * payload.
 *
 * @returns `values.length * bytesPerElement(dtype)` bytes
 */
export const fromFloat32 = (values: Float32Array, dtype: FloatDtype): Uint8Array<ArrayBuffer> => {
  // Integers, because a NaN that passes through a number may lose its payload.
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  switch (dtype) {
    case 'F32':
      return new Uint8Array(bits.slice().buffer);
    case 'F16':
      return new Uint8Array(float32ToHalf(bits).buffer);
    case 'BF16':
      return new Uint8Array(float32ToBrain(bits).buffer);
  }
};

/** A view of the bytes as wider elements; of a copy where their offset does not allow it. */
const view = <T>(bytes: Uint8Array, size: number, make: (buffer: ArrayBufferLike, offset: number) => T): T =>
  bytes.byteOffset % size === 0
    ? make(bytes.buffer, bytes.byteOffset)
    : make(new Uint8Array(bytes).buffer, 0);

const words = (bytes: Uint8Array, count: number): Uint16Array =>
  view(bytes, 2, (buffer, offset) => new Uint16Array(buffer, offset, count));

const halfToFloat32 = (halves: Uint16Array): Float32Array<ArrayBuffer> => {
  const result = new Float32Array(halves.length);
  const bits = new Uint32Array(result.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const sign = (half & 0x8000) << 16;
    const magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) bits[i] = sign | 0x7f800000 | ((magnitude & 0x3ff) << 13);
    else if (magnitude >= 0x400) bits[i] = sign | ((magnitude << 13) + 0x38000000);
    else result[i] = sign === 0 ? magnitude * 2 ** -24 : -magnitude * 2 ** -24;
  }
  return result;
};

const brainToFloat32 = (brains: Uint16Array): Float32Array<ArrayBuffer> => {
  const result = new Float32Array(brains.length);
  const bits = new Uint32Array(result.buffer);
  for (let i = 0; i < brains.length; i++) bits[i] = brains[i]! << 16;
  return result;
};

const wideToFloat32 = (pairs: Uint32Array, signed: boolean): Float32Array<ArrayBuffer> => {
  const result = new Float32Array(pairs.length / 2);
  for (let i = 0; i < result.length; i++) {
    let low = pairs[2 * i]!;
    const high = signed ? pairs[2 * i + 1]! | 0 : pairs[2 * i + 1]!;
    // From 2^53 on, double precision would round once and single precision a second time. Bits that neither
    // keeps are folded into one that says "not a tie", so that only the second rounding happens.
    if ((high >= 0x200000 || high < -0x200000) && (low & 0x7ff) !== 0) low = ((low & ~0x7ff) | 0x800) >>> 0;
    result[i] = high * 0x100000000 + low;
  }
  return result;
};

const float32ToHalf = (bits: Uint32Array): Uint16Array<ArrayBuffer> => {
  const halves = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const magnitude = bits[i]! & 0x7fffffff;
    let half: number;
    if (magnitude > 0x7f800000) {
      const payload = (magnitude >>> 13) & 0x3ff;
      half = 0x7c00 | (payload === 0 ? 0x200 : payload);
    } else if (magnitude >= 0x477ff000) {
      // 65520 and above: closer to infinity than to 65504.
      half = 0x7c00;
    } else if (magnitude >= 0x38800000) {
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    } else if (magnitude > 0x33000000) {
      const significand = (magnitude & 0x7fffff) | 0x800000;
      const shift = 126 - (magnitude >>> 23);
      const tie = 1 << (shift - 1);
      const rest = significand & (2 * tie - 1);
      half = significand >>> shift;
      if (rest > tie || (rest === tie && (half & 1) === 1)) half++;
    } else {
      half = 0;
    }
    halves[i] = sign | half;
  }
  return halves;
};

const float32ToBrain = (bits: Uint32Array): Uint16Array<ArrayBuffer> => {
  const brains = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i]!;
    if ((value & 0x7fffffff) > 0x7f800000) {
      const upper = value >>> 16;
      brains[i] = (upper & 0x7f) === 0 ? upper | 0x40 : upper;
    } else {
      brains[i] = (value + 0x7fff + ((value >>> 16) & 1)) >>> 16;
    }
  }
  return brains;
};
