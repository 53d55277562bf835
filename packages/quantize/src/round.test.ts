import { dequantize } from '@weft/onnx';
import { randomNumbers } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { roundRows } from './round.js';
import { storedBytes } from './job.js';
import { schemes, type Scheme } from './scheme.js';

/** Numbers as weights are: around 0, some of them far out. */
function weights(count: number, seed: number, shift = 0, far = 0.02): Float32Array {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return (normal * (random() < far ? 8 : 1) + shift) * 0.03;
  });
}

const all: Scheme[] = ([4, 8] as const).flatMap((bits) =>
  [16, 32, 64, 128, 256].flatMap((blockSize) =>
    [true, false].flatMap((zeroPoints) =>
      (['nearest', 'search'] as const).map(
        (rounding) => ({ bits, blockSize, zeroPoints, rounding }) as Scheme,
      ),
    ),
  ),
);
const named = all.map((scheme) => ({ name: Object.values(scheme).join(' '), scheme }));

/** The code that lies at a place of a row. */
const codeAt = (data: Uint8Array, bits: number, at: number): number =>
  bits === 8 ? data[at]! : at % 2 === 0 ? data[at >> 1]! & 15 : data[at >> 1]! >> 4;

describe('roundRows', () => {
  it.each(named)('gives numbers that mean what it says they do: $name', ({ scheme }) => {
    const [rows, columns] = [5, 293];
    const values = weights(rows * columns, 3, scheme.zeroPoints ? 0.4 : 0);
    const rounded = roundRows(values, [rows, columns], scheme);
    const meant = dequantize(rounded);
    let [error, norm] = [0, 0];
    for (const [i, value] of values.entries()) {
      error += (value - meant[i]!) ** 2;
      norm += value ** 2;
    }
    expect(rounded.squaredNorm).toBeCloseTo(norm, 8);
    expect(rounded.squaredError / error).toBeCloseTo(1, 4);
    const bytes = rounded.data.byteLength + rounded.scales.byteLength + (rounded.zeroPoints?.byteLength ?? 0);
    const source = { file: '', offset: 0, dtype: 'F32' } as const;
    expect(bytes).toBe(storedBytes({ name: 'w', source, shape: [rows, columns], scheme }));
  });

  it.each(named)('takes for every number the code that means the nearest: $name', ({ scheme }) => {
    const [rows, columns] = [3, 96];
    const values = weights(rows * columns, 11);
    const { data, scales, zeroPoints } = roundRows(values, [rows, columns], {
      ...scheme,
      rounding: 'nearest',
    });
    const blocks = Math.ceil(columns / scheme.blockSize);
    const highest = 2 ** scheme.bits - 1;
    const perRow = (blocks * scheme.blockSize * scheme.bits) / 8;
    for (const [i, value] of values.entries()) {
      const [row, column] = [Math.floor(i / columns), i % columns];
      const block = Math.floor(column / scheme.blockSize);
      const scale = scales[row * blocks + block]!;
      const perRowZeros = Math.ceil((blocks * scheme.bits) / 8);
      const zero = zeroPoints
        ? codeAt(zeroPoints.subarray(row * perRowZeros), scheme.bits, block)
        : 2 ** (scheme.bits - 1);
      const error = (code: number): number => Math.abs(value - (code - zero) * scale);
      const code = codeAt(data.subarray(row * perRow), scheme.bits, column);
      const nearest = Math.min(...Array.from({ length: highest + 1 }, (_, k) => error(k)));
      expect(error(code)).toBeLessThanOrEqual(nearest + Math.abs(scale) * 1e-4);
    }
  });

  it.each(named.filter(({ scheme }) => scheme.rounding === 'search'))(
    'loses no more by searching than by the range: $name',
    ({ scheme }) => {
      const values = weights(64 * 512, 5, 0.3);
      const error = (rounding: Scheme['rounding']) =>
        roundRows(values, [64, 512], { ...scheme, rounding }).squaredError;
      expect(error('search')).toBeLessThan(error('nearest'));
    },
  );

  it('gains what the least squares promise for 4 bits', () => {
    const values = weights(256 * 512, 9, 0, 0);
    const error = (scheme: Scheme) => {
      const { squaredError, squaredNorm } = roundRows(values, [256, 512], scheme);
      return Math.sqrt(squaredError / squaredNorm);
    };
    const nearest = error({ ...schemes.q4, rounding: 'nearest' });
    expect(error(schemes.q4) / nearest).toBeLessThan(0.95);
    expect(error(schemes.q8)).toBeLessThan(0.006);
    expect(error(schemes['q4-zero-points'])).toBeLessThan(error({ ...schemes.q4, rounding: 'nearest' }));
  });

  it.each(named)('keeps zeros and rows of one number: $name', ({ scheme }) => {
    const columns = 40;
    const values = new Float32Array(3 * columns);
    values.fill(0.7, columns, 2 * columns);
    values.fill(-0.7, 2 * columns);
    const meant = dequantize(roundRows(values, [3, columns], scheme));
    expect(meant.subarray(0, columns).every((value) => value === 0)).toBe(true);
    for (const [i, value] of meant.subarray(columns).entries())
      expect(value).toBeCloseTo(i < columns ? 0.7 : -0.7, 5);
  });

  it('reads a matrix of one column and an empty one', () => {
    const { data, scales } = roundRows(Float32Array.of(2, -1), [2, 1], schemes.q8);
    expect([data.length, scales.length]).toEqual([64, 2]);
    expect([...dequantize(roundRows(Float32Array.of(2, -1), [2, 1], schemes.q8))]).toEqual([
      expect.closeTo(2, 5),
      expect.closeTo(-1, 5),
    ]);
    expect(roundRows(new Float32Array(), [0, 7], schemes.q4).data.length).toBe(0);
  });
});
