import { resize, type Raster } from '@weft/image';
import {
  configReader,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type Picture,
  type ProcessorFactory,
} from '@weft/spec';
import { cutTiles } from './fit-frame.js';
import {
  clipMean,
  clipStd,
  readPixelConfig,
  readSize,
  writePixelConfig,
  type PixelConfig,
} from './pixel-config.js';
import { plannedImages } from './planned.js';
import { placeViews, plainText, readTileText, type TileText } from './tile-text.js';
import { requirePixels, stackTiles, tilesOf, type Size } from './tiles.js';

const imagenetMean = [0.485, 0.456, 0.406] as const;
const imagenetStd = [0.229, 0.224, 0.225] as const;

/** How pictures are stretched into tiles. */
export interface DynamicTilesConfig extends PixelConfig {
  /** Side of a tile, pixels; `null` for the encoder's. */
  readonly tileSize: number | null;
  readonly minTiles: number;
  readonly maxTiles: number;
  /** Whether a view of the whole follows the tiles if there are several. */
  readonly thumbnail: boolean;
  /** What stands around the placeholder tokens. */
  readonly text: TileText;
}

/** Rows and columns of tiles for a picture. */
export interface TileGrid {
  readonly rows: number;
  readonly columns: number;
}

/** What the grid of a picture depends on. */
export interface TileLimits extends Pick<DynamicTilesConfig, 'minTiles' | 'maxTiles' | 'thumbnail'> {
  readonly tileSize: number;
}

/**
 * The grid of tiles whose proportions are nearest to the picture's; of equally near ones the larger, if the picture has
 * more than half of its pixels.
 */
export function planTiles(
  { width, height }: Size,
  { tileSize, minTiles, maxTiles }: Omit<TileLimits, 'thumbnail'>,
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
export const countTiles = (size: Size, limits: TileLimits): number =>
  countViews(planTiles(size, limits), limits);

const countViews = ({ rows, columns }: TileGrid, { thumbnail }: Pick<TileLimits, 'thumbnail'>): number =>
  rows * columns + (thumbnail && rows * columns > 1 ? 1 : 0);

const id = 'processor-dynamic-tiles';

/**
 * InternVL's and NVLM's tiles: a picture is stretched to whole tiles, whatever its proportions, cut row by row, and seen
 * once more as a whole, last.
 */
export const dynamicTiles =
  (config: DynamicTilesConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
    const { tileSize, tokensPerTile } = tilesOf(context, id, config.tileSize);
    const limits = { ...config, tileSize };
    return plannedImages<TileGrid>({
      id,
      config,
      plan: (size, index) => {
        requirePixels(size, `Picture ${index}`);
        return planTiles(size, limits);
      },
      describe: (grid) => placeViews(countViews(grid, limits), tokensPerTile, config.text, context),
      inputs: (pictures, grids) => {
        const views = pictures.flatMap((picture, i) => viewsOf(picture, grids[i]!, config, tileSize));
        return { pixel_values: stackTiles(views, config, tileSize) };
      },
    });
  };

function viewsOf(
  picture: Picture,
  { rows, columns }: TileGrid,
  { filter, thumbnail }: DynamicTilesConfig,
  tileSize: number,
): Raster[] {
  const stretched = resize(picture, { width: columns * tileSize, height: rows * tileSize, filter });
  const tiles = cutTiles(stretched, tileSize);
  const whole = () => resize(picture, { width: tileSize, height: tileSize, filter });
  return thumbnail && tiles.length > 1 ? [...tiles, whole()] : tiles;
}

/**
 * Reads a `preprocessor_config.json`; what it leaves out is as the class it names has it: that of transformers
 * normalises like CLIP.
 *
 * @param usual what a recipe's other files say where this one is silent
 * @throws ConfigError naming the field that is not of its type
 */
export function readDynamicTiles(
  config: Json,
  usual: Partial<Pick<DynamicTilesConfig, 'minTiles' | 'maxTiles' | 'thumbnail' | 'text'>> = {},
): DynamicTilesConfig {
  const read = configReader(config, 'preprocessor');
  const isClass = String(config['image_processor_type'] ?? '').startsWith('GotOcr2');
  const normal = isClass ? { mean: clipMean, std: clipStd } : { mean: imagenetMean, std: imagenetStd };
  const { size, text } = config;
  return {
    ...readPixelConfig(config, { filter: 3, ...normal }),
    tileSize: size === undefined || size === null ? null : (readSize(size, 'size').height ?? null),
    minTiles: read.number('min_patches', usual.minTiles ?? 1),
    maxTiles: read.number('max_patches', usual.maxTiles ?? 12),
    thumbnail: read.boolean('use_thumbnail', usual.thumbnail ?? true),
    text: text === undefined ? (usual.text ?? plainText) : readTileText(read.section('text')),
  };
}

export const dynamicTilesPart: PartDefinition<'processor', DynamicTilesConfig> = {
  id,
  kind: 'processor',
  create: dynamicTiles,
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2404.16821',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/got_ocr2/image_processing_got_ocr2.py',
  },
  types: ['GotOcr2ImageProcessor'],
  read: (section) => readDynamicTiles(section),
  write: ({ tileSize, minTiles, maxTiles, thumbnail, text, ...pixels }) => ({
    image_processor_type: 'GotOcr2ImageProcessor',
    ...writePixelConfig(pixels),
    ...(tileSize === null ? {} : { size: { height: tileSize, width: tileSize } }),
    min_patches: minTiles,
    max_patches: maxTiles,
    use_thumbnail: thumbnail,
    text,
  }),
};
