import { ConfigError } from '@weft/errors';
import { writePixelValues } from '@weft/image';
import {
  checkConfig,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type PixelLayout,
  type ProcessorFactory,
} from '@weft/spec';
import { fileReader } from './file-fields.js';
import { cutTile } from './fit-frame.js';
import { half, readPixelConfig, writePixelConfig, type PixelConfig } from './pixel-config.js';
import { plannedImages } from './planned.js';
import { requirePixels, type Size } from './tiles.js';

/** How pictures are laid on a canvas of tiles. */
export interface CanvasTilesConfig extends PixelConfig {
  /** Height and width of a tile, pixels; `null` for the encoder's. */
  readonly tileSize: readonly [height: number, width: number] | null;
  /** `null` for as many as the encoder takes. */
  readonly maxTiles: number | null;
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
export function planCanvas(
  { width, height }: Size,
  { tileSize, canvases: known }: Required<Pick<PixelLayout, 'tileSize' | 'canvases'>>,
): CanvasPlan {
  const side = tileSize!;
  const canvases = known!.map(([rows, columns], i) => {
    const scale = Math.min((rows * side) / height, (columns * side) / width);
    return { rows, columns, aspectRatioId: i + 1, scale };
  });
  const enlarging = canvases.map(({ scale }) => scale).filter((scale) => scale >= 1);
  const best =
    enlarging.length > 0 ? Math.min(...enlarging) : Math.max(...canvases.map(({ scale }) => scale));
  const [{ rows, columns, aspectRatioId }] = canvases
    .filter(({ scale }) => scale === best)
    .toSorted((a, b) => a.rows * a.columns - b.rows * b.columns) as [(typeof canvases)[number]];

  const fit = (own: number, most: number): number => Math.min(Math.max(own, side), most);
  const target = { width: fit(width, columns * side), height: fit(height, rows * side) };
  const [acrossScale, downScale] = [target.width / width, target.height / height];
  const scaled = (own: number, scale: number, most: number): number =>
    Math.min(Math.floor(own * scale) || 1, most);
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

const id = 'processor-canvas-tiles';

/**
 * Llama 3.2 Vision's tiles: a picture is laid into the upper left corner of a canvas of tiles, the rest of which stays
 * black, and cut row by row. Missing tiles are filled up with zeros; cross-attention does not see them.
 *
 * @throws ConfigError if the encoder knows no arrangements of tiles, or takes other tiles
 */
export const canvasTiles =
  (config: CanvasTilesConfig): ProcessorFactory<ImageProcessor> =>
  ({ encoder, connector, placeholder }) => {
    checkConfig(canvasTilesPart, config);
    const { filter } = config;
    const { tileSize, maxTiles, canvases } = requireCanvases(encoder, config);
    const tokensPerTile = connector.countTokens(encoder.grid!);
    const all = Array.from({ length: maxTiles }, (_, i) => i);
    return plannedImages<CanvasPlan>({
      id,
      config,
      plan: (size, index) => {
        requirePixels(size, `Picture ${index}`);
        return planCanvas(size, { tileSize, canvases });
      },
      describe: ({ rows, columns }) => ({
        tiles: rows * columns,
        tokens: 1,
        formula: `1 token; ${rows} x ${columns} tiles, in ${maxTiles} x ${tokensPerTile} embeddings for cross-attention`,
        prompt: placeholder,
        // All tiles have keys, those that fill up as well.
        cross: { tiles: all, seen: rows * columns, placed: [] },
      }),
      inputs: (pictures, plans) => {
        const size = 3 * tileSize * tileSize;
        const data = new Float32Array(pictures.length * maxTiles * size);
        for (const [i, { rows, columns, width, height }] of plans.entries()) {
          const laid = { left: 0, top: 0, width, height };
          for (let tile = 0; tile < rows * columns; tile++) {
            const [top, left] = [Math.floor(tile / columns) * tileSize, (tile % columns) * tileSize];
            const box = { left, top, width: tileSize, height: tileSize };
            const view = cutTile(pictures[i]!, laid, box, filter);
            writePixelValues(view, config, data, (i * maxTiles + tile) * size);
          }
        }
        const count = pictures.length;
        const ids = BigInt64Array.from(plans, ({ aspectRatioId }) => BigInt(aspectRatioId));
        const mask = BigInt64Array.from(
          plans.flatMap(({ rows, columns }) => all.map((i) => BigInt(i < rows * columns))),
        );
        return {
          pixel_values: { dtype: 'float32', shape: [1, count, maxTiles, 3, tileSize, tileSize], data },
          aspect_ratio_ids: { dtype: 'int64', shape: [1, count], data: ids },
          aspect_ratio_mask: { dtype: 'int64', shape: [1, count, maxTiles], data: mask },
        };
      },
    });
  };

function requireCanvases(
  { id: encoder, pixels }: { readonly id: string; readonly pixels: PixelLayout },
  config: CanvasTilesConfig,
) {
  const { tileSize, maxTiles, canvases } = pixels;
  if (tileSize === undefined || maxTiles === undefined || canvases === undefined)
    throw new ConfigError({
      message: `${id} arranges tiles as the encoder numbers them, but ${encoder} has no such numbers.`,
      hint: 'Use mllamaVision of @weft/encoder-mllama, or dynamicTiles.',
    });
  const [height, width] = config.tileSize ?? [tileSize, tileSize];
  const most = config.maxTiles ?? maxTiles;
  if (height !== tileSize || width !== tileSize || most !== maxTiles)
    throw new ConfigError({
      message: `The file of the image processor (processor_config.json or preprocessor_config.json) makes ${most} tiles of ${width} x ${height} pixels, but the encoder of config.json takes ${maxTiles} of ${tileSize} x ${tileSize}.`,
      hint: 'size and max_image_tiles must agree with image_size and max_num_tiles of vision_config.',
    });
  return { tileSize, maxTiles, canvases };
}

/** Reads Llama 3.2 Vision's `preprocessor_config.json`. @throws ConfigError naming the field that cannot be read */
export function readCanvasTiles(config: Json): CanvasTilesConfig {
  const read = fileReader(config);
  const size = read.has('size') ? read.size('size', null, true) : undefined;
  const { height, width } = size ?? {};
  if (size !== undefined && (height === undefined || height !== width))
    return read.wrong('size', 'a number, or equal height and width');
  for (const flag of ['do_resize', 'do_pad']) if (!read.flag(flag, true)) return read.wrong(flag, 'true');
  const found = {
    ...readPixelConfig(read, { filter: 2, mean: half, std: half }),
    tileSize: height === undefined ? null : ([height, width!] as const),
    maxTiles: read.has('max_image_tiles') ? read.count('max_image_tiles', 4) : null,
  };
  read.tellRest();
  return found;
}

export const canvasTilesPart: PartDefinition<'processor', CanvasTilesConfig> = {
  id,
  kind: 'processor',
  create: (config) => canvasTiles(checkConfig(canvasTilesPart, config)),
  fields: {
    tileSize: { nullable: { list: 'count', length: 2 } },
    maxTiles: { nullable: 'count' },
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
  },
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2407.21783',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/mllama/image_processing_mllama.py',
  },
  types: ['MllamaImageProcessor'],
  read: readCanvasTiles,
  write: ({ tileSize, maxTiles, ...pixels }) => ({
    image_processor_type: 'MllamaImageProcessor',
    ...writePixelConfig(pixels),
    ...(tileSize === null ? {} : { size: { height: tileSize[0], width: tileSize[1] } }),
    ...(maxTiles === null ? {} : { max_image_tiles: maxTiles }),
  }),
};
