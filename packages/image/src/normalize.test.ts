import { InputError, ShapeError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { noisePicture, readBytes, readJson, sha256 } from '../test/read-fixture.js';
import { centerCrop } from './geometry.js';
import { toPixelValues, writePixelValues } from './normalize.js';
import { raster } from './raster.js';
import { resize } from './resize.js';

interface Statistics {
  readonly name: string;
  readonly mean: number[];
  readonly std: number[];
  readonly rescale: number;
  readonly chw: string;
  readonly hwc: string;
  readonly chwFirst: number[];
  readonly hwcFirst: number[];
}

interface ClipCase {
  readonly from: [number, number];
  readonly offset: number;
  readonly resized: [number, number];
  readonly mean: number[];
  readonly std: number[];
  readonly sha256: string;
}

const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

describe('toPixelValues', () => {
  it.each(readJson<Statistics[]>('pixel-values.json'))(
    'gives the float32 bits of transformers for every sample: $name',
    ({ mean, std, rescale, ...expected }) => {
      const picture = raster(32, 8, readBytes('every-sample.bin'));
      const planes = toPixelValues(picture, { mean, std, rescale });
      expect([...planes.subarray(0, 3)]).toEqual(expected.chwFirst);
      expect(sha256(planes)).toBe(expected.chw);
      const pixels = toPixelValues(picture, { mean, std, rescale, layout: 'hwc' });
      expect([...pixels.subarray(0, 3)]).toEqual(expected.hwcFirst);
      expect(sha256(pixels)).toBe(expected.hwc);
    },
  );

  it.each(readJson<ClipCase[]>('clip.json'))(
    'ends the path of the CLIP image processor with the same bits: $from',
    ({ from, offset, resized, mean, std, sha256: expected }) => {
      const picture = noisePicture(...from, offset);
      const smaller = resize(picture, { width: resized[0], height: resized[1], filter: 'bicubic' });
      const values = toPixelValues(centerCrop(smaller, { width: 28, height: 28 }), { mean, std });
      expect(sha256(values)).toBe(expected);
    },
  );

  it('refuses statistics that cannot be used', () => {
    const picture = raster(1, 1);
    expect(() => toPixelValues(picture, { mean: [0.5], std: [0.5] })).toThrow(InputError);
    expect(() => toPixelValues(picture, { ...half, std: [1, 0, 1] })).toThrow(/non-zero stds/);
    expect(() => toPixelValues(picture, { ...half, rescale: Number.NaN })).toThrow(/rescale NaN/);
    expect(() => toPixelValues(picture, { ...half, layout: 'nchw' as 'chw' })).toThrow(/chw or hwc/);
  });
});

describe('writePixelValues', () => {
  it('fills a batch picture after picture and touches nothing else', () => {
    const pictures = [noisePicture(5, 4, 1), noisePicture(5, 4, 2)];
    const batch = new Float32Array(1 + 2 * 60 + 1).fill(99);
    let at = 1;
    for (const picture of pictures) at = writePixelValues(picture, half, batch, at);
    expect(at).toBe(121);
    expect(batch.slice(1, 61)).toEqual(toPixelValues(pictures[0]!, half));
    expect(batch.slice(61, 121)).toEqual(toPixelValues(pictures[1]!, half));
    expect([batch[0], batch[121]]).toEqual([99, 99]);
  });

  it('refuses a target without room', () => {
    const target = new Float32Array(12);
    expect(() => writePixelValues(raster(2, 2), half, target, 1)).toThrow(ShapeError);
    expect(() => writePixelValues(raster(2, 2), half, target, -1)).toThrow(
      /from index -1, the target has 12/,
    );
  });
});
