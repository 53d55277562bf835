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
import { half, readPixelConfig, writePixelConfig, type PixelConfig } from './pixel-config.js';
import { plannedImages } from './planned.js';
import { requirePixels, stackTiles, tilesOf, type Size } from './tiles.js';

/** Texts that stand among the placeholder tokens of a picture's views. */
export interface SplitTokens {
  /** Before each view, and after the last. */
  readonly around: string;
  /** Before the view of the whole. */
  readonly whole: string;
  /** Before a tile; `{row}` and `{column}` count from 1. */
  readonly tile: string;
}

export interface SplitTilesConfig extends PixelConfig {
  readonly resize: boolean;
  /** The longest side after the first resizing, pixels. */
  readonly longestEdge: number;
  /** Side of a tile, pixels; `null` for the encoder's. */
  readonly tileSize: number | null;
  readonly split: boolean;
  readonly tokens: SplitTokens;
}

/** Sides above this are scaled down once more; the reference's constant. */
const largestSide = 4096;

const id = 'processor-split-tiles';

/**
 * Idefics3's and SmolVLM's tiles: a picture is enlarged or reduced to a longest side, stretched to whole tiles, cut
 * row by row, and seen once more as a whole, last. Each step resizes bytes, so rounding happens in between.
 */
export const splitTiles =
  (config: SplitTilesConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
    checkConfig(splitTilesPart, config);
    const { tileSize, tokensPerTile } = tilesOf(context, id, config.tileSize);
    const view = context.placeholder.repeat(tokensPerTile);
    return plannedImages<SplitPlan>({
      id,
      config,
      zeroViews: 'padding',
      plan: (size, index) => {
        requirePixels(size, `Picture ${index}`);
        return planSplit(size, config, tileSize);
      },
      describe: ({ rows, columns }) => {
        const tiles = rows * columns + 1;
        return {
          tiles,
          tokens: tiles * tokensPerTile,
          formula:
            rows * columns === 0
              ? `1 view of ${tokensPerTile}`
              : `(${rows} x ${columns} tiles + 1) of ${tokensPerTile}`,
          prompt: promptOf(rows, columns, view, config.tokens),
        };
      },
      inputs: (pictures, plans) => {
        const views = pictures.flatMap((picture, i) => viewsOf(picture, plans[i]!, config, tileSize));
        return { pixel_values: stackTiles(views, config, tileSize) };
      },
    });
  };

/** First size, size in whole tiles, and the grid; 0 x 0 when the picture stays one view. */
interface SplitPlan {
  readonly first: Size;
  readonly whole: Size;
  readonly rows: number;
  readonly columns: number;
}

function planSplit(
  size: Size,
  { resize: enlarge, longestEdge, split }: SplitTilesConfig,
  tileSize: number,
): SplitPlan {
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

function viewsOf(
  picture: Picture,
  { first, whole, rows, columns }: SplitPlan,
  { filter }: SplitTilesConfig,
  tileSize: number,
): Raster[] {
  const square = { width: tileSize, height: tileSize, filter };
  const resized = resize(resize(picture, { ...first, filter }), { ...whole, filter });
  const all = resize(resized, square);
  if (rows * columns === 0) return [all];
  const laid = { left: 0, top: 0, ...whole };
  return [...tileBoxes(whole, tileSize).map((box) => cutTile(resized, laid, box, filter)), all];
}

function promptOf(rows: number, columns: number, view: string, { around, whole, tile }: SplitTokens): string {
  const last = `${around}${whole}${view}${around}`;
  if (rows * columns === 0) return last;
  let text = '';
  for (let row = 1; row <= rows; row++) {
    for (let column = 1; column <= columns; column++)
      text += around + tile.replace('{row}', String(row)).replace('{column}', String(column)) + view;
    text += '\n';
  }
  return `${text}\n${last}`;
}

/** Reads an Idefics3 or SmolVLM `preprocessor_config.json`. @throws ConfigError naming the field that cannot be read */
export function readSplitTiles(config: Json): SplitTilesConfig {
  const read = fileReader(config);
  const size = read.size('size', { longestEdge: 1456 }, true);
  // The class looks this one up by its key, so that no other form of a size will do.
  const tile = read.has('max_image_size') ? read.section('max_image_size', {}) : null;
  const texts = fileReader(read.section('tokens', {}));
  const resizes = read.flag('do_resize', true);
  if (size?.longestEdge === undefined && resizes) return read.wrong('size', 'longest_edge');
  read.flag('do_pad', true);
  read.raw('return_row_col_info');
  const found = {
    ...readPixelConfig(read, { filter: 1, mean: half, std: half }),
    resize: resizes,
    longestEdge: size?.longestEdge ?? 1456,
    tileSize: tile && fileReader(tile).count('longest_edge', 0),
    split: read.flag('do_image_splitting', true),
    tokens: {
      around: texts.text('around', '<fake_token_around_image>'),
      whole: texts.text('whole', '<global-img>'),
      tile: texts.text('tile', '<row_{row}_col_{column}>'),
    },
  };
  read.tellRest();
  return found;
}

export const splitTilesPart: PartDefinition<'processor', SplitTilesConfig> = {
  id,
  kind: 'processor',
  create: (config) => splitTiles(checkConfig(splitTilesPart, config)),
  fields: {
    resize: 'flag',
    longestEdge: 'count',
    tileSize: { nullable: 'count' },
    split: 'flag',
    tokens: { section: { around: 'text', whole: 'text', tile: 'text' } },
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
  },
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2408.12637',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/idefics3/image_processing_idefics3.py',
  },
  types: ['Idefics3ImageProcessor', 'SmolVLMImageProcessor'],
  read: readSplitTiles,
  write: ({ resize: doResize, longestEdge, tileSize, split, tokens, ...pixels }) => ({
    image_processor_type: 'Idefics3ImageProcessor',
    ...writePixelConfig(pixels),
    do_resize: doResize,
    size: { longest_edge: longestEdge },
    ...(tileSize === null ? {} : { max_image_size: { longest_edge: tileSize } }),
    do_image_splitting: split,
    tokens,
  }),
};
