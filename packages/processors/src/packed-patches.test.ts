import { ConfigError, InputError } from '@weft/errors';
import type { Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { contextOf } from '../test/context.js';
import { packedPatches } from './packed-patches.js';
import { packedVideo } from './packed-video.js';
import { imageLimits, readPackedPatches, videoLimits, type PackedPatchesConfig } from './packing.js';
import { smartResize } from './smart-resize.js';

const published = { minPixels: 3136, maxPixels: 12_845_056 };
const sides = { patchSize: 14, temporalPatchSize: 2, mergeSize: 2 };
const vision = contextOf(sides, ([rows, columns]) => (rows * columns) / 4, { placeholder: '<|image_pad|>' });
const plain: PackedPatchesConfig = {
  filter: 'bicubic',
  mean: [0, 0, 0],
  std: [1, 1, 1],
  rescale: 1,
  resize: true,
  maxVideoTokens: null,
  stated: {},
  ...published,
};
const picture = (
  width: number,
  height: number,
  paint: (x: number, y: number) => readonly number[] = () => [0, 0, 0],
): Picture => {
  const colours = Array.from({ length: width * height }, (_, i) => paint(i % width, Math.floor(i / width)));
  return { width, height, channels: 3, data: Uint8Array.from(colours.flat()) };
};

describe('smartResize', () => {
  // Of transformers 5.18, smart_resize with the limits of the published files: height, width, then the result.
  it.each([
    [480, 640, 476, 644],
    [720, 1280, 728, 1288],
    [1080, 1920, 1092, 1932],
    [30, 30, 56, 56],
    [70, 70, 56, 56],
    [42, 98, 56, 112],
  ])('makes whole blocks of %i x %i', (height, width, rows, columns) => {
    expect(smartResize({ width, height }, 28, published)).toEqual({ width: columns, height: rows });
  });

  it('shrinks what has too many pixels, and rounds halves to even', () => {
    expect(smartResize({ width: 1920, height: 1080 }, 28, imageLimits)).toEqual({ width: 1316, height: 728 });
    expect(smartResize({ width: 14 * 5, height: 14 * 7 }, 28, published)).toEqual({ width: 56, height: 112 });
  });

  it('refuses a picture that is too elongated, or has no pixels, by its name', () => {
    expect(() => smartResize({ width: 2010, height: 10 }, 28, published, 'Picture 3')).toThrow(InputError);
    expect(() => smartResize({ width: 2010, height: 10 }, 28, published, 'Picture 3')).toThrow(
      /Picture 3 is 2010 x 10 pixels: one side is more than 200 times the other/,
    );
    expect(smartResize({ width: 2000, height: 10 }, 28, published).height).toBe(28);
    expect(() => smartResize({ width: 0, height: 4 }, 28, published)).toThrow(/has no pixels/);
  });
});

describe('packedPatches', () => {
  const processor = packedPatches(plain)(vision);

  it.each([
    [480, 640, '34 x 46', 391],
    [720, 1280, '52 x 92', 1196],
    [1080, 1920, '78 x 138', 2691],
    [30, 30, '4 x 4', 4],
  ])('counts the tokens of %i x %i pixels', (height, width, grid, tokens) => {
    const placement = processor.place({ width, height });
    expect(placement).toMatchObject({
      tokens,
      formula: `${grid} patches / 4`,
      prompt: '<|image_pad|>'.repeat(tokens),
    });
  });

  it('lists patches block by block, and a still picture twice in time', () => {
    // What the reference's processor makes of single pixels: red at (0, 0) and (0, 14), green at (14, 0).
    const lit = picture(56, 56, (x, y) =>
      y === 0 && (x === 0 || x === 14) ? [255, 0, 0] : x === 0 && y === 14 ? [0, 255, 0] : [0, 0, 0],
    );
    const { inputs } = processor.process([lit]);
    const { shape, data } = inputs['pixel_values']!;
    expect(shape).toEqual([16, 1176]);
    const found = [...data.entries()].flatMap(([i, value]) =>
      value === 0 ? [] : [[Math.floor(i / 1176), i % 1176]],
    );
    expect(found).toEqual([
      [0, 0],
      [0, 196],
      [1, 0],
      [1, 196],
      [2, 392],
      [2, 588],
    ]);
  });

  it('packs pictures of different sizes one after another', () => {
    const { inputs, images } = processor.process([picture(60, 80), picture(112, 56)]);
    expect([...inputs['image_grid_thw']!.data]).toEqual([1n, 6n, 4n, 1n, 4n, 8n]);
    expect(inputs['pixel_values']!.shape).toEqual([24 + 32, 1176]);
    expect(images.map(({ tokens }) => tokens)).toEqual([6, 8]);
  });

  it('names the picture that it cannot use', () => {
    expect(() => processor.process([picture(30, 30), picture(1, 201)])).toThrow(
      /Picture 1 is 1 x 201 pixels/,
    );
    const still = packedPatches({ ...plain, resize: false })(vision);
    expect(() => still.place({ width: 56, height: 57 }, 2)).toThrow(
      /Picture 2 is 56 x 57 pixels, which blocks of 28 x 28 do not fill/,
    );
    expect(still.place({ width: 56, height: 84 }).tokens).toBe(6);
  });
});

describe('packedVideo', () => {
  const film = (count: number, width = 56, height = 56) =>
    Array.from({ length: count }, (_, i) => picture(width, height, () => [i, 0, 0]));
  const processor = packedVideo(plain)(vision);

  it('puts two frames into a patch, and repeats the last of an odd number', () => {
    const { inputs, images } = processor.process([{ frames: film(3), fps: 4 }]);
    expect([...inputs['video_grid_thw']!.data]).toEqual([2n, 4n, 4n]);
    expect([...inputs['second_per_grid_ts']!.data]).toEqual([0.5]);
    const { data } = inputs['pixel_values_videos']!;
    expect([0, 196, 16 * 1176, 16 * 1176 + 196].map((at) => data[at])).toEqual([0, 1, 2, 2]);
    expect(images[0]).toMatchObject({
      tokens: 8,
      formula: '2 x 4 x 4 patches / 4',
      layout: { kind: 'video', frames: 2, interval: 0.5 },
    });
  });

  it('shares the pixels of a long video out among its frames, where a limit is set', () => {
    const placeBy = (maxVideoTokens: number) => {
      const limited = packedVideo({ ...plain, minPixels: 28 * 28, maxVideoTokens })(vision);
      return (frames: number) => limited.place({ width: 280, height: 280, frames, fps: 2 }).layout!.rows;
    };
    expect([2, 4, 8, 100].map(placeBy(9))).toEqual([4, 4, 2, 2]);
    // A tenth of the pixels of so many tokens is kept back.
    expect(placeBy(8)(4)).toBe(2);
  });

  it('refuses videos without frames, with frames of several sizes, or without a rate, by their number', () => {
    const good = { frames: film(2), fps: 2 };
    expect(() => processor.process([good, { frames: [], fps: 2 }])).toThrow(/Video 1 has no frames/);
    expect(() => processor.process([good, { frames: [...film(1), ...film(1, 28)], fps: 2 }])).toThrow(
      /Frame 1 of video 1 is 28 x 56 pixels, but the first is 56 x 56/,
    );
    expect(() => processor.process([{ ...good, fps: 0 }])).toThrow(/Video 0 has 0 frames a second/);
    expect(() => processor.process([{ frames: film(2, 1, 300), fps: 2 }])).toThrow(
      /Video 0 is 1 x 300 pixels/,
    );
  });
});

describe('readPackedPatches', () => {
  it('reads limits in all their spellings, and takes those of the class where there are none', () => {
    const limits = (
      config: object,
      fallback: { readonly minPixels: number; readonly maxPixels: number } = imageLimits,
    ) => {
      const { minPixels, maxPixels } = readPackedPatches({ ...config }, fallback);
      return [minPixels, maxPixels];
    };
    expect(limits({ min_pixels: 3136, max_pixels: 12_845_056 })).toEqual([3136, 12_845_056]);
    expect(limits({ size: { shortest_edge: 784, longest_edge: 7840 } })).toEqual([784, 7840]);
    expect(
      limits({ size: { min_pixels: 784, max_pixels: 7840 }, min_pixels: 800, max_pixels: 8000 }),
    ).toEqual([800, 8000]);
    expect(limits({ size: { shortest_edge: 784, longest_edge: 7840 }, max_pixels: 9000 })).toEqual([
      784, 9000,
    ]);
    expect(limits({})).toEqual([3136, 1_003_520]);
    expect(limits({}, videoLimits)).toEqual([100_352, 602_112]);
    expect(readPackedPatches({ cap_pixels_per_frame: true, max_video_tokens: 1000 }).maxVideoTokens).toBe(
      1000,
    );
    expect(readPackedPatches({ max_video_tokens: 1000 }).maxVideoTokens).toBeNull();
  });

  it('refuses sizes that the encoder does not have, and limits that are no pixels', () => {
    const make = (config: object) => packedPatches(readPackedPatches({ ...config }))(vision);
    expect(() => make({ patch_size: 16 })).toThrow(ConfigError);
    expect(() => make({ merge_size: 1 })).toThrow(/merge_size is 1, but the encoder's is 2/);
    expect(() => packedVideo(readPackedPatches({ temporal_patch_size: 1 }))(vision)).toThrow(
      /temporal_patch_size is 1, but the encoder's is 2/,
    );
    for (const size of [
      784,
      { min_pixels: 784, max_pixels: 7840 },
      { shortest_edge: 784 },
      { height: 28, width: 28 },
    ])
      expect(() => make({ size })).toThrow(/size is .*, expected shortest_edge and longest_edge/);
    expect(() => make({ max_pixels: '4' })).toThrow(/max_pixels is "4", expected a number of pixels/);
  });
});
