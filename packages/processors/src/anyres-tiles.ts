import { ConfigError } from '@weft/errors';
import { resize, type Raster } from '@weft/image';
import type {
  ArrangedPicture,
  ImageProcessor,
  Json,
  PartDefinition,
  Picture,
  ProcessorFactory,
} from '@weft/spec';
import { cutTiles, fitInto } from './fit-frame.js';
import {
  clipMean,
  clipStd,
  readPixelConfig,
  readSize,
  writePixelConfig,
  type PixelConfig,
} from './pixel-config.js';
import { plannedImages } from './planned.js';
import { stackSizes, stackTiles, tilesOf } from './tiles.js';

/** What a `preprocessor_config.json` says of pictures of any resolution. */
export interface AnyresTilesConfig extends PixelConfig {
  /** Side of a tile, pixels; `null` for the encoder's. */
  readonly tileSize: number | null;
}

const id = 'processor-anyres-tiles';

/**
 * LLaVA-NeXT's and LLaVA-OneVision's views of a picture: squeezed into one tile, and fitted into the best of a list of
 * resolutions, with black borders, cut into tiles row by row. The arranger chooses the resolution; it does not read the
 * features of the borders.
 *
 * @throws ConfigError if there is no arranger that plans, or the encoder takes tiles of another size
 */
export const anyresTiles =
  (config: AnyresTilesConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
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
      plan,
      describe: ({ tiles, map, tokens }) => ({
        tiles: 1 + tiles[0] * tiles[1],
        tokens,
        formula: `${down} x ${across} patches of the whole + ${map[0]} x (${map[1]} + 1 newline) of ${tiles[0]} x ${tiles[1]} tiles`,
        prompt: placeholder.repeat(tokens),
      }),
      inputs: (pictures, plans) => {
        const views = pictures.flatMap((picture, i) => viewsOf(picture, plans[i]!, config, tileSize));
        return { pixel_values: stackTiles(views, config, tileSize), image_sizes: stackSizes(pictures) };
      },
    });
  };

function viewsOf(
  picture: Picture,
  { resolution }: ArrangedPicture,
  { filter }: AnyresTilesConfig,
  tileSize: number,
): Raster[] {
  const whole = resize(picture, { width: tileSize, height: tileSize, filter });
  return [whole, ...cutTiles(fitInto(picture, resolution, filter), tileSize)];
}

/** Reads the `preprocessor_config.json` of LLaVA-NeXT or LLaVA-OneVision. */
export function readAnyresTiles(config: Json): AnyresTilesConfig {
  const side = (name: 'crop_size' | 'size'): number | undefined => {
    if (config[name] === undefined || config[name] === null) return undefined;
    const { shortestEdge, height = shortestEdge } = readSize(config[name], name);
    return height;
  };
  return {
    ...readPixelConfig(config, { filter: 3, mean: clipMean, std: clipStd }),
    tileSize: side('crop_size') ?? side('size') ?? null,
  };
}

export const anyresTilesPart: PartDefinition<'processor', AnyresTilesConfig> = {
  id,
  kind: 'processor',
  create: anyresTiles,
  presets: {},
  source: {
    paper: 'https://llava-vl.github.io/blog/2024-01-30-llava-next/',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/llava_next/image_processing_llava_next.py',
  },
  types: ['LlavaNextImageProcessor', 'LlavaOnevisionImageProcessor'],
  read: readAnyresTiles,
  write: ({ tileSize, ...pixels }) => ({
    image_processor_type: 'LlavaNextImageProcessor',
    ...writePixelConfig(pixels),
    ...(tileSize === null ? {} : { size: { height: tileSize, width: tileSize } }),
  }),
};
