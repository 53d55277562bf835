import { ConfigError, InputError } from '@weft/errors';
import { crop, pad, resize, toPixelValues, type Raster } from '@weft/image';
import {
  checkConfig,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type Picture,
  type ProcessorFactory,
} from '@weft/spec';
import { fileReader } from './file-fields.js';
import { half, readPixelConfig, writePixelConfig, type PixelConfig } from './pixel-config.js';
import { plannedImages } from './planned.js';
import type { Size } from './tiles.js';

/** How pictures become raw patches. */
export interface PatchCutsConfig extends PixelConfig {
  /** Largest height and width, pixels; larger pictures shrink to fit, smaller ones stay as they are. */
  readonly most: { readonly height: number; readonly width: number };
  /** Byte that fills up the last patches. */
  readonly fill: number;
  /** Height and width of a patch, pixels; `null` for the encoder's. */
  readonly patchSize: readonly [height: number, width: number] | null;
  /** Text of the token that ends a row of patches. */
  readonly newline: string;
}

const id = 'processor-patch-cuts';

/**
 * Fuyu's way with pictures: no encoder, raw pixels. A picture that is too large shrinks, its right and lower borders
 * fill up to whole patches, and each patch is one vector by row, column and channel. In the prompt each row of patches
 * ends with a newline token.
 *
 * @throws ConfigError if the largest picture is not in whole patches, or patches are not those of the encoder
 */
export const patchCuts =
  (config: PatchCutsConfig): ProcessorFactory<ImageProcessor> =>
  ({ encoder, connector, placeholder }) => {
    checkConfig(patchCutsPart, config);
    const { patchSize } = encoder.pixels;
    requirePatches(config, patchSize);
    return plannedImages<CutPlan>({
      id,
      config,
      plan: (size, index) => planCuts(size, config, patchSize, index),
      describe: ({ rows, columns }) => ({
        tiles: 1,
        tokens: connector.countTokens([rows, columns]),
        formula: `${rows} x ${columns} patches, besides ${rows} newline tokens,`,
        prompt: (placeholder.repeat(columns) + config.newline).repeat(rows),
        layout: { kind: 'image', frames: 1, rows, columns },
      }),
      inputs: (pictures, plans) => {
        const cut = pictures.map((picture, i) => cutPatches(picture, plans[i]!, config, patchSize));
        const length = 3 * patchSize * patchSize;
        const data = new Float32Array(cut.reduce((sum, patches) => sum + patches.length, 0));
        let to = 0;
        for (const patches of cut) {
          data.set(patches, to);
          to += patches.length;
        }
        return { image_patches: { dtype: 'float32', shape: [1, data.length / length, length], data } };
      },
    });
  };

function requirePatches({ most, patchSize: own }: PatchCutsConfig, patchSize: number): void {
  if (own && (own[0] !== patchSize || own[1] !== patchSize))
    throw new ConfigError({
      message: `The file of the image processor (processor_config.json or preprocessor_config.json) says that patch_size is ${own.join(' x ')}, but config.json says ${patchSize}.`,
      hint: 'Both must come from one checkpoint.',
    });
  if (most.height % patchSize !== 0 || most.width % patchSize !== 0)
    throw new ConfigError({
      message: `preprocessor_config.json: pictures of at most ${most.width} x ${most.height} pixels are not in whole patches of ${patchSize} x ${patchSize}.`,
      hint: 'Set size to multiples of patch_size.',
    });
}

/** The size of the picture itself, pixels, and the patches that it begins. */
interface CutPlan {
  readonly shrunk: Size;
  readonly rows: number;
  readonly columns: number;
}

function planCuts(
  { width, height }: Size,
  { most }: PatchCutsConfig,
  patchSize: number,
  index: number,
): CutPlan {
  const isLarge = width > most.width || height > most.height;
  const scale = isLarge ? Math.min(most.height / height, most.width / width) : 1;
  const shrunk = { width: Math.trunc(width * scale), height: Math.trunc(height * scale) };
  if (!(Math.min(shrunk.width, shrunk.height) >= 1))
    throw new InputError({
      message: `Picture ${index} is ${width} x ${height} pixels: shrunk to ${most.width} x ${most.height} its shorter side would vanish.`,
      hint: 'Crop it, or cut it into several pictures.',
    });
  return { shrunk, rows: Math.ceil(shrunk.height / patchSize), columns: Math.ceil(shrunk.width / patchSize) };
}

function cutPatches(
  picture: Picture,
  { shrunk, rows, columns }: CutPlan,
  config: PatchCutsConfig,
  p: number,
): Float32Array {
  const { filter, fill } = config;
  const [width, height] = [columns * p, rows * p];
  const resized: Raster =
    shrunk.width === picture.width && shrunk.height === picture.height
      ? picture
      : resize(picture, { ...shrunk, filter });
  const whole = pad(resized, {
    left: 0,
    top: 0,
    right: width - shrunk.width,
    bottom: height - shrunk.height,
    fill: [fill, fill, fill],
  });
  const pixels = toPixelValues(crop(whole, { left: 0, top: 0, width, height }), { ...config, layout: 'hwc' });
  const patches = new Float32Array(pixels.length);
  let to = 0;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      for (let y = 0; y < p; y++, to += 3 * p) {
        const from = 3 * ((row * p + y) * width + column * p);
        patches.set(pixels.subarray(from, from + 3 * p), to);
      }
  return patches;
}

/**
 * Reads a Fuyu `preprocessor_config.json`.
 *
 * @throws ConfigError if pictures do not shrink to fit or are not filled up
 */
export function readPatchCuts(config: Json): PatchCutsConfig {
  const read = fileReader(config);
  const { height, width } = read.size('size', { height: 1080, width: 1920 }, true) ?? {};
  if (height === undefined || width === undefined) return read.wrong('size', 'height and width');
  const patch = read.has('patch_size') ? read.size('patch_size', null, true) : undefined;
  if (patch === null || (patch && (patch.height === undefined || patch.width === undefined)))
    return read.wrong('patch_size', 'a number, or height and width');
  // Pictures must shrink to fit, and fill up whole patches.
  for (const flag of ['do_resize', 'do_pad']) if (!read.flag(flag, true)) return read.wrong(flag, 'true');
  read.oneOf('padding_mode', ['constant'], 'constant');
  const found = {
    ...readPixelConfig(read, { filter: 2, mean: half, std: half }),
    most: { height, width },
    fill: Math.trunc(read.number('padding_value', 1)),
    patchSize: patch ? ([patch.height!, patch.width!] as const) : null,
    newline: read.text('image_newline_token', '|NEWLINE|'),
  };
  read.tellRest();
  return found;
}

export const patchCutsPart: PartDefinition<'processor', PatchCutsConfig> = {
  id,
  kind: 'processor',
  create: (config) => patchCuts(checkConfig(patchCutsPart, config)),
  fields: {
    most: { section: { height: 'count', width: 'count' } },
    fill: 'amount',
    patchSize: { nullable: { list: 'count', length: 2 } },
    newline: 'text',
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
  },
  presets: {},
  source: {
    paper: 'https://www.adept.ai/blog/fuyu-8b',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/fuyu/image_processing_fuyu.py',
  },
  types: ['FuyuImageProcessor'],
  read: readPatchCuts,
  write: ({ most, fill, patchSize, newline, ...pixels }) => ({
    image_processor_type: 'FuyuImageProcessor',
    ...writePixelConfig(pixels),
    size: most,
    padding_value: fill,
    ...(patchSize === null ? {} : { patch_size: { height: patchSize[0], width: patchSize[1] } }),
    image_newline_token: newline,
  }),
};
