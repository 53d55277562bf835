import { InputError } from '@weft/errors';
import { resize, toPixelValues } from '@weft/image';
import {
  checkConfig,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type ProcessorFactory,
} from '@weft/spec';
import { clipMean, clipStd, readPixelConfig, writePixelConfig, type PixelConfig } from './pixel-config.js';
import { fileReader } from './file-fields.js';
import { plannedImages } from './planned.js';
import { requirePixels, stackSizes, type Size } from './tiles.js';

/** How pictures become rows of patches. */
export interface PatchRowsConfig extends PixelConfig {
  /** Longest height and width, pixels; larger pictures shrink to fit. `null` leaves pictures as they are. */
  readonly most: { readonly height: number; readonly width: number } | null;
  /** Text of the token that ends a row of patches, and of the one that ends the last row. */
  readonly rowBreak: string;
  readonly imageEnd: string;
}

const id = 'processor-patch-rows';

/**
 * Pixtral's way with pictures: each keeps its shape, stretched to whole patches. In the prompt a row of patches ends
 * with a break token, the last row with an end token.
 */
export const patchRows =
  (config: PatchRowsConfig): ProcessorFactory<ImageProcessor> =>
  ({ encoder, connector, placeholder }) => {
    checkConfig(patchRowsPart, config);
    const { patchSize } = encoder.pixels;
    return plannedImages<PatchPlan>({
      id,
      config,
      plan: (size, index) => planPatches(size, config, patchSize, index),
      describe: ({ rows, columns }) => {
        const count = connector.countTokens([rows, columns]);
        const row = placeholder.repeat(count / rows);
        return {
          tiles: 1,
          tokens: count,
          formula: `${rows} x ${columns} patches`,
          prompt: Array.from({ length: rows }, () => row).join(config.rowBreak) + config.imageEnd,
          layout: { kind: 'image', frames: 1, rows, columns },
        };
      },
      inputs: (pictures, plans) => {
        const sizes = plans.map(({ rows, columns }): Size => ({
          width: columns * patchSize,
          height: rows * patchSize,
        }));
        const height = Math.max(0, ...sizes.map((size) => size.height));
        const width = Math.max(0, ...sizes.map((size) => size.width));
        const data = new Float32Array(pictures.length * 3 * height * width);
        for (const [i, picture] of pictures.entries()) {
          const own = sizes[i]!;
          const pixels = toPixelValues(resize(picture, { ...own, filter: config.filter }), config);
          for (let line = 0; line < 3 * own.height; line++) {
            const [channel, y] = [Math.floor(line / own.height), line % own.height];
            data.set(
              pixels.subarray(line * own.width, (line + 1) * own.width),
              ((i * 3 + channel) * height + y) * width,
            );
          }
        }
        return {
          pixel_values: { dtype: 'float32', shape: [pictures.length, 3, height, width], data },
          image_sizes: stackSizes(sizes),
        };
      },
    });
  };

/** The patches that a picture is stretched to. */
interface PatchPlan {
  readonly rows: number;
  readonly columns: number;
}

function planPatches(
  { width, height }: Size,
  { most }: PatchRowsConfig,
  patchSize: number,
  index: number,
): PatchPlan {
  requirePixels({ width, height }, `Picture ${index}`);
  if (!most) {
    if (width % patchSize === 0 && height % patchSize === 0)
      return { rows: height / patchSize, columns: width / patchSize };
    throw new InputError({
      message: `Picture ${index} is ${width} x ${height} pixels, which patches of ${patchSize} x ${patchSize} do not fill, and do_resize is off.`,
      where: 'preprocessor_config.json',
      hint: `Resize it to multiples of ${patchSize}.`,
    });
  }
  const ratio = Math.max(height / most.height, width / most.width);
  const shrunk = (side: number): number => (ratio > 1 ? Math.floor(side / ratio) : side);
  const [rows, columns] = [height, width].map((side) => Math.floor((shrunk(side) - 1) / patchSize) + 1) as [
    number,
    number,
  ];
  if (rows * columns === 0)
    throw new InputError({
      message: `Picture ${index} is ${width} x ${height} pixels: shrunk to ${most.width} x ${most.height} its shorter side would vanish.`,
      hint: 'Crop it, or cut it into several pictures.',
    });
  return { rows, columns };
}

/**
 * Reads a Pixtral `preprocessor_config.json`, and of a `processor_config.json` the tokens that end rows.
 *
 * @param usual longest edge of a picture in pixels, and the tokens, where the file says nothing
 * @throws ConfigError if the size is of another kind
 */
export function readPatchRows(
  config: Json,
  usual: { readonly longestEdge?: number; readonly rowBreak?: string; readonly imageEnd?: string } = {},
): PatchRowsConfig {
  const read = fileReader(config);
  const {
    longestEdge: edge,
    height = edge,
    width = edge,
  } = read.size('size', { longestEdge: usual.longestEdge ?? 1024 }, true) ?? {};
  const resizes = read.flag('do_resize', true);
  if (resizes && (height === undefined || width === undefined))
    return read.wrong('size', 'longest_edge, or height and width');
  if (read.flag('do_center_crop', false))
    return read.wrong('do_center_crop', 'false: pictures keep their shape');
  read.raw('crop_size');
  read.flag('do_pad', true);
  // That of the processor goes before it, which must be the encoder's.
  read.raw('patch_size');
  const found = {
    ...readPixelConfig(read, { filter: 3, mean: clipMean, std: clipStd }),
    most: resizes ? { height: height!, width: width! } : null,
    rowBreak: read.text('image_break_token', usual.rowBreak ?? ''),
    imageEnd: read.text('image_end_token', usual.imageEnd ?? ''),
  };
  read.tellRest();
  return found;
}

export const patchRowsPart: PartDefinition<'processor', PatchRowsConfig> = {
  id,
  kind: 'processor',
  create: (config) => patchRows(checkConfig(patchRowsPart, config)),
  fields: {
    most: { nullable: { section: { height: 'count', width: 'count' } } },
    rowBreak: 'text',
    imageEnd: 'text',
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
  },
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2410.07073',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/pixtral/image_processing_pixtral.py',
  },
  types: ['PixtralImageProcessor'],
  read: (section) => readPatchRows(section),
  write: ({ most, rowBreak, imageEnd, ...pixels }) => ({
    image_processor_type: 'PixtralImageProcessor',
    ...writePixelConfig(pixels),
    ...(most === null ? { do_resize: false } : { do_resize: true, size: most }),
    image_break_token: rowBreak,
    image_end_token: imageEnd,
  }),
};
