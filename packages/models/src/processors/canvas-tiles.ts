import { aspectRatiosOf } from '@weft/encoder-mllama';
import { ConfigError, InputError } from '@weft/errors';
import { crop, resize, writePixelValues } from '@weft/image';
import type { ImagePlacement, ImageProcessor, Json } from '@weft/spec';
import { readPixelConfig, readSize, type PixelConfig } from './resize-plan.js';

/** How pictures are laid on a canvas of tiles. */
export interface CanvasTilesConfig extends PixelConfig {
  /** Side of a tile, pixels. */
  readonly tileSize: number;
  readonly maxTiles: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The canvas of a picture in tiles, and its sizes on it in pixels. */
export interface CanvasPlan extends Size {
  readonly rows: number;
  readonly columns: number;
  /** Number of the arrangement, counted from 1. */
  readonly aspectRatioId: number;
}

/**
 * The canvas on which a picture is enlarged least, or else shrunk least; of several the smallest. A picture larger than
 * a tile is not enlarged to fill the canvas.
 */
export function planCanvas({ width, height }: Size, { tileSize, maxTiles }: CanvasTilesConfig): CanvasPlan {
  const canvases = aspectRatiosOf(maxTiles).map(([rows, columns], i) => {
    const scale = Math.min((rows * tileSize) / height, (columns * tileSize) / width);
    return { rows, columns, aspectRatioId: i + 1, scale };
  });
  const enlarging = canvases.map(({ scale }) => scale).filter((scale) => scale >= 1);
  const best =
    enlarging.length > 0 ? Math.min(...enlarging) : Math.max(...canvases.map(({ scale }) => scale));
  const [{ rows, columns, aspectRatioId }] = canvases
    .filter(({ scale }) => scale === best)
    .toSorted((a, b) => a.rows * a.columns - b.rows * b.columns) as [(typeof canvases)[number]];

  const fit = (side: number, most: number): number => Math.min(Math.max(side, tileSize), most);
  const target = { width: fit(width, columns * tileSize), height: fit(height, rows * tileSize) };
  const [acrossScale, downScale] = [target.width / width, target.height / height];
  const scaled = (side: number, scale: number, most: number): number =>
    Math.min(Math.floor(side * scale) || 1, most);
  return acrossScale < downScale
    ? {
        rows,
        columns,
        aspectRatioId,
        width: target.width,
        height: scaled(height, acrossScale, target.height),
      }
    : { rows, columns, aspectRatioId, width: scaled(width, downScale, target.width), height: target.height };
}

/** One token marks a picture; all tiles have keys, those that fill up as well. */
export const canvasShare = (seen: number, maxTiles: number): Pick<ImagePlacement, 'tokens' | 'cross'> => ({
  tokens: 1,
  cross: { tiles: Array.from({ length: maxTiles }, (_, i) => i), seen, placed: [] },
});

/**
 * Llama 3.2 Vision's tiles: a picture is laid into the upper left corner of a canvas of tiles, the rest of which stays
 * black, and cut row by row. Missing tiles are filled up with zeros; cross-attention does not see them.
 */
export function canvasTiles(
  config: CanvasTilesConfig,
  { tokensPerTile, placeholder }: { readonly tokensPerTile: number; readonly placeholder: string },
): ImageProcessor {
  const { tileSize, maxTiles, filter } = config;
  const all = Array.from({ length: maxTiles }, (_, i) => i);
  const place = (size: Size, index = 0): ImagePlacement => {
    if (size.width < 1 || size.height < 1)
      throw new InputError({ message: `Picture ${index} has no pixels.` });
    const { rows, columns } = planCanvas(size, config);
    return {
      tiles: rows * columns,
      formula: `1 token; ${rows} x ${columns} tiles, in ${maxTiles} x ${tokensPerTile} embeddings for cross-attention`,
      prompt: placeholder,
      ...canvasShare(rows * columns, maxTiles),
    };
  };
  return {
    place,
    process: (pictures) => {
      const size = 3 * tileSize * tileSize;
      const images = pictures.map(place);
      const data = new Float32Array(pictures.length * maxTiles * size);
      const plans = pictures.map((picture) => planCanvas(picture, config));
      for (const [i, { rows, columns, width, height }] of plans.entries()) {
        const resized = resize(pictures[i]!, { width, height, filter });
        for (let tile = 0; tile < rows * columns; tile++) {
          const [top, left] = [Math.floor(tile / columns) * tileSize, (tile % columns) * tileSize];
          const view = crop(resized, { left, top, width: tileSize, height: tileSize });
          writePixelValues(view, config, data, (i * maxTiles + tile) * size);
        }
      }
      const count = pictures.length;
      const ids = BigInt64Array.from(plans, ({ aspectRatioId }) => BigInt(aspectRatioId));
      const mask = BigInt64Array.from(images.flatMap(({ tiles }) => all.map((i) => BigInt(i < tiles))));
      return {
        inputs: {
          pixel_values: { dtype: 'float32', shape: [1, count, maxTiles, 3, tileSize, tileSize], data },
          aspect_ratio_ids: { dtype: 'int64', shape: [1, count], data: ids },
          aspect_ratio_mask: { dtype: 'int64', shape: [1, count, maxTiles], data: mask },
        },
        images,
      };
    },
  };
}

/**
 * Reads Llama 3.2 Vision's `preprocessor_config.json`.
 *
 * @param vision what the encoder takes, where the file says nothing
 * @throws ConfigError if the file's tiles are not those of the encoder
 */
export function readCanvasTiles(
  config: Json,
  vision: { readonly tileSize: number; readonly maxTiles: number },
): CanvasTilesConfig {
  const half = [0.5, 0.5, 0.5];
  const size = readSize(config['size'] ?? vision.tileSize, 'size');
  const maxTiles = Number(config['max_image_tiles'] ?? vision.maxTiles);
  if (size.height !== vision.tileSize || size.width !== vision.tileSize || maxTiles !== vision.maxTiles)
    throw new ConfigError({
      message: `preprocessor_config.json: ${maxTiles} tiles of ${size.width} x ${size.height} pixels, but the encoder takes ${vision.maxTiles} of ${vision.tileSize} x ${vision.tileSize}.`,
      hint: 'size and max_image_tiles must agree with image_size and max_num_tiles of vision_config.',
    });
  return { ...readPixelConfig(config, { filter: 2, mean: half, std: half }), ...vision };
}
