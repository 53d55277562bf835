import { pad, resize, type Raster, type Rgb } from '@weft/image';
import {
  checkConfig,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type Picture,
  type ProcessorFactory,
} from '@weft/spec';
import { fileReader } from './file-fields.js';
import { cutTiles } from './fit-frame.js';
import { clipMean, clipStd, readPixelConfig, writePixelConfig, type PixelConfig } from './pixel-config.js';
import { plannedImages } from './planned.js';
import { requirePixels, stackTiles, tilesOf, type Size } from './tiles.js';

/** How pictures are fitted into tiles. */
export interface PaddedTilesConfig extends PixelConfig {
  /** Fewest tiles of a picture, the view of the whole not counted. */
  readonly minTiles: number;
  readonly maxTiles: number;
  /** Conversations with this many pictures or more show each of them whole only. */
  readonly wholeFrom: number;
  /** Text that tells tiles apart: number of the picture, row and column, `(0,1,2)`, or none. */
  readonly indicators: 'index' | 'none';
  /** Colour of what the picture does not fill. */
  readonly fill: Rgb;
}

/** Rows and columns of tiles, and the size of the picture within them in pixels. */
export interface PaddedPlan extends Size {
  readonly rows: number;
  readonly columns: number;
}

/** What the grid of a picture depends on. */
export interface PaddedLimits extends Pick<PaddedTilesConfig, 'minTiles' | 'maxTiles'> {
  /** Side of a tile, pixels. */
  readonly tileSize: number;
}

/** Areas that differ by less are equal, pixels: what is left of rounding. */
const rounding = 1e-3;

/**
 * MM1.5's grid for a picture that is fitted into it, its proportions kept: of the grids in which it is not made smaller
 * the one with the least room left over, or else the one in which it is made least smaller. Equal grids: the one with
 * less room left over, then the one with fewer tiles, then with fewer rows.
 */
export function planPadded(
  { width, height }: Size,
  { tileSize, minTiles, maxTiles }: PaddedLimits,
): PaddedPlan {
  const sides = Array.from({ length: maxTiles }, (_, i) => i + 1);
  const grids = sides
    .flatMap((rows) => sides.map((columns) => ({ rows, columns, tiles: rows * columns })))
    .filter(({ tiles }) => tiles >= minTiles && tiles <= maxTiles)
    .map((grid) => {
      const scale = Math.min((grid.rows * tileSize) / height, (grid.columns * tileSize) / width);
      const left = grid.tiles * tileSize ** 2 - width * height * scale ** 2;
      return { ...grid, scale, left };
    });
  const covering = grids.filter(({ scale }) => scale >= 1);
  const order = (a: (typeof grids)[number], b: (typeof grids)[number]): number => {
    if (covering.length === 0 && a.scale !== b.scale) return b.scale - a.scale;
    if (Math.abs(a.left - b.left) > rounding) return a.left - b.left;
    return a.tiles - b.tiles || a.rows - b.rows;
  };
  const [{ rows, columns, scale }] = (covering.length > 0 ? covering : grids).toSorted(order) as [
    (typeof grids)[number],
  ];
  return { rows, columns, ...scaled({ width, height }, scale, { rows, columns }, tileSize) };
}

/** A picture's size at a scale, at least a pixel and at most what the tiles hold. */
function scaled(
  { width, height }: Size,
  scale: number,
  { rows, columns }: Pick<PaddedPlan, 'rows' | 'columns'>,
  tileSize: number,
): Size {
  const side = (length: number, most: number): number =>
    Math.min(Math.max(1, Math.round(length * scale)), most);
  return { width: side(width, columns * tileSize), height: side(height, rows * tileSize) };
}

const id = 'processor-padded-tiles';

/**
 * MM1.5's views of a picture: fitted into the best grid of tiles, the rest filled with one colour, cut row by row, and
 * seen once more as a whole, last, unless there is one tile only. A text before each of them says where it is: number of
 * the picture from 0, row and column from 1, and 0 and 0 for the whole.
 */
