import { ConfigError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { resize, squareBorder, type Raster, type Rgb } from '@weft/image';
import {
  checkConfig,
  type ArrangedPicture,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type Picture,
  type ProcessorFactory,
} from '@weft/spec';
import { fileReader } from './file-fields.js';
import { cutTile, fitInto, tileBoxes } from './fit-frame.js';
import {
  clipMean,
  clipStd,
  readPixelConfig,
  rgbOfMean,
  writePixelConfig,
  type PixelConfig,
} from './pixel-config.js';
import { plannedImages } from './planned.js';
import { requirePixels, stackSizes, stackTiles, tilesOf } from './tiles.js';

/** What a `preprocessor_config.json` says of pictures of any resolution. */
export interface AnyresTilesConfig extends PixelConfig {
  /** Side of a tile, pixels; `null` for the encoder's. */
  readonly tileSize: number | null;
  /** Colour of the border that makes a picture square which is seen as a whole only. */
  readonly squareFill: Rgb;
}

const id = 'processor-anyres-tiles';

/**
 * LLaVA-NeXT's and LLaVA-OneVision's views of a picture: squeezed into one tile, and fitted into the best of a list of
 * resolutions, with black borders, cut into tiles row by row. The arranger chooses the resolution; it does not read the
 * features of the borders. OneVision does not cut the pictures of a conversation that has several: each is made square with
 * a border of one colour; `need_patching` is 0 for them.
 *
 * @throws ConfigError if there is no arranger that plans, or the encoder takes tiles of another size
 */
export const anyresTiles =
  (config: AnyresTilesConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
    checkConfig(anyresTilesPart, config);
    const { tileSize } = tilesOf(context, id, config.tileSize);
    const { encoder, arranger, placeholder } = context;
    const plan = arranger?.plan?.bind(arranger);
    if (!plan)
      throw new ConfigError({
        message: `${id} cuts pictures as an arranger plans, but there is ${arranger ? 'one that does not plan' : 'none'}.`,
        hint: 'Compose it with anyresArranger of @weft/connector-anyres.',
      });
    const [down, across] = encoder.grid!;
    return plannedImages<ArrangedPicture>({
      id,
      config,
      zeroViews: 'padding',
      plan: (size, index, total) => {
        requirePixels(size, `Picture ${index}`);
        return plan(size, total);
      },
      describe: ({ resolution, tiles, map, tokens }) => ({
        tiles: 1 + tiles[0] * tiles[1],
        tokens,
        formula: `${down} x ${across} patches of the whole + ${resolution ? `${map[0]} x (${map[1]} + 1 newline) of ${tiles[0]} x ${tiles[1]} tiles` : '1 newline'}`,
        prompt: placeholder.repeat(tokens),
      }),
      inputs: (pictures, plans) => {
        const views = pictures.flatMap((picture, i) => viewsOf(picture, plans[i]!, config, tileSize));
        return {
          pixel_values: stackTiles(views, config, tileSize),
          image_sizes: stackSizes(pictures),
          ...(plans.some(({ resolution }) => resolution === null)
            ? { need_patching: whichAreCut(plans) }
            : {}),
        };
      },
    });
  };

function viewsOf(
  picture: Picture,
  { resolution }: ArrangedPicture,
  { filter, squareFill }: AnyresTilesConfig,
  tileSize: number,
): Raster[] {
  const square = { width: tileSize, height: tileSize, filter };
  if (!resolution) return [resize(picture, { ...square, border: squareBorder(picture, squareFill) })];
  const frame = { width: resolution[1], height: resolution[0] };
  const laid = fitInto(picture, frame);
  return [
    resize(picture, square),
    ...tileBoxes(frame, tileSize).map((box) => cutTile(picture, laid, box, filter)),
  ];
}

const whichAreCut = (plans: readonly ArrangedPicture[]): TensorData => ({
  dtype: 'int64',
  shape: [plans.length],
  data: BigInt64Array.from(plans, ({ resolution }) => BigInt(resolution !== null)),
});

/**
 * Reads the `preprocessor_config.json` of LLaVA-NeXT or LLaVA-OneVision. Its resolutions are those of the arranger.
 *
 * @throws ConfigError naming the field that cannot be read, or if whole and tiles would have different sides
 */
export function readAnyresTiles(config: Json): AnyresTilesConfig {
  const read = fileReader(config);
  const side = (name: 'crop_size' | 'size', isSquare: boolean): number | null => {
    const {
      shortestEdge,
      longestEdge,
      height = shortestEdge,
      width = shortestEdge,
    } = read.size(name, {}, isSquare) ?? {};
    // Tiles are squares, whose longer edge is no longer.
    if (height !== width || (longestEdge ?? Infinity) < (shortestEdge ?? 0))
      return read.wrong(name, 'a number, or equal height and width');
    return height ?? null;
  };
  const [size, crop] = [side('size', read.flag('default_to_square', false)), side('crop_size', true)];
  if (read.has('size') && size === null) return read.wrong('size', 'a number, or equal height and width');
  if (crop !== null && size !== null && crop !== size)
    return read.wrong('crop_size', `the side of size, which is ${size}: tiles of other sides are not cut`);
  read.flag('do_resize', true);
  if (read.flag('do_center_crop', false) && read.has('crop_size') && crop === null)
    return read.wrong('crop_size', 'a number, as do_center_crop is on');
  read.flag('do_pad', true);
  read.raw('image_grid_pinpoints');
  const found = {
    ...readPixelConfig(read, { filter: 3, mean: clipMean, std: clipStd }),
    tileSize: crop ?? size,
    squareFill: read.has('square_fill')
      ? (read.channels('square_fill', clipMean) as Rgb)
      : rgbOfMean(read.channels('image_mean', clipMean) ?? clipMean),
  };
  read.tellRest();
  return found;
}

export const anyresTilesPart: PartDefinition<'processor', AnyresTilesConfig> = {
  id,
  kind: 'processor',
  create: (config) => anyresTiles(checkConfig(anyresTilesPart, config)),
  fields: {
    tileSize: { nullable: 'count' },
    squareFill: { list: 'number', length: 3 },
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
  },
  presets: {},
  source: {
    paper: 'https://llava-vl.github.io/blog/2024-01-30-llava-next/',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/llava_next/image_processing_llava_next.py',
  },
  types: ['LlavaNextImageProcessor', 'LlavaOnevisionImageProcessor'],
  read: readAnyresTiles,
  write: ({ tileSize, squareFill, ...pixels }) => ({
    image_processor_type: 'LlavaNextImageProcessor',
    ...writePixelConfig(pixels),
    ...(tileSize === null ? {} : { size: { height: tileSize, width: tileSize } }),
    square_fill: squareFill,
  }),
};
