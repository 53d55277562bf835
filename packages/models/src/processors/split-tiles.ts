import { InputError } from '@weft/errors';
import { resize, writePixelValues, type Raster } from '@weft/image';
import type { ImagePlacement, ImageProcessor, Json, Picture } from '@weft/spec';
import { cutTiles } from './fit-frame.js';
import { readPixelConfig, readSize, type PixelConfig } from './resize-plan.js';

export interface SplitTilesConfig extends PixelConfig {
  readonly resize: boolean;
  /** The longest side after the first resizing, pixels. */
  readonly longestEdge: number;
  /** Side of a tile, pixels. */
  readonly tileSize: number;
  readonly split: boolean;
}

/** Sides above this are scaled down once more; the reference's constant. */
const largestSide = 4096;

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Idefics3's and SmolVLM's tiles: a picture is enlarged or reduced to a longest side, stretched to whole tiles, cut
 * row by row, and seen once more as a whole, last. Each step resizes bytes, so rounding happens in between.
 */
export function splitTiles(
  config: SplitTilesConfig,
  vision: { readonly tokensPerTile: number },
): ImageProcessor {
  const { tileSize } = config;
  const { tokensPerTile } = vision;
  const place = (size: Size): ImagePlacement => {
    const { rows, columns } = plan(size, config);
    const tiles = rows * columns + 1;
    return {
      tiles,
      tokens: tiles * tokensPerTile,
      formula:
        rows * columns === 0
          ? `1 view of ${tokensPerTile}`
          : `(${rows} x ${columns} tiles + 1) of ${tokensPerTile}`,
      prompt: promptOf(rows, columns, tokensPerTile),
    };
  };
  return {
    place,
    process: (pictures) => {
      const views = pictures.flatMap((picture, i) => {
        if (picture.width < 1 || picture.height < 1)
          throw new InputError({ message: `Picture ${i} has no pixels.` });
        return viewsOf(picture, config);
      });
      const size = 3 * tileSize * tileSize;
      const data = new Float32Array(views.length * size);
      for (const [i, view] of views.entries()) writePixelValues(view, config, data, i * size);
      return {
        inputs: { pixel_values: { dtype: 'float32', shape: [views.length, 3, tileSize, tileSize], data } },
        images: pictures.map(place),
      };
    },
  };
}

/** First size, size in whole tiles, and the grid; 0 x 0 when the picture stays one view. */
function plan(size: Size, { resize: enlarge, longestEdge, tileSize, split }: SplitTilesConfig) {
  const first = enlarge ? toLongestEdge(size, longestEdge) : { width: size.width, height: size.height };
  if (!split) return { first, whole: first, rows: 0, columns: 0 };
  const aspect = first.width / first.height;
  const up = (x: number) => Math.ceil(x / tileSize) * tileSize;
  let whole: Size;
  if (first.width >= first.height) {
    const width = up(first.width);
    whole = { width, height: up(Math.trunc(width / aspect)) };
  } else {
    const height = up(first.height);
    whole = { width: up(Math.trunc(height * aspect)), height };
  }
  const cut = whole.width > tileSize || whole.height > tileSize;
  return { first, whole, rows: cut ? whole.height / tileSize : 0, columns: cut ? whole.width / tileSize : 0 };
}

function toLongestEdge({ width, height }: Size, edge: number): Size {
  const aspect = width / height;
  const even = (x: number) => (x % 2 === 0 ? x : x + 1);
  let [w, h] =
    width >= height ? [edge, even(Math.trunc(edge / aspect))] : [even(Math.trunc(edge * aspect)), edge];
  [w, h] = [Math.max(w, 1), Math.max(h, 1)];
  if (w <= largestSide && h <= largestSide) return { width: w, height: h };
  const ratio = w / h;
  return w >= h
    ? { width: largestSide, height: Math.max(1, Math.trunc(largestSide / ratio)) }
    : { width: Math.max(1, Math.trunc(largestSide * ratio)), height: largestSide };
}

function viewsOf(picture: Picture, config: SplitTilesConfig): Raster[] {
  const { filter, tileSize } = config;
  const { first, whole, rows, columns } = plan(picture, config);
  const square = { width: tileSize, height: tileSize, filter };
  const resized = resize(resize(picture, { ...first, filter }), { ...whole, filter });
  if (rows * columns === 0) return [resize(resized, square)];
  return [...cutTiles(resized, tileSize), resize(resized, square)];
}

function promptOf(rows: number, columns: number, tokens: number): string {
  const around = '<fake_token_around_image>';
  const images = '<image>'.repeat(tokens);
  const global = `${around}<global-img>${images}${around}`;
  if (rows * columns === 0) return global;
  let text = '';
  for (let row = 1; row <= rows; row++) {
    for (let column = 1; column <= columns; column++) text += `${around}<row_${row}_col_${column}>${images}`;
    text += '\n';
  }
  return `${text}\n${global}`;
}

/** Reads an Idefics3 or SmolVLM `preprocessor_config.json`. */
export function readSplitTiles(config: Json): SplitTilesConfig {
  const half = [0.5, 0.5, 0.5];
  return {
    ...readPixelConfig(config, { filter: 1, mean: half, std: half }),
    resize: config['do_resize'] !== false,
    longestEdge: readSize(config['size'] ?? { longest_edge: 1456 }, 'size').longestEdge ?? 1456,
    tileSize:
      readSize(config['max_image_size'] ?? { longest_edge: 364 }, 'max_image_size').longestEdge ?? 364,
    split: config['do_image_splitting'] !== false,
  };
}
