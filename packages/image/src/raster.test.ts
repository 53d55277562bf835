import { InputError, ShapeError } from '@weft/errors';
import { expect, it } from 'vitest';
import { raster } from './raster.js';

it('wraps samples without a copy', () => {
  const data = new Uint8Array(6);
  expect(raster(2, 1, data)).toEqual({ width: 2, height: 1, channels: 3, data });
  expect(raster(2, 1, data).data).toBe(data);
});

it('is black when no samples are given', () => {
  expect([...raster(1, 2).data]).toEqual([0, 0, 0, 0, 0, 0]);
});

it('refuses empty pictures, pictures above 2 GiB and samples of another number', () => {
  expect(() => raster(0, 1)).toThrow(InputError);
  expect(() => raster(50_000, 50_000)).toThrow(/larger than 2 GiB/);
  expect(() => raster(2, 1, new Uint8Array(8))).toThrow(ShapeError);
});
