import { describe, expect, it } from 'vitest';
import { constant } from './ops.js';
import type { DType } from './tensor-type.js';
import { isOp } from './value.js';

const dataOf = (data: Parameters<typeof constant>[0], dtype: DType) => {
  const { node } = constant(data, dtype);
  return isOp(node, 'Constant') ? node.attributes.data : undefined;
};

describe('a constant', () => {
  it('has its own element type, whatever kind of array it was given', () => {
    expect(dataOf(new Float64Array([0.5, 2]), 'float32')).toEqual(new Float32Array([0.5, 2]));
    expect(dataOf(new Int32Array([1, 2]), 'int64')).toEqual(new BigInt64Array([1n, 2n]));
    expect(dataOf(new BigInt64Array([3n]), 'int32')).toEqual(new Int32Array([3]));
    expect(dataOf([1, 0], 'bool')).toEqual(new Uint8Array([1, 0]));
  });

  it('keeps an array of its type, and bit patterns of half precision', () => {
    const [floats, halves] = [new Float32Array([1]), new Uint16Array([0x3c00])];
    expect(dataOf(floats, 'float32')).toBe(floats);
    expect(dataOf(halves, 'float16')).toBe(halves);
  });

  it('rounds numbers to half precision, to the even neighbour of two', () => {
    const numbers = [
      0,
      -0,
      1,
      -2,
      0.5,
      1 / 3,
      65504,
      -65504,
      65519,
      65520,
      -Infinity,
      2 ** -14,
      2 ** -24,
      2 ** -25,
    ];
    expect(dataOf(numbers, 'float16')).toEqual(
      new Uint16Array([
        0, 0x8000, 0x3c00, 0xc000, 0x3800, 0x3555, 0x7bff, 0xfbff, 0x7bff, 0x7c00, 0xfc00, 0x0400, 1, 0,
      ]),
    );
    // 1 and 1.5 units of the last place above 1, the second of which lies between two; 2048 less a bit carries.
    expect(dataOf([1 + 2 ** -10, 1 + 1.5 * 2 ** -10, 1 + 0.5 * 2 ** -10, 2047.75], 'float16')).toEqual(
      new Uint16Array([0x3c01, 0x3c02, 0x3c00, 0x6800]),
    );
    expect(dataOf(0.25, 'float16')).toEqual(new Uint16Array([0x3400]));
    expect(dataOf(NaN, 'float16')).toEqual(new Uint16Array([0x7e00]));
  });

  it('refuses a shape of another size', () => {
    expect(() => constant([1, 2, 3], 'float32', [2, 2])).toThrow('A constant [2, 2] was given 3 numbers.');
  });
});