export const paddedTiles =
  (config: PaddedTilesConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
    checkConfig(paddedTilesPart, config);
    const { placeholder } = context;
    const { tileSize, tokensPerTile } = tilesOf(context, id, null);
    const { wholeFrom, minTiles, maxTiles } = config;
    return plannedImages<ViewsPlan>({
      id,
      config,
      plan: (size, index, total) => {
        requirePixels(size, `Picture ${index}`);
        const whole = planPadded(size, { tileSize, minTiles: 1, maxTiles: 1 });
        const grid = total >= wholeFrom ? whole : planPadded(size, { tileSize, minTiles, maxTiles });
        return { grid, whole };
      },
      describe: ({ grid: { rows, columns } }, index) => {
        const places = placesOf(rows, columns);
        return {
          tiles: places.length,
          tokens: places.length * tokensPerTile,
          formula:
            places.length === 1
              ? `1 view of ${tokensPerTile}`
              : `(${rows} x ${columns} tiles + 1) of ${tokensPerTile}`,
          prompt: places
            .map(([row, column]) => {
              const indicator = config.indicators === 'index' ? `(${index},${row},${column})` : '';
              return indicator + placeholder.repeat(tokensPerTile);
            })
            .join(''),
        };
      },
      inputs: (pictures, plans) => {
        const views = pictures.flatMap((picture, i) => viewsOf(picture, plans[i]!, config, tileSize));
        return { pixel_values: stackTiles(views, config, tileSize) };
      },
    });
  };

/** The picture in its tiles, and as a whole in one. */
interface ViewsPlan {
  readonly grid: PaddedPlan;
  readonly whole: PaddedPlan;
}

/** Row and column of each view, in order. */
function placesOf(rows: number, columns: number): (readonly [row: number, column: number])[] {
  const whole = [0, 0] as const;
  if (rows * columns === 1) return [whole];
  const tiles = Array.from(
    { length: rows * columns },
    (_, i) => [Math.floor(i / columns) + 1, (i % columns) + 1] as const,
  );
  return [...tiles, whole];
}

function viewsOf(
  picture: Picture,
  { grid, whole }: ViewsPlan,
  { filter, fill }: PaddedTilesConfig,
  tileSize: number,
): Raster[] {
  const fitted = ({ width, height, rows, columns }: PaddedPlan): Raster => {
    const [right, bottom] = [columns * tileSize - width, rows * tileSize - height];
    return pad(resize(picture, { width, height, filter }), { left: 0, top: 0, right, bottom, fill });
  };
  const tiles = cutTiles(fitted(grid), tileSize);
  return tiles.length === 1 ? tiles : [...tiles, fitted(whole)];
}

/**
 * Reads the `preprocessor_config.json` of an MM1.5: `min_tiles` and `max_tiles` (4 and 9 as in its training),
 * `whole_from`, `indicators`, `fill` (the colour of the mean), and the common fields.
 *
 * @throws ConfigError if there is no grid of that many tiles, or a field is not of its type
 */
export function readPaddedTiles(config: Json): PaddedTilesConfig {
  const read = fileReader(config);
  const pixels = readPixelConfig(read, { filter: 3, mean: clipMean, std: clipStd });
  const [minTiles, maxTiles] = [read.count('min_tiles', 4), read.count('max_tiles', 9)];
  if (maxTiles < minTiles) return read.wrong('max_tiles', `at least min_tiles, which is ${minTiles}`);
  if (maxTiles > mostTiles) return read.wrong('max_tiles', `at most ${mostTiles}`);
  const usual = pixels.mean.map((mean) => Math.round(mean / pixels.rescale));
  const found = {
    ...pixels,
    minTiles,
    maxTiles,
    wholeFrom: read.count('whole_from', 3),
    indicators: read.oneOf('indicators', ['index', 'none'], 'index'),
    fill: (read.channels('fill', usual) ?? read.wrong('fill', 'a colour')) as Rgb,
  };
  read.tellRest();
  return found;
}

/** Grids of more tiles are not looked through. */
const mostTiles = 1024;

export const paddedTilesPart: PartDefinition<'processor', PaddedTilesConfig> = {
  id,
  kind: 'processor',
  create: (config) => paddedTiles(checkConfig(paddedTilesPart, config)),
  fields: {
    minTiles: 'count',
    maxTiles: 'count',
    wholeFrom: 'count',
    indicators: { oneOf: ['none', 'index'] },
    fill: { list: 'number', length: 3 },
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
  },
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2409.20566',
    code: 'composed from the paper; there is no public code',
  },
  types: ['MM15ImageProcessor'],
  read: readPaddedTiles,
  write: ({ minTiles, maxTiles, wholeFrom, indicators, fill, ...pixels }) => ({
    image_processor_type: 'MM15ImageProcessor',
    ...writePixelConfig(pixels),
    min_tiles: minTiles,
    max_tiles: maxTiles,
    whole_from: wholeFrom,
    indicators,
    fill,
  }),
};
