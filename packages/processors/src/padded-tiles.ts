import type { Raster, Rgb } from '@weft/image';
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

/** A quotient of whole numbers, the second above 0. */
type Fraction = readonly [numerator: number, denominator: number];

/** Below 0 if the first is less: exact, whatever the size of the picture. */
const compare = (a: Fraction, b: Fraction): number => {
  const difference = BigInt(a[0]) * BigInt(b[1]) - BigInt(b[0]) * BigInt(a[1]);
  return difference < 0n ? -1 : Number(difference > 0n);
};

interface FittedGrid {
  readonly rows: number;
  readonly columns: number;
  readonly scale: Fraction;
  /** Area that the picture leaves. */
  readonly left: Fraction;
  readonly isCovering: boolean;
}

/**
 * MM1.5's grid for a picture that is fitted into it, its proportions kept: of the grids in which it is not made smaller
 * the one with the least room left over, or else the one in which it is made least smaller. Equal grids: the one with
 * less room left over, then the one with fewer tiles, then with fewer rows.
 */
export function planPadded(
  { width, height }: Size,
  { tileSize, minTiles, maxTiles }: PaddedLimits,
): PaddedPlan {
  let best: FittedGrid | undefined;
  for (let rows = 1; rows <= maxTiles; rows++)
    for (let columns = Math.ceil(minTiles / rows); rows * columns <= maxTiles; columns++) {
      const grid = fit({ width, height }, rows, columns, tileSize);
      if (!best || isBetter(grid, best)) best = grid;
    }
  const { rows, columns, scale } = best!;
  const side = (length: number, most: number): number =>
    Math.min(Math.max(1, Math.floor((2 * length * scale[0] + scale[1]) / (2 * scale[1]))), most);
  return { rows, columns, width: side(width, columns * tileSize), height: side(height, rows * tileSize) };
}

function fit({ width, height }: Size, rows: number, columns: number, tileSize: number): FittedGrid {
  const [across, down] = [columns * tileSize, rows * tileSize];
  const isTall = down * width <= across * height;
  return {
    rows,
    columns,
    scale: isTall ? [down, height] : [across, width],
    left: isTall
      ? [down * (across * height - down * width), height]
      : [across * (down * width - across * height), width],
    isCovering: down >= height && across >= width,
  };
}

function isBetter(grid: FittedGrid, best: FittedGrid): boolean {
  if (grid.isCovering !== best.isCovering) return grid.isCovering;
  const larger = grid.isCovering ? 0 : compare(grid.scale, best.scale);
  if (larger !== 0) return larger > 0;
  const roomier = compare(grid.left, best.left);
  if (roomier !== 0) return roomier < 0;
  return (grid.rows * grid.columns - best.rows * best.columns || grid.rows - best.rows) < 0;
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
  const tilesOfPlan = ({ width, height, rows, columns }: PaddedPlan): Raster[] => {
    const laid = { left: 0, top: 0, width, height };
    const frame = { width: columns * tileSize, height: rows * tileSize };
    return tileBoxes(frame, tileSize).map((box) => cutTile(picture, laid, box, filter, fill));
  };
  const tiles = tilesOfPlan(grid);
  return tiles.length === 1 ? tiles : [...tiles, ...tilesOfPlan(whole)];
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
