import { resize, type Raster } from '@weft/image';
import {
  checkConfig,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type Picture,
  type ProcessorFactory,
} from '@weft/spec';
import { fileReader } from './file-fields.js';
import { cutTile, tileBoxes } from './fit-frame.js';
import { clipMean, clipStd, readPixelConfig, writePixelConfig, type PixelConfig } from './pixel-config.js';
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
  return nearestGrid({ width, height }, tileSize, gridsOf(minTiles, maxTiles));
}

/** All grids of so many tiles, in the reference's order: small ones first, then those of fewer columns. */
const gridsOf = (minTiles: number, maxTiles: number): TileGrid[] => {
  const sides = Array.from({ length: maxTiles }, (_, i) => i + 1);
  return sides
    .flatMap((columns) => sides.map((rows) => ({ rows, columns })))
    .filter(({ rows, columns }) => rows * columns >= minTiles && rows * columns <= maxTiles)
    .toSorted((a, b) => a.rows * a.columns - b.rows * b.columns);
};

function nearestGrid({ width, height }: Size, tileSize: number, grids: readonly TileGrid[]): TileGrid {
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
    checkConfig(dynamicTilesPart, config);
    const { tileSize, tokensPerTile } = tilesOf(context, id, config.tileSize);
    const limits = { ...config, tileSize };
    const grids = gridsOf(config.minTiles, config.maxTiles);
    return plannedImages<TileGrid>({
      id,
      config,
      plan: (size, index) => {
        requirePixels(size, `Picture ${index}`);
        return nearestGrid(size, tileSize, grids);
      },
      describe: (grid) => placeViews(countViews(grid, limits), tokensPerTile, config.text, context),
      inputs: (pictures, plans) => {
        const views = pictures.flatMap((picture, i) => viewsOf(picture, plans[i]!, config, tileSize));
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
  const stretched = { left: 0, top: 0, width: columns * tileSize, height: rows * tileSize };
  const tiles = tileBoxes(stretched, tileSize).map((box) => cutTile(picture, stretched, box, filter));
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
  const read = fileReader(config);
  const isClass = String(config['image_processor_type'] ?? '').startsWith('GotOcr2');
  const normal = isClass ? { mean: clipMean, std: clipStd } : { mean: imagenetMean, std: imagenetStd };
  const size = read.has('size')
    ? (read.size('size', null, true) ?? read.wrong('size', 'a number of pixels'))
    : null;
  if (size && (size.height === undefined || size.height !== size.width))
    return read.wrong('size', 'a number, or equal height and width');
  const [minTiles, maxTiles] = [
    read.count('min_patches', usual.minTiles ?? 1),
    read.count('max_patches', usual.maxTiles ?? 12),
  ];
  if (minTiles > maxTiles) return read.wrong('min_patches', `at most max_patches, which is ${maxTiles}`);
  if (maxTiles > mostTiles) return read.wrong('max_patches', `at most ${mostTiles}`);
  if (!read.flag('do_resize', true) && maxTiles === 1)
    return read.wrong('do_resize', 'true, as pictures are not cut into tiles');
  read.raw('crop_to_patches');
  const found = {
    ...readPixelConfig(read, { filter: 3, ...normal }),
    tileSize: size?.height ?? null,
    minTiles,
    maxTiles,
    thumbnail: read.flag('use_thumbnail', usual.thumbnail ?? true),
    text: read.has('text') ? readTileText(read.section('text', {})) : (usual.text ?? plainText),
  };
  // Older files have a crop, of the class they were first written for.
  read.raw('crop_size');
  read.raw('do_center_crop');
  read.tellRest();
  return found;
}

/** Grids of more tiles are not looked through. */
const mostTiles = 1024;

export const dynamicTilesPart: PartDefinition<'processor', DynamicTilesConfig> = {
  id,
  kind: 'processor',
  create: (config) => dynamicTiles(checkConfig(dynamicTilesPart, config)),
  fields: {
    tileSize: { nullable: 'count' },
    minTiles: 'count',
    maxTiles: 'count',
    thumbnail: 'flag',
    text: { section: { frame: { list: 'text', length: 2 }, tag: 'text', lastTag: 'text' } },
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
  },
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
