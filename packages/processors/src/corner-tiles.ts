import { pad, resize, type Raster } from '@weft/image';
import {
  checkConfig,
  bestResolution,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type Picture,
  type ProcessorFactory,
} from '@weft/spec';
import { fileReader } from './file-fields.js';
import { cutTile, fitInto, tileBoxes } from './fit-frame.js';
import { half, readPixelConfig, writePixelConfig, type PixelConfig } from './pixel-config.js';
import { plannedImages } from './planned.js';
import { requirePixels, stackTiles, type Size } from './tiles.js';

export interface CornerTilesConfig extends PixelConfig {
  /** Side of a tile, and longer side of the picture in it, pixels. */
  readonly tileSize: number;
  /** Least shorter side of the picture in a tile, pixels; the picture is stretched to it. */
  readonly leastSide: number;
  /** Resolutions of which a picture is fitted into one and cut into tiles; none keeps it whole. */
  readonly resolutions: readonly (readonly [height: number, width: number])[];
}

const id = 'processor-corner-tiles';

/**
 * Aria's way with pictures: as large as a tile allows, in its upper left corner on black, with a mask that says where the
 * picture is. Where they are split, a picture is first fitted into the best of a list of resolutions and cut, row by row.
 */
export const cornerTiles =
  (config: CornerTilesConfig): ProcessorFactory<ImageProcessor> =>
  ({ encoder, connector, placeholder }) => {
    checkConfig(cornerTilesPart, config);
    const { tileSize, leastSide, filter } = config;
    const side = Math.floor(tileSize / encoder.pixels.patchSize);
    const inCorner = (tile: Raster): Raster =>
      resize(tile, { ...sizeInTile(tile, { tileSize, leastSide }), filter });
    return plannedImages<CornerPlan>({
      id,
      config,
      plan: (size, index) => {
        requirePixels(size, `Picture ${index}`);
        return { resolution: bestResolution(size.width, size.height, config.resolutions) ?? null };
      },
      describe: ({ resolution }) => {
        const perTile = connector.countTokens([side, side]);
        const [height, width] = resolution ?? [tileSize, tileSize];
        const [rows, columns] = [Math.ceil(height / tileSize), Math.ceil(width / tileSize)];
        const tiles = rows * columns;
        return {
          tiles,
          tokens: tiles * perTile,
          formula: tiles === 1 ? `1 view of ${perTile}` : `${rows} x ${columns} tiles of ${perTile}`,
          prompt: placeholder.repeat(tiles * perTile),
        };
      },
      inputs: (pictures, plans) => {
        const tiles = pictures.flatMap((picture, i) => cutPicture(picture, plans[i]!, config).map(inCorner));
        const whole = tiles.map((tile) => {
          const [right, bottom] = [tileSize - tile.width, tileSize - tile.height];
          return pad(tile, { left: 0, top: 0, right, bottom, fill: [0, 0, 0] });
        });
        const area = tileSize * tileSize;
        const mask = new Uint8Array(tiles.length * area);
        for (const [i, tile] of tiles.entries())
          for (let y = 0; y < tile.height; y++) {
            const start = i * area + y * tileSize;
            mask.fill(1, start, start + tile.width);
          }
        return {
          pixel_values: stackTiles(whole, config, tileSize),
          pixel_mask: { dtype: 'uint8', shape: [tiles.length, tileSize, tileSize], data: mask },
        };
      },
    });
  };

interface CornerPlan {
  /** That the picture is cut in; `null` if it stays whole. */
  readonly resolution: readonly [height: number, width: number] | null;
}

function cutPicture(
  picture: Picture,
  { resolution }: CornerPlan,
  { filter, tileSize }: CornerTilesConfig,
): Raster[] {
  if (!resolution) return [picture];
  const frame = { width: resolution[1], height: resolution[0] };
  const laid = fitInto(picture, frame);
  return tileBoxes(frame, tileSize).map((box) => cutTile(picture, laid, box, filter));
}

/** A picture's size in a tile, pixels. */
export function sizeInTile(
  { width, height }: Size,
  { tileSize, leastSide }: Pick<CornerTilesConfig, 'tileSize' | 'leastSide'>,
): Size {
  const scale = tileSize / Math.max(width, height);
  const shorter = (side: number): number => Math.max(Math.trunc(side * scale), leastSide);
  return width >= height
    ? { width: tileSize, height: shorter(height) }
    : { width: shorter(width), height: tileSize };
}

/** Rows and columns of Aria's tiles in the resolutions that its processor knows, in its order. */
const usualGrids = [
  ...[2, 3, 4, 5, 6, 7, 8].map((columns) => [1, columns] as const),
  ...[4, 3, 2, 1].map((columns) => [2, columns] as const),
  ...[3, 4].flatMap((rows) => [[rows, 1] as const, [rows, 2] as const]),
  ...[5, 6, 7, 8].map((rows) => [rows, 1] as const),
];

/**
 * Reads Aria's `preprocessor_config.json`.
 *
 * @param side of a tile where the file says nothing, pixels
 * @throws ConfigError if the least side does not fit into a tile
 */
export function readCornerTiles(config: Json, side = 980): CornerTilesConfig {
  const read = fileReader(config);
  const tileSize = read.count('max_image_size', side);
  const leastSide = read.count('min_image_size', Math.min(336, tileSize));
  if (leastSide > tileSize)
    return read.wrong('min_image_size', `at most a tile's side, max_image_size, which is ${tileSize}`);
  const usual = usualGrids.map(([rows, columns]) => [490 * rows, 490 * columns] as const);
  const listed = read.raw('split_resolutions') ?? usual;
  if (!isResolutions(listed))
    return read.wrong('split_resolutions', 'a list of heights and widths in pixels');
  const found = {
    ...readPixelConfig(read, { filter: 3, mean: half, std: half }),
    tileSize,
    leastSide,
    resolutions: read.flag('split_image', false) ? listed : [],
  };
  read.tellRest();
  return found;
}

const isResolutions = (value: unknown): value is CornerTilesConfig['resolutions'] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(
    (pair) =>
      Array.isArray(pair) && pair.length === 2 && pair.every((side) => Number.isInteger(side) && side >= 1),
  );

export const cornerTilesPart: PartDefinition<'processor', CornerTilesConfig> = {
  id,
  kind: 'processor',
  create: (config) => cornerTiles(checkConfig(cornerTilesPart, config)),
  fields: {
    tileSize: 'count',
    leastSide: 'count',
    resolutions: { list: { list: 'count', length: 2 } },
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
  },
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2410.05993',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/aria/image_processing_aria.py',
  },
  types: ['AriaImageProcessor'],
  read: (section) => readCornerTiles(section),
  write: ({ tileSize, leastSide, resolutions, ...pixels }) => ({
    image_processor_type: 'AriaImageProcessor',
    ...writePixelConfig(pixels),
    max_image_size: tileSize,
    min_image_size: leastSide,
    split_image: resolutions.length > 0,
    ...(resolutions.length > 0 ? { split_resolutions: resolutions } : {}),
  }),
};
