import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UnsupportedError, WeightError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import {
  bytesPerElement,
  fromFloat32,
  isSafetensorsDtype,
  type SafetensorsDtype,
  toFloat32,
} from './dtypes.js';
import { openSafetensors } from './safetensors.js';

const fixture = (name: string): string => fileURLToPath(new URL(`./__fixtures__/${name}`, import.meta.url));
const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as {
  everyDtype: Record<string, string>;
  halfTableSha256: string;
};
const allHalves = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** The value of a half by its definition, independent of the conversion under test. */
const halfByDefinition = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
};

describe('F16', () => {
  it('gives every one of the 65536 patterns the value that IEEE 754 defines', () => {
    const values = toFloat32(new Uint8Array(allHalves.buffer), 'F16');
    const wrong = [...allHalves].filter((bits) => !Object.is(values[bits], halfByDefinition(bits)));
    expect(wrong).toEqual([]);
  });

  it('agrees with numpy on all 65536 patterns', () => {
    const values = toFloat32(new Uint8Array(allHalves.buffer), 'F16').map((x) => (Number.isNaN(x) ? 0 : x));
    expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex')).toBe(
      expected.halfTableSha256,
    );
  });

  it('survives the way to single precision and back bit for bit, NaN payloads included', () => {
    const back = new Uint16Array(
      fromFloat32(toFloat32(new Uint8Array(allHalves.buffer), 'F16'), 'F16').buffer,
    );
    expect([...allHalves].filter((bits) => back[bits] !== bits)).toEqual([]);
  });

  it.each([
    [65504, 0x7bff],
    [65519.99609375, 0x7bff],
    [65520, 0x7c00],
    [-1e30, 0xfc00],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [-(2 ** -25), 0x8000],
    [2 ** -25 * (1 + 2 ** -23), 0x0001],
    [1.5 * 2 ** -24, 0x0002],
    [2.5 * 2 ** -24, 0x0002],
    [2 ** -14 - 2 ** -26, 0x0400],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [-0, 0x8000],
  ])('rounds %d to the pattern %i, ties to even', (value, bits) => {
    expect(new Uint16Array(fromFloat32(Float32Array.of(value), 'F16').buffer)[0]).toBe(bits);
  });
});

describe('BF16', () => {
  it('survives the way to single precision and back bit for bit', () => {
    const back = new Uint16Array(
      fromFloat32(toFloat32(new Uint8Array(allHalves.buffer), 'BF16'), 'BF16').buffer,
    );
    expect([...allHalves].filter((bits) => back[bits] !== bits)).toEqual([]);
  });

  it.each([
    [1 + 2 ** -8, 0x3f80],
    [1 + 3 * 2 ** -8, 0x3f82],
    [3.4028234663852886e38, 0x7f80],
    [-0, 0x8000],
    [2 ** -149, 0x0000],
    [2 ** -133, 0x0001],
  ])('rounds %d to the pattern %i, ties to even', (value, bits) => {
    expect(new Uint16Array(fromFloat32(Float32Array.of(value), 'BF16').buffer)[0]).toBe(bits);
  });
});

describe('NaN', () => {
  it.each(['F16', 'BF16', 'F32'] as const)(
    'stays NaN in %s, even if only the lowest bit says so',
    (dtype) => {
      const values = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001, 0x7fc00000, 0x7fffffff).buffer);
      const back = toFloat32(fromFloat32(values, dtype), dtype);
      expect([...back].map(Number.isNaN)).toEqual([true, true, true, true]);
      expect(new Uint32Array(back.buffer)[1]! >>> 31).toBe(1);
    },
  );
});

describe('values of the reference', () => {
  it('rounds to F16 and BF16 as torch does', async () => {
    const file = await openSafetensors(fixture('rounding.safetensors'));
    const single = await file.readFloat32('single');
    expect(single.length).toBeGreaterThan(3000);
    expect(Buffer.compare(fromFloat32(single, 'F16'), await file.read('half'))).toBe(0);
    expect(Buffer.compare(fromFloat32(single, 'BF16'), await file.read('brain'))).toBe(0);
    expect(Buffer.compare(fromFloat32(single, 'F32'), await file.read('single'))).toBe(0);
    await file.close();
  });

  it('converts every dtype as torch does, also where double precision would round twice', async () => {
    const file = await openSafetensors(fixture('every-dtype.safetensors'));
    const found: Record<string, string> = {};
    for (const name of file.tensors.keys()) {
      found[name] = Buffer.from((await file.readFloat32(name)).buffer).toString('base64');
    }
    expect(found).toEqual(expected.everyDtype);
    await file.close();
  });

  it('rounds U64 above the range of I64 once', () => {
    const values = BigUint64Array.of(2n ** 64n - 1n, 2n ** 63n + 2n ** 39n + 1n, 2n ** 63n + 2n ** 39n);
    expect([...toFloat32(new Uint8Array(values.buffer), 'U64')]).toEqual([
      2 ** 64,
      2 ** 63 + 2 ** 40,
      2 ** 63,
    ]);
  });
});

describe('bytes', () => {
  const dtypes = 'F64 F32 F16 BF16 I64 I32 I16 I8 U8 U16 U32 U64 BOOL'.split(' ') as SafetensorsDtype[];

  it.each(dtypes)('may start at any offset of their buffer: %s', (dtype) => {
    const bytes = Uint8Array.from({ length: 48 }, (_, i) => (i * 37 + 11) & 63);
    const straight = toFloat32(bytes, dtype);
    expect(straight.length).toBe(48 / bytesPerElement(dtype));
    for (const offset of [1, 2, 3, 5, 7, 8]) {
      const shifted = new Uint8Array(64).subarray(offset, offset + 48);
      shifted.set(bytes);
      expect([...toFloat32(shifted, dtype)]).toEqual([...straight]);
    }
  });

  it('are copied, so that later writes do not change the numbers', () => {
    const bytes = fromFloat32(Float32Array.of(1), 'F32');
    const values = toFloat32(bytes, 'F32');
    bytes.fill(0);
    expect([...values]).toEqual([1]);
  });

  it('reads only the part of a buffer that a view of numbers covers', () => {
    const values = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    expect([...toFloat32(fromFloat32(values, 'BF16'), 'BF16')]).toEqual([1, 2]);
    expect(fromFloat32(values, 'F32').byteLength).toBe(8);
  });

  it('must be a whole number of elements', () => {
    expect(() => toFloat32(new Uint8Array(7), 'F32')).toThrow(WeightError);
  });

  it('of 8-bit floating point types are refused by name', () => {
    expect(() => toFloat32(new Uint8Array(1), 'F8_E4M3')).toThrow(UnsupportedError);
    expect(() => toFloat32(new Uint8Array(1), 'F8_E5M2')).toThrow(/F8_E5M2/);
  });

  it('of no element give no number', () => {
    expect(dtypes.map((dtype) => toFloat32(new Uint8Array(0), dtype).length)).toEqual(dtypes.map(() => 0));
  });
});

it('knows the dtypes by their own names only', () => {
  expect(['F32', 'BOOL', 'f32', 'constructor', '__proto__', 3].map(isSafetensorsDtype)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
