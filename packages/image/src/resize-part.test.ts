import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { noisePicture } from '../test/read-fixture.js';
import { centerBox, centerCrop, crop, pad, padToSquare, squareBorder } from './geometry.js';
import { raster, type Raster } from './raster.js';
import { resize } from './resize.js';
import type { ResizeFilter } from './windows.js';

const filters: readonly ResizeFilter[] = ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'];

/** Whole numbers below another, always the same ones. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const isSame = (a: Raster, b: Raster): boolean =>
  a.width === b.width && a.height === b.height && Buffer.compare(a.data, b.data) === 0;

describe('a part of a resized picture', () => {
  it.each(filters)('is the crop of the whole, with the filter %s', (filter) => {
    const draw = numbers(7);
    for (let i = 0; i < 80; i++) {
      const side = (): number => 1 + (draw(6) === 0 ? draw(400) : draw(60));
      // Some are strips, which Pillow resizes the other way round.
      const picture =
        i % 5 === 0 ? noisePicture(1 + draw(3), 350 + draw(300), i) : noisePicture(side(), side(), i);
      const size = { width: side(), height: side() };
      const box = {
        left: draw(size.width + 20) - 10,
        top: draw(size.height + 20) - 10,
        width: 1 + draw(70),
        height: 1 + draw(70),
      };
      const whole = resize(picture, { ...size, filter });
      const name = JSON.stringify({ from: [picture.width, picture.height], size, box });
      expect(isSame(resize(picture, { ...size, filter, box }), crop(whole, box)), name).toBe(true);
    }
  });

  it.each(filters)('sees borders that are never made, with the filter %s', (filter) => {
    const draw = numbers(11);
    for (let i = 0; i < 60; i++) {
      const picture = noisePicture(1 + draw(40), 1 + draw(40), i);
      const border = {
        left: draw(3) * draw(40),
        top: draw(3) * draw(40),
        right: draw(30),
        bottom: draw(2) * draw(200),
        fill: [draw(256), draw(256), draw(256)] as const,
      };
      const padded = pad(picture, border);
      const size =
        i % 10 === 0
          ? { width: padded.width, height: padded.height }
          : { width: i % 7 === 0 ? padded.width : 1 + draw(80), height: 1 + draw(80) };
      const name = JSON.stringify({ from: [picture.width, picture.height], border, size });
      const whole = resize(padded, { ...size, filter });
      expect(isSame(resize(picture, { ...size, filter, border }), whole), name).toBe(true);
      const box = { left: draw(40) - 5, top: draw(40) - 5, width: 1 + draw(50), height: 1 + draw(50) };
      const part = resize(picture, { ...size, filter, border, box, fill: [0, 0, 0] });
      expect(isSame(part, crop(whole, box)), name).toBe(true);
    }
  });

  it('is filled with a colour where the box reaches beyond the result', () => {
    const picture = noisePicture(5, 4, 3);
    const whole = resize(picture, { width: 9, height: 7, filter: 'bicubic' });
    const padded = pad(whole, { left: 2, top: 0, right: 3, bottom: 4, fill: [1, 2, 3] });
    const box = { left: -2, top: 0, width: 14, height: 11 };
    expect(resize(picture, { width: 9, height: 7, filter: 'bicubic', box, fill: [1, 2, 3] })).toEqual(padded);
    const outside = { left: 20, top: 0, width: 2, height: 1 };
    const far = resize(picture, { width: 9, height: 7, filter: 'bicubic', box: outside, fill: [1, 2, 3] });
    expect([...far.data]).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('is found without the whole, which no memory would hold', () => {
    const tall = raster(1, 100_000, noisePicture(1, 100_000, 5).data);
    const size = { width: 336, height: 33_600_000 };
    const box = centerBox(size, { width: 336, height: 336 });
    const middle = resize(tall, { ...size, filter: 'bicubic', box });
    // All that is seen of it is in these rows.
    const near = crop(tall, { left: 0, top: 49_990, width: 1, height: 20 });
    const part = resize(near, { width: 336, height: 6720, filter: 'bicubic' });
    expect(isSame(middle, centerCrop(part, { width: 336, height: 336 }))).toBe(true);
    expect(() => resize(tall, { ...size, filter: 'bicubic' })).toThrow(/larger than 2 GiB/);
    const border = squareBorder(tall, [10, 20, 30]);
    const square = resize(tall, { width: 8, height: 8, filter: 'bicubic', border });
    expect([...square.data.subarray(0, 3)]).toEqual([10, 20, 30]);
    expect(() => padToSquare(tall, [10, 20, 30])).toThrow(/larger than 2 GiB/);
  });

  it.each([
    [{ box: { left: 0.5, top: 0, width: 1, height: 1 } }, /left in whole pixels/],
    [{ box: { left: 0, top: 0, width: 0, height: 1 } }, /whole numbers of at least 1/],
    [{ border: { left: -1, top: 0, right: 0, bottom: 0, fill: [0, 0, 0] as const } }, /at least 0/],
    [{ border: { left: 0, top: 0, right: 0, bottom: 0, fill: [0, 256, 0] as const } }, /0 to 255/],
    [{ fill: [0, 0.5, 0] as const }, /0 to 255/],
  ])('is refused if it is not in whole pixels or the colour is none: %j', (options, message) => {
    const run = () => resize(raster(2, 2), { width: 3, height: 3, filter: 'box', ...options });
    expect(run).toThrow(InputError);
    expect(run).toThrow(message);
  });
});
