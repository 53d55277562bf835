import { ConfigError, InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { writePixelValues, type Raster } from '@weft/image';
import type { ProcessorContext } from '@weft/spec';
import type { PixelConfig } from './pixel-config.js';

/** Sides in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** @throws InputError if there is nothing to see; `name` stands in the message, such as `Picture 0` */
export function requirePixels({ width, height }: Size, name: string): void {
  if (!(Math.min(width, height) >= 1))
    throw new InputError({ message: `${name} has no pixels: it is ${width} x ${height}.` });
}

/** Tiles of one size, normalised, as `pixel_values` `[tiles, 3, tileSize, tileSize]`. */
export function stackTiles(tiles: readonly Raster[], config: PixelConfig, tileSize: number): TensorData {
  const size = 3 * tileSize * tileSize;
  const data = new Float32Array(tiles.length * size);
  for (const [i, tile] of tiles.entries()) writePixelValues(tile, config, data, i * size);
  return { dtype: 'float32', shape: [tiles.length, 3, tileSize, tileSize], data };
}

/** Heights and widths of pictures, as `image_sizes` `[pictures, 2]`. */
export const stackSizes = (sizes: readonly Size[]): TensorData => ({
  dtype: 'int64',
  shape: [sizes.length, 2],
  data: BigInt64Array.from(
    sizes.flatMap(({ height, width }) => [height, width]),
    BigInt,
  ),
});

/** What the encoder and the connector make of one tile. */
export interface TileFacts {
  /** Side, pixels. */
  readonly tileSize: number;
  readonly tokensPerTile: number;
}

/**
 * Side and tokens of the encoder's tiles.
 *
 * @param processor id, for messages
 * @param given side that the preprocessor's file states; the encoder's unless given
 * @throws ConfigError if the encoder has no fixed grid, or takes tiles of another size
 */
export function tilesOf(
  { encoder, connector }: ProcessorContext,
  processor: string,
  given: number | null,
): TileFacts {
  const { grid, pixels } = encoder;
  if (!grid || pixels.tileSize === undefined)
    throw new ConfigError({
      message: `${processor} makes tiles of one size, but ${encoder.id} has no fixed grid.`,
      hint: 'Give the encoder an image size.',
    });
  const { tileSize } = pixels;
  if (given !== null && given !== tileSize) throw otherTile({ width: given, height: given }, tileSize);
  return { tileSize, tokensPerTile: connector.countTokens(grid) };
}

/** The error for tiles that are not the encoder's. */
export const otherTile = ({ width, height }: Size, tileSize: number): ConfigError =>
  new ConfigError({
    message: `The file of the image processor (processor_config.json or preprocessor_config.json) makes tiles of ${width} x ${height} pixels, but the encoder of config.json takes ${tileSize} x ${tileSize}.`,
    hint: 'size and crop_size must agree with vision_config.image_size; where they are left out, those of the class count.',
  });
