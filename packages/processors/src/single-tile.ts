import { InputError } from '@weft/errors';
import {
  centerBox,
  centerCrop,
  padToSquare,
  resize,
  roundHalfEven,
  squareBorder,
  type Raster,
  type Rgb,
} from '@weft/image';
import {
  checkConfig,
  type ConfigFields,
  type ImageProcessor,
  type Picture,
  type ProcessorFactory,
} from '@weft/spec';
import type { PixelConfig } from './pixel-config.js';
import { plannedImages } from './planned.js';
import { placeViews, type TileText } from './tile-text.js';
import { otherTile, requirePixels, stackTiles, tilesOf, type Size } from './tiles.js';

/** Size of a picture after resizing, pixels. */
export type Resizing =
  /** As it is. */
  | { readonly to: 'own' }
  /** Stretched to these sides. */
  | { readonly to: 'sides'; readonly width: number; readonly height: number }
  /** The shorter side to an edge, or to a smaller one where the longer side would be longer than `most`. */
  | { readonly to: 'shortest'; readonly edge: number; readonly most: number | null }
  /**
   * The longer side to an edge, the encoder's tile where it is `null`, the shorter one at least `least`. It is rounded
   * `down` in Janus's original repository, `half-even` in transformers.
   */
  | {
      readonly to: 'longest';
      readonly edge: number | null;
      readonly least: number;
      readonly rounding: 'down' | 'half-even';
    };

/** How a picture becomes one tile. */
export interface SingleTileConfig extends PixelConfig {
  readonly resizing: Resizing;
  /** Sides of the centre crop, pixels; `null` keeps the resized picture. */
  readonly crop: Size | null;
  /** Colour of the border that makes the picture square first; `null` adds none. */
  readonly squareFill: Rgb | null;
  /** Colour of the border that makes the resized picture square; `null` adds none. */
  readonly borderFill: Rgb | null;
  /** What stands around the placeholder tokens. */
  readonly text: TileText;
}

/** What its configuration may hold. */
export const singleTileFields: ConfigFields<SingleTileConfig> = {
  resizing: {
    by: 'to',
    sections: {
      own: {},
      sides: { width: 'count', height: 'count' },
      shortest: { edge: 'count', most: { nullable: 'count' } },
      longest: { edge: { nullable: 'count' }, least: 'count', rounding: { oneOf: ['down', 'half-even'] } },
    },
  },
  crop: { nullable: { section: { width: 'count', height: 'count' } } },
  squareFill: { nullable: { list: 'number', length: 3 } },
  borderFill: { nullable: { list: 'number', length: 3 } },
  text: { section: { frame: { list: 'text', length: 2 }, tag: 'text', lastTag: 'text' } },
  filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
  mean: { list: 'number' },
  std: { list: 'number' },
  rescale: 'positive',
};

/** What the processor is called in files of compositions. */
export const singleTileId = 'processor-single-tile';

/** One tile for each picture: resized, perhaps cropped, normalised. Of CLIP, SigLIP, LLaVA-1.5 and Janus. */
export const singleTile =
  (config: SingleTileConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
    const { tileSize, tokensPerTile } = tilesOf(context, singleTileId, null);
    checkConfig({ id: singleTileId, fields: singleTileFields }, config);
    requireTiles(config, tileSize);
    const [rows, columns] = context.encoder.grid!;
    const placement = placeViews(1, tokensPerTile, config.text, context);
    const pooled = tokensPerTile === rows * columns ? '' : ` to ${tokensPerTile} tokens`;
    const own = context.cross
      ? placement
      : { ...placement, formula: `${rows} x ${columns} patches${pooled}` };
    return plannedImages<TilePlan>({
      id: singleTileId,
      config,
      plan: (size, index) => {
        requirePixels(size, `Picture ${index}`);
        return planTile(size, config, tileSize, index);
      },
      describe: () => own,
      inputs: (pictures, plans) => {
        const tiles = pictures.map((picture, i) => toTile(picture, plans[i]!, config));
        return { pixel_values: stackTiles(tiles, config, tileSize) };
      },
    });
  };

