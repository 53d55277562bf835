import { planAnyres, type AnyresConfig } from '@weft/connector-anyres';
import { ConfigError } from '@weft/errors';
import { resize, writePixelValues, type Raster } from '@weft/image';
import type { ImagePlacement, ImageProcessor, Json, PatchGrid, Picture } from '@weft/spec';
import { cutTiles, fitInto } from './fit-frame.js';
import { clipMean, clipStd, readPixelConfig, readSize, type PixelConfig } from './resize-plan.js';

/** What a `preprocessor_config.json` says of pictures of any resolution. */
export interface AnyresTilesConfig extends PixelConfig {
  /** Side of a tile, pixels. */
  readonly tileSize: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * LLaVA-NeXT's and LLaVA-OneVision's views of a picture: squeezed into one tile, and fitted into the best of a list of
 * resolutions, with black borders, cut into tiles row by row. The features of the borders are not read.
 */
export function anyresTiles(
  config: AnyresTilesConfig,
  {
    layout,
    grid,
    placeholder,
  }: { readonly layout: AnyresConfig; readonly grid: PatchGrid; readonly placeholder: string },
): ImageProcessor {
  const { tileSize } = config;
  if (tileSize !== layout.tileSize)
    throw new ConfigError({
      message: `preprocessor_config.json: tiles are ${tileSize} x ${tileSize} pixels, but the encoder takes ${layout.tileSize} x ${layout.tileSize}.`,
      hint: 'size and crop_size must agree with vision_config.image_size.',
    });
  const place = (size: Size, index = 0): ImagePlacement => {
    const { tiles, map, tokens } = planAnyres(size, layout, grid, index);
    return {
      tiles: 1 + tiles[0] * tiles[1],
      tokens,
      formula: `${grid[0]} x ${grid[1]} patches of the whole + ${map[0]} x (${map[1]} + 1 newline) of ${tiles[0]} x ${tiles[1]} tiles`,
      prompt: placeholder.repeat(tokens),
    };
  };
  return {
    place,
    process: (pictures) => {
      const views = pictures.flatMap((picture, i) =>
        viewsOf(picture, config, planAnyres(picture, layout, grid, i)),
      );
      const size = 3 * tileSize * tileSize;
      const data = new Float32Array(views.length * size);
      for (const [i, view] of views.entries()) writePixelValues(view, config, data, i * size);
      const sizes = BigInt64Array.from(
        pictures.flatMap(({ width, height }) => [height, width]),
        BigInt,
      );
      return {
        inputs: {
          pixel_values: { dtype: 'float32', shape: [views.length, 3, tileSize, tileSize], data },
          image_sizes: { dtype: 'int64', shape: [pictures.length, 2], data: sizes },
        },
        images: pictures.map(place),
      };
    },
  };
}

function viewsOf(
  picture: Picture,
  { filter, tileSize }: AnyresTilesConfig,
  { resolution }: ReturnType<typeof planAnyres>,
): Raster[] {
  const whole = resize(picture, { width: tileSize, height: tileSize, filter });
  return [whole, ...cutTiles(fitInto(picture, resolution, filter), tileSize)];
}

/**
 * Reads the `preprocessor_config.json` of LLaVA-NeXT or LLaVA-OneVision.
 *
 * @param layout resolutions and tile of `config.json`
 * @throws ConfigError if the file lists other resolutions
 */
export function readAnyresTiles(config: Json, { pinpoints, tileSize }: AnyresConfig): AnyresTilesConfig {
  const listed = config['image_grid_pinpoints'];
  if (listed !== undefined && listed !== null && JSON.stringify(listed) !== JSON.stringify(pinpoints))
    throw new ConfigError({
      message: 'image_grid_pinpoints of preprocessor_config.json and config.json differ.',
      hint: 'Both list heights and widths in pixels, in one order: the first of equals is taken.',
    });
  const side = (name: 'crop_size' | 'size'): number | undefined => {
    if (config[name] === undefined || config[name] === null) return undefined;
    const { shortestEdge, height = shortestEdge } = readSize(config[name], name);
    return height;
  };
  return {
    ...readPixelConfig(config, { filter: 3, mean: clipMean, std: clipStd }),
    tileSize: side('crop_size') ?? side('size') ?? tileSize,
  };
}
