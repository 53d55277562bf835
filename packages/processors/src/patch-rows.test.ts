import { ConfigError } from '@weft/errors';
import type { Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { contextOf } from '../test/context.js';
import { patchRows, readPatchRows } from './patch-rows.js';

const vision = contextOf({ patchSize: 16 }, ([rows, columns]) => rows * columns, { placeholder: '[IMG]' });
const plain = {
  filter: 'bicubic',
  mean: [0, 0, 0],
  std: [1, 1, 1],
  rescale: 1,
  most: { height: 1024, width: 1024 },
  rowBreak: '[IMG_BREAK]',
  imageEnd: '[IMG_END]',
} as const;
const picture = (width: number, height: number, value = 7): Picture => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(width * height * 3).fill(value),
});

describe('patchRows', () => {
  const processor = patchRows(plain)(vision);

  // Of transformers 5.18: height, width, then rows and columns of patches, image tokens, all tokens.
  it.each([
    [480, 640, 30, 40, 1200, 1230],
    [720, 1280, 36, 64, 2304, 2340],
    [1080, 1920, 36, 64, 2304, 2340],
    [1024, 1024, 64, 64, 4096, 4160],
    [2000, 333, 64, 11, 704, 768],
  ])('makes rows of %i x %i pixels', (height, width, rows, columns, images, all) => {
    const placement = processor.place({ width, height });
    expect(placement.tokens).toBe(images);
    expect(placement.layout).toEqual({ kind: 'image', frames: 1, rows, columns });
    expect(placement.prompt.split('[').length - 1).toBe(all);
  });

  it('ends rows with a break, and the last one with an end', () => {
    expect(processor.place({ width: 20, height: 40 }).prompt).toBe(
      '[IMG][IMG][IMG_BREAK][IMG][IMG][IMG_BREAK][IMG][IMG][IMG_END]',
    );
    expect(processor.place({ width: 1, height: 1 }).prompt).toBe('[IMG][IMG_END]');
  });

  it('pads pictures of different sizes at the right and below', () => {
    const { inputs } = processor.process([picture(16, 32), picture(40, 10)]);
    expect(inputs['pixel_values']!.shape).toEqual([2, 3, 32, 48]);
    expect([...inputs['image_sizes']!.data]).toEqual([32n, 16n, 16n, 48n]);
    const { data } = inputs['pixel_values']!;
    const at = (image: number, channel: number, y: number, x: number) =>
      data[((image * 3 + channel) * 32 + y) * 48 + x];
    expect([at(0, 2, 31, 15), at(0, 2, 31, 16), at(1, 1, 15, 47), at(1, 1, 16, 0)]).toEqual([7, 0, 7, 0]);
  });

  it('refuses pictures that would vanish, and those that are not whole patches where none is resized', () => {
    expect(() => processor.process([picture(4, 4), picture(1, 1025)])).toThrow(
      /Picture 1 is 1 x 1025 pixels: shrunk to 1024 x 1024 its shorter side would vanish/,
    );
    expect(() => processor.place({ width: 0, height: 9 }, 4)).toThrow(/Picture 4 has no pixels/);
    const still = patchRows({ ...plain, most: null })(vision);
    expect(() => still.place({ width: 32, height: 33 }, 1)).toThrow(
      /Picture 1 is 32 x 33 pixels, which patches of 16 x 16 do not fill/,
    );
    expect(still.place({ width: 32, height: 48 }).tokens).toBe(6);
  });
});

describe('readPatchRows', () => {
  it("reads the longest edge, or height and width, and takes the model's where the file says nothing", () => {
    expect(readPatchRows({ size: { longest_edge: 512 } }).most).toEqual({ height: 512, width: 512 });
    expect(readPatchRows({ size: { height: 300, width: 400 } }).most).toEqual({ height: 300, width: 400 });
    expect(readPatchRows({}, { longestEdge: 1540 }).most).toEqual({ height: 1540, width: 1540 });
    expect(readPatchRows({ do_resize: false }).most).toBeNull();
    expect(() => readPatchRows({ size: { shortest_edge: 3 } })).toThrow(ConfigError);
  });
});
