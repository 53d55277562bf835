import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { noisePicture, readJson, sha256 } from '../test/read-fixture.js';
import { centerCrop, crop, pad, padToSquare } from './geometry.js';
import { raster } from './raster.js';

interface Case {
  readonly from: [number, number];
  readonly to: [number, number];
  readonly offset: number;
  readonly center: string;
  readonly corner: [number, number];
  readonly crop: string;
}

const cases = readJson<Case[]>('crop.json');
const dot = (value: number) => raster(1, 1, Uint8Array.of(value, value + 1, value + 2));

describe('centerCrop', () => {
  it('gives the bytes of center_crop of transformers, smaller, larger and mixed', () => {
    expect(cases.length).toBeGreaterThan(80);
    for (const { from, to, offset, center } of cases) {
      const result = centerCrop(noisePicture(...from, offset), { width: to[0], height: to[1] });
      expect(sha256(result.data), `${from.join('x')} to ${to.join('x')}`).toBe(center);
    }
  });

  it('puts the larger border at the left and the top of a picture that is too small', () => {
    const result = centerCrop(dot(7), { width: 2, height: 2 });
    expect([...result.data]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8, 9]);
  });

  it('refuses sizes that are not whole pixels', () => {
    expect(() => centerCrop(dot(7), { width: 0, height: 2 })).toThrow(InputError);
    expect(() => centerCrop(dot(7), { width: 1.5, height: 2 })).toThrow(/found 1.5x2/);
  });
});

describe('crop', () => {
  it('gives the bytes of crop of Pillow, also partly and wholly outside', () => {
    for (const { from, to, offset, corner, crop: expected } of cases) {
      const box = { left: corner[0], top: corner[1], width: to[0], height: to[1] };
      const result = crop(noisePicture(...from, offset), box);
      expect(sha256(result.data), `${from.join('x')} at ${JSON.stringify(box)}`).toBe(expected);
    }
  });

  it('is black where it lies outside the picture', () => {
    const result = crop(noisePicture(5, 5, 0), { left: 90, top: -90, width: 3, height: 2 });
    expect([...result.data]).toEqual(Array.from({ length: 18 }, () => 0));
  });

  it('refuses a corner between pixels', () => {
    expect(() => crop(dot(1), { left: 0.5, top: 0, width: 1, height: 1 })).toThrow(
      /left in whole pixels, found 0.5/,
    );
  });
});

describe('pad', () => {
  it('adds the given number of pixels at each side', () => {
    const result = pad(dot(7), { left: 1, top: 0, right: 2, bottom: 1, fill: [1, 2, 3] });
    expect([result.width, result.height]).toEqual([4, 2]);
    expect([...result.data]).toEqual([
      1, 2, 3, 7, 8, 9, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3,
    ]);
  });

  it('is undone by crop', () => {
    const picture = noisePicture(9, 6, 100);
    const padded = pad(picture, { left: 3, top: 4, right: 5, bottom: 6, fill: [0, 0, 0] });
    expect(crop(padded, { left: 3, top: 4, width: 9, height: 6 })).toEqual(picture);
  });

  it('refuses negative borders and colours that are not bytes', () => {
    const sides = { left: 0, top: 0, right: 0, bottom: 0 };
    expect(() => pad(dot(1), { ...sides, top: -1, fill: [0, 0, 0] })).toThrow(/at least 0, found -1/);
    expect(() => pad(dot(1), { ...sides, fill: [0.48, 0.45, 0.4] })).toThrow(/whole numbers from 0 to 255/);
  });
});

describe('padToSquare', () => {
  it('puts the smaller border above a wide picture, and at the left of a tall one', () => {
    const wide = padToSquare(raster(2, 1, Uint8Array.of(1, 2, 3, 4, 5, 6)), [9, 9, 9]);
    expect([...wide.data]).toEqual([1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9]);
    const tall = padToSquare(raster(1, 2, Uint8Array.of(1, 2, 3, 4, 5, 6)), [9, 8, 7]);
    expect([...tall.data]).toEqual([1, 2, 3, 9, 8, 7, 4, 5, 6, 9, 8, 7]);
  });

  it('leaves a square as it is', () => {
    const picture = noisePicture(6, 6, 3);
    expect(padToSquare(picture, [1, 2, 3])).toEqual(picture);
  });
});
