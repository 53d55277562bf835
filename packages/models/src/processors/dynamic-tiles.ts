import { InputError } from '@weft/errors';
import { resize, writePixelValues, type Raster } from '@weft/image';
import type { ImagePlacement, ImageProcessor, Json, Picture } from '@weft/spec';
import { cutTiles } from './fit-frame.js';
import { clipMean, clipStd, readPixelConfig, readSize, type PixelConfig } from './resize-plan.js';

const imagenetMean = [0.485, 0.456, 0.406] as const;
const imagenetStd = [0.229, 0.224, 0.225] as const;

/** How pictures are stretched into tiles. */
export interface DynamicTilesConfig extends PixelConfig {
  /** Side of a tile, pixels. */
  readonly tileSize: number;
  readonly minTiles: number;
  readonly maxTiles: number;
  /** Whether a view of the whole follows the tiles if there are several. */
  readonly thumbnail: boolean;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Rows and columns of tiles for a picture. */
export interface TileGrid {
  readonly rows: number;
  readonly columns: number;
}

/**
 * The grid of tiles whose proportions are nearest to the picture's; of equally near ones the larger, if the picture has
 * more than half of its pixels.
 */
export function planTiles(
  { width, height }: Size,
  { tileSize, minTiles, maxTiles }: DynamicTilesConfig,
): TileGrid {
  const sides = Array.from({ length: maxTiles }, (_, i) => i + 1);
  const grids = sides
    .flatMap((columns) => sides.map((rows) => ({ rows, columns })))
    .filter(({ rows, columns }) => rows * columns >= minTiles && rows * columns <= maxTiles)
    .toSorted((a, b) => a.rows * a.columns - b.rows * b.columns);
  let [best, least]: [TileGrid, number] = [{ rows: 1, columns: 1 }, Infinity];
  for (const grid of grids) {
    const difference = Math.abs(width / height - grid.columns / grid.rows);
    const isLarge = width * height > 0.5 * tileSize * tileSize * grid.columns * grid.rows;
    if (difference < least || (difference === least && isLarge)) [best, least] = [grid, difference];
  }
  return best;
}

/** Tiles of a picture, the view of the whole included. */
export function countTiles(size: Size, config: DynamicTilesConfig): number {
  const { rows, columns } = planTiles(size, config);
  return rows * columns + (config.thumbnail && rows * columns > 1 ? 1 : 0);
}

/**
 * InternVL's and NVLM's tiles: a picture is stretched to whole tiles, whatever its proportions, cut row by row, and seen
 * once more as a whole, last.
 *
 * @param describe text and tokens of a picture of that many tiles
 */
export function dynamicTiles(
  config: DynamicTilesConfig,
  describe: (tiles: number) => Omit<ImagePlacement, 'tiles'>,
): ImageProcessor {
  const { tileSize } = config;
  const place = (size: Size, index = 0): ImagePlacement => {
    if (size.width < 1 || size.height < 1)
      throw new InputError({ message: `Picture ${index} has no pixels.` });
    const tiles = countTiles(size, config);
    return { tiles, ...describe(tiles) };
  };
  return {
    place,
    process: (pictures) => {
      const images = pictures.map(place);
      const views = pictures.flatMap((picture) => viewsOf(picture, config));
      const size = 3 * tileSize * tileSize;
      const data = new Float32Array(views.length * size);
      for (const [i, view] of views.entries()) writePixelValues(view, config, data, i * size);
      const shape = [views.length, 3, tileSize, tileSize];
      return { inputs: { pixel_values: { dtype: 'float32', shape, data } }, images };
    },
  };
}

function viewsOf(picture: Picture, config: DynamicTilesConfig): Raster[] {
  const { tileSize, filter, thumbnail } = config;
  const { rows, columns } = planTiles(picture, config);
  const stretched = resize(picture, { width: columns * tileSize, height: rows * tileSize, filter });
  const tiles = cutTiles(stretched, tileSize);
  const whole = () => resize(picture, { width: tileSize, height: tileSize, filter });
  return thumbnail && tiles.length > 1 ? [...tiles, whole()] : tiles;
}

/**
 * Reads a `preprocessor_config.json`; what it leaves out is as given, or as the class it names has it: that of
 * transformers normalises like CLIP.
 */
export function readDynamicTiles(
  config: Json,
  given: Pick<DynamicTilesConfig, 'tileSize' | 'minTiles' | 'maxTiles' | 'thumbnail'>,
): DynamicTilesConfig {
  const isClass = String(config['image_processor_type'] ?? '').startsWith('GotOcr2');
  const usual = isClass ? { mean: clipMean, std: clipStd } : { mean: imagenetMean, std: imagenetStd };
  return {
    ...readPixelConfig(config, { filter: 3, ...usual }),
    tileSize: readSize(config['size'] ?? given.tileSize, 'size').height ?? given.tileSize,
    minTiles: Number(config['min_patches'] ?? given.minTiles),
    maxTiles: Number(config['max_patches'] ?? given.maxTiles),
    thumbnail: given.thumbnail,
  };
}
