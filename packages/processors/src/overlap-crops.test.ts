import { ConfigError, InputError } from '@weft/errors';
import type { Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { contextOf } from '../test/context.js';
import { planCrops } from './crop-plan.js';
import { overlapCrops, readOverlapCrops } from './overlap-crops.js';

const tokens = { start: '<s>', end: '<e>', column: 'C' };
const published = { ...readOverlapCrops({}), tokens };
const visionOf = (tileSize: number, patchSize: number, tokensPerCrop: number) => {
  const side = tileSize / patchSize;
  return contextOf({ tileSize, patchSize }, () => tokensPerCrop, { grid: [side, side], placeholder: 'P' });
};
const large = visionOf(336, 14, 144);
const processor = overlapCrops(published)(large);

/** Four patches of two pixels a side, margins of one patch pair; 4 pixels are a crop's own. */
const small = {
  cropSize: [16, 16],
  patchSize: 2,
  margins: [2, 2],
  maxCrops: 4,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  tokens,
} as const;
const tiny = overlapCrops(small)(visionOf(16, 2, 16));

const flat = (width: number, height: number, byte: number): Picture => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(width * height * 3).fill(byte),
});

describe('planCrops', () => {
  it.each([
    [640, 480, 2, 3, 20, 28],
    [800, 600, 3, 4, 28, 36],
    [336, 336, 1, 1, 12, 12],
    [100, 100, 1, 1, 12, 12],
    [500, 2000, 6, 2, 52, 20],
    [1000, 90, 1, 1, 12, 12],
    [112, 112, 1, 1, 12, 12],
    [4000, 3000, 3, 4, 28, 36],
    [336, 900, 4, 1, 36, 12],
  ])('cuts %i x %i pixels as the published processor does', (width, height, rows, columns, high, wide) => {
    expect(planCrops({ width, height }, { ...published, cropSize: 336, patchSize: 14 })).toMatchObject({
      rows,
      columns,
      map: [high, wide],
    });
  });
});

describe('overlapCrops', () => {
  it.each([
    [640, 480, 7, 704, 740],
    [800, 600, 13, 1152, 1196],
    [336, 336, 2, 288, 316],
  ])('gives %i x %i pixels its published tokens', (width, height, tiles, count, all) => {
    const { prompt, ...placement } = processor.place({ width, height });
    expect(placement).toMatchObject({ tiles, tokens: count });
    expect(prompt.match(/<[se]>|[PC]/g)).toHaveLength(all);
    expect(prompt.match(/P/g)).toHaveLength(count);
  });

  it('numbers the tokens of the stitched picture across its crops', () => {
    const { inputs } = processor.process([flat(560, 336, 1)]);
    const at = Array.from(inputs['image_input_idx']!.data as BigInt64Array, Number);
    const row = (crop: number, number: number) =>
      at.slice(crop * 144 + number * 12, crop * 144 + number * 12 + 12);
    const counted = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
    expect(inputs['image_input_idx']!.shape).toEqual([3, 144]);
    // One token stands before the picture.
    expect(row(0, 0)).toEqual(counted(2, 12));
    expect(row(0, 1)).toEqual(counted(15, 12));
    expect(row(1, 0)).toEqual([...counted(160, 10), -100, -100]);
    expect(row(1, 1)).toEqual([...counted(181, 10), -100, -100]);
    expect(row(2, 0)).toEqual([-100, -100, ...counted(170, 10)]);
  });

  it('cuts a middle crop down to what has no neighbour', () => {
    const { inputs, images } = tiny.process([flat(32, 16, 1)]);
    expect(images[0]).toMatchObject({ tiles: 4, tokens: 16 + 4 * 8 });
    const at = Array.from(inputs['image_input_idx']!.data as BigInt64Array, Number);
    const kept = [1, 2, 3].map((crop) => at.slice(crop * 16, crop * 16 + 4).map((place) => place >= 0));
    expect(kept).toEqual([
      [true, true, true, false],
      [false, true, true, false],
      [false, true, true, true],
    ]);
  });

  it('gives the masks one place too early, and none to the last crop, as in training', () => {
    // Twice as wide as high: borders above and below the whole, none in the crops.
    const { inputs } = tiny.process([flat(32, 16, 255)]);
    const masks = inputs['image_masks']!.data as Float32Array;
    expect(inputs['image_masks']!.shape).toEqual([4, 64]);
    expect(new Set(masks.subarray(0, 192))).toEqual(new Set([1]));
    expect(new Set(masks.subarray(192))).toEqual(new Set([-1]));
    const whole = (inputs['pixel_values']!.data as Float32Array).subarray(0, 256);
    expect([whole[0], whole[3 * 16], whole[4 * 16], whole[11 * 16], whole[12 * 16]]).toEqual([0, 0, 1, 1, 0]);
  });

  it('says which share of a patch is picture, and norms borders too', () => {
    const c = { ...small, mean: [0.5, 0.25, 0], std: [0.5, 0.5, 2] };
    const { inputs } = overlapCrops(c)(visionOf(16, 2, 16)).process([flat(13, 16, 255)]);
    // 13 of 16 columns, with one column of border at the left and two at the right.
    expect([...(inputs['image_masks']!.data as Float32Array).subarray(0, 8)]).toEqual([
      0.5, 1, 1, 1, 1, 1, 1, 0,
    ]);
    const pixels = inputs['pixel_values']!.data as Float32Array;
    const channels = (x: number) => [0, 1, 2].map((channel) => pixels[channel * 256 + x]);
    expect([channels(0), channels(5), channels(14)]).toEqual([
      [-1, -0.5, 0],
      [1, 1.5, 0.5],
      [-1, -0.5, 0],
    ]);
  });

  it('refuses a second picture, wherever it comes', () => {
    expect(() => tiny.place({ width: 9, height: 9 }, 1, 2)).toThrow(InputError);
    expect(() => tiny.place({ width: 9, height: 9 }, 0, 3)).toThrow(
      /3 pictures were given, but Molmo takes one/,
    );
    expect(() => tiny.process([flat(9, 9, 1), flat(9, 9, 1)])).toThrow(/2 pictures/);
  });

  it('refuses a picture whose shorter side would vanish', () => {
    expect(() => tiny.place({ width: 4000, height: 1 })).toThrow(/4000 x 1 pixels: fitted into 16 x 16/);
  });

  it.each([
    [{ base_image_input_size: [224, 336] }, /crops of 336 x 224 pixels in patches of 14/],
    [{ image_patch_size: 16 }, /but the encoder takes 336 x 336 in patches of 14/],
  ])('refuses a file for another encoder: %j', (config, message) => {
    expect(() => overlapCrops(readOverlapCrops(config))(large)).toThrow(ConfigError);
    expect(() => overlapCrops(readOverlapCrops(config))(large)).toThrow(message);
  });

  it.each([
    [{ margins: [1, 3] as const }, 16],
    [{ margins: [2, 3] as const }, 16],
    [{ margins: [4, 4] as const }, 16],
    [{}, 9],
  ])('refuses crops that do not join: %j', (changes, tokensPerCrop) => {
    expect(() => overlapCrops({ ...small, ...changes })(visionOf(16, 2, tokensPerCrop))).toThrow(
      /do not join/,
    );
  });
});