/** Size of every tile, where it does not depend on the picture; `null` where it does, or is the encoder's. */
function statedTile({ resizing, crop, squareFill, borderFill }: SingleTileConfig): Size | null {
  const square = (edge: number | null): Size | null => (edge === null ? null : { width: edge, height: edge });
  if (crop) return crop;
  if (resizing.to === 'sides' && !borderFill) return resizing;
  if (resizing.to === 'longest' && borderFill) return square(resizing.edge);
  return resizing.to === 'shortest' && squareFill && resizing.most === null ? square(resizing.edge) : null;
}

function requireTiles(config: SingleTileConfig, tileSize: number): void {
  const stated = statedTile(config);
  if (stated && (stated.width !== tileSize || stated.height !== tileSize)) throw otherTile(stated, tileSize);
}

interface TilePlan {
  /** The picture, made square where that comes first, after resizing, pixels. */
  readonly resized: Size;
}

function planTile(
  { width, height }: Size,
  { resizing, crop, squareFill, borderFill }: SingleTileConfig,
  tileSize: number,
  index: number,
): TilePlan {
  const square = (size: Size): Size => {
    const side = Math.max(size.width, size.height);
    return { width: side, height: side };
  };
  const resized = targetOf(squareFill ? square({ width, height }) : { width, height }, resizing, tileSize);
  const tile = crop ?? (borderFill ? square(resized) : resized);
  if (tile.width === tileSize && tile.height === tileSize) return { resized };
  throw new InputError({
    message: `Picture ${index} becomes ${tile.width} x ${tile.height} pixels, but the encoder takes ${tileSize} x ${tileSize}.`,
    where: 'preprocessor_config.json',
    hint: 'size and crop_size must agree with vision_config.image_size.',
  });
}

function toTile(
  picture: Picture,
  { resized: target }: TilePlan,
  { crop, squareFill, borderFill, filter }: SingleTileConfig,
): Raster {
  const border = squareFill ? squareBorder(picture, squareFill) : undefined;
  // A thin picture is resized to many times what the crop keeps of it.
  if (!borderFill)
    return resize(picture, { ...target, filter, border, box: crop ? centerBox(target, crop) : undefined });
  const framed = padToSquare(resize(picture, { ...target, filter, border }), borderFill);
  return crop ? centerCrop(framed, crop) : framed;
}

function targetOf({ width, height }: Size, resizing: Resizing, tileSize: number): Size {
  switch (resizing.to) {
    case 'own':
      return { width, height };
    case 'sides':
      return { width: resizing.width, height: resizing.height };
    case 'shortest': {
      const { edge, most } = resizing;
      const [short, long] = [Math.min(width, height), Math.max(width, height)];
      if (most !== null) return withinMost(width, height, edge, most);
      // Python computes int(size * long / short): one division, so no rounding error of a scale.
      const longer = Math.floor((edge * long) / short);
      return width <= height ? { width: edge, height: longer } : { width: longer, height: edge };
    }
    case 'longest': {
      const { least, rounding } = resizing;
      const edge = resizing.edge ?? tileSize;
      const longest = Math.max(width, height);
      const scaled = (own: number): number =>
        Math.max(
          rounding === 'down' ? Math.trunc((own / longest) * edge) : roundHalfEven(own * (edge / longest)),
          least,
        );
      return { width: scaled(width), height: scaled(height) };
    }
  }
}

/** `get_size_with_aspect_ratio` of transformers: the shorter edge is rounded before the longer one is made of it. */
function withinMost(width: number, height: number, edge: number, most: number): Size {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const fitted = (long / short) * edge > most ? (most * short) / long : null;
  const shorter = fitted === null ? edge : roundHalfEven(fitted);
  if (short === shorter) return { width, height };
  const longer = Math.trunc(((fitted ?? shorter) * long) / short);
  return width < height ? { width: shorter, height: longer } : { width: longer, height: shorter };
}
