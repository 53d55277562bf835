import { InputError, ShapeError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { noisePicture, readJson, sha256 } from '../test/read-fixture.js';
import { raster } from './raster.js';
import { resize } from './resize.js';
import type { ResizeFilter } from './windows.js';

interface Case {
  readonly from: [number, number];
  readonly to: [number, number];
  readonly offset: number;
  readonly sha256: Readonly<Record<ResizeFilter, string>>;
  readonly samples: Readonly<Partial<Record<ResizeFilter, string>>>;
}

const cases = readJson<Case[]>('resize.json');
const filters: readonly ResizeFilter[] = ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'];

describe('resize', () => {
  it('has reference results for at least 80 sizes', () => {
    expect(cases.length).toBeGreaterThanOrEqual(80);
  });

  it.each(filters)('gives the bytes of Pillow with the filter %s for every size', (filter) => {
    for (const { from, to, offset, sha256: expected, samples } of cases) {
      const result = resize(noisePicture(...from, offset), { width: to[0], height: to[1], filter });
      const name = `${from.join('x')} to ${to.join('x')}`;
      expect([result.width, result.height], name).toEqual(to);
      const full = samples[filter];
      if (full) expect([...result.data], name).toEqual([...Buffer.from(full, 'base64')]);
      expect(sha256(result.data), name).toBe(expected[filter]);
    }
  });

  it('gives a copy when the size does not change', () => {
    const picture = noisePicture(4, 3, 0);
    const result = resize(picture, { width: 4, height: 3, filter: 'lanczos' });
    expect(result.data).toEqual(picture.data);
    result.data[0] = 255 - picture.data[0]!;
    expect(result.data[0]).not.toBe(picture.data[0]);
  });

  it('does not change its input', () => {
    const picture = noisePicture(40, 30, 7);
    resize(picture, { width: 13, height: 17, filter: 'bicubic' });
    expect(picture.data).toEqual(noisePicture(40, 30, 7).data);
  });

  it('keeps a flat picture flat with every filter', () => {
    const picture = raster(9, 7, new Uint8Array(9 * 7 * 3).fill(201));
    for (const filter of filters)
      expect(new Set(resize(picture, { width: 25, height: 4, filter }).data), filter).toEqual(new Set([201]));
  });

  it.each([
    [0, 4],
    [4, -1],
    [2.5, 4],
    [Number.NaN, 4],
    [100_000, 100_000],
  ])('refuses a target of %d by %d pixels', (width, height) => {
    expect(() => resize(raster(2, 2), { width, height, filter: 'box' })).toThrow(InputError);
  });

  it('refuses a filter that it does not know, and names those it knows', () => {
    for (const filter of ['cubic', 'toString'])
      expect(() => resize(raster(2, 2), { width: 1, height: 1, filter: filter as ResizeFilter })).toThrow(
        new RegExp(`no filter "${filter}"[^]*nearest, box, bilinear, hamming, bicubic, lanczos`),
      );
  });

  it('refuses a picture whose samples do not fill it', () => {
    const picture = { width: 3, height: 2, channels: 3 as const, data: new Uint8Array(17) };
    expect(() => resize(picture, { width: 1, height: 1, filter: 'box' })).toThrow(ShapeError);
    expect(() => resize(picture, { width: 1, height: 1, filter: 'box' })).toThrow(
      /needs 18 samples.*found 17/,
    );
  });
});
