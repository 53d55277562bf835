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
import type { ImageProcessor, Json, PartDefinition, Picture, ProcessorFactory } from '@weft/spec';
import {
  clipMean,
  clipStd,
  readPixelConfig,
  readSize,
  rgbOfMean,
  writePixelConfig,
  type PixelConfig,
} from './pixel-config.js';
import { plannedImages } from './planned.js';
import { plainText, placeViews, readTileText, type TileText } from './tile-text.js';
import { requirePixels, stackTiles, tilesOf, type Size } from './tiles.js';

/** Size of a picture after resizing, pixels. */
export type Resizing =
  /** As it is. */
  | { readonly to: 'own' }
  /** Stretched to these sides. */
  | { readonly to: 'sides'; readonly width: number; readonly height: number }
  /** The shorter side to an edge. */
  | { readonly to: 'shortest'; readonly edge: number }
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

const id = 'processor-single-tile';

/** One tile for each picture: resized, perhaps cropped, normalised. Of CLIP, SigLIP, LLaVA-1.5 and Janus. */
export const singleTile =
  (config: SingleTileConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
    const { tileSize, tokensPerTile } = tilesOf(context, id, null);
    const [rows, columns] = context.encoder.grid!;
    const placement = placeViews(1, tokensPerTile, config.text, context);
    const pooled = tokensPerTile === rows * columns ? '' : ` to ${tokensPerTile} tokens`;
    const own = context.cross
      ? placement
      : { ...placement, formula: `${rows} x ${columns} patches${pooled}` };
    return plannedImages<TilePlan>({
      id,
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
      // Python computes int(size * long / short): one division, so no rounding error of a scale.
      const { edge } = resizing;
      return width <= height
        ? { width: edge, height: Math.floor((edge * height) / width) }
        : { width: Math.floor((edge * width) / height), height: edge };
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

/** CLIP's steps: shortest side to the size, centre crop; LLaVA's `do_pad` pads to a square instead of cropping. */
export function readClipProcessor(config: Json): SingleTileConfig {
  const pixels = readPixelConfig(config, { filter: 3, mean: clipMean, std: clipStd });
  const size = readSize(config['size'] ?? { shortest_edge: 224 }, 'size');
  const crop =
    config['do_center_crop'] === false
      ? null
      : readSize(config['crop_size'] ?? { height: 224, width: 224 }, 'crop_size');
  const resizing: Resizing =
    size.shortestEdge === undefined
      ? { to: 'sides', width: size.width!, height: size.height! }
      : { to: 'shortest', edge: size.shortestEdge };
  return {
    ...pixels,
    resizing: config['do_resize'] === false ? { to: 'own' } : resizing,
    crop: crop && { width: crop.width ?? crop.shortestEdge!, height: crop.height ?? crop.shortestEdge! },
    squareFill: config['do_pad'] === true ? rgbOfMean(pixels.mean) : null,
    borderFill: null,
    text: textOf(config),
  };
}

/** SigLIP's steps: resized to the square, aspect not kept. */
export function readSiglipProcessor(config: Json): SingleTileConfig {
  const half = [0.5, 0.5, 0.5];
  const size = readSize(config['size'] ?? { height: 224, width: 224 }, 'size');
  return {
    ...readPixelConfig(config, { filter: 3, mean: half, std: half }),
    resizing:
      config['do_resize'] === false
        ? { to: 'own' }
        : { to: 'sides', width: size.width!, height: size.height! },
    crop: null,
    squareFill: null,
    borderFill: null,
    text: textOf(config),
  };
}

/** Janus's tokens around a picture. */
const janusText: TileText = { ...plainText, frame: ['<begin_of_image>', '<end_of_image>'] };

/**
 * Janus's steps: the longer side to the size, then a border of the mean colour.
 *
 * @param rounding of the shorter side: `down` in the original repository, `half-even` in transformers
 */
export function readJanusProcessor(config: Json, rounding: 'down' | 'half-even'): SingleTileConfig {
  const half = [0.5, 0.5, 0.5];
  const usual = rounding === 'down' ? { mean: half, std: half } : { mean: clipMean, std: clipStd };
  const size = config['size'] ?? config['image_size'] ?? null;
  // Where pixels are not normalised the border has the colour of the mean all the same.
  const mean = config['image_mean'] ?? usual.mean;
  return {
    ...readPixelConfig(config, { filter: 3, ...usual }),
    resizing:
      config['do_resize'] === false
        ? { to: 'own' }
        : {
            to: 'longest',
            edge: size === null ? null : (readSize(size, 'size').height ?? null),
            least: Number(config['min_size'] ?? 14),
            rounding,
          },
    crop: null,
    squareFill: null,
    borderFill: config['do_pad'] === false ? null : rgbOfMean(mean),
    text: config['text'] === undefined ? janusText : textOf(config),
  };
}

const textOf = (config: Json): TileText =>
  config['text'] === undefined ? plainText : readTileText(config['text'] as Json);

function readSingleTile(config: Json): SingleTileConfig {
  const type = String(config['image_processor_type'] ?? '');
  const own =
    type.startsWith('Janus') || type.startsWith('VLM')
      ? readJanusProcessor(config, type.startsWith('VLM') ? 'down' : 'half-even')
      : type.startsWith('Siglip')
        ? readSiglipProcessor(config)
        : readClipProcessor(config);
  // What the classes make of the mean stands in the file where a picture was saved with another colour.
  const colour = (name: string, usual: Rgb | null): Rgb | null =>
    config[name] === undefined ? usual : (config[name] as Rgb | null);
  return {
    ...own,
    squareFill: colour('square_fill', own.squareFill),
    borderFill: colour('border_fill', own.borderFill),
  };
}

function writeSingleTile({
  resizing,
  crop,
  squareFill,
  borderFill,
  text,
  ...pixels
}: SingleTileConfig): Json | undefined {
  const isJanus = resizing.to === 'longest' || borderFill !== null;
  const isClip = resizing.to === 'shortest' || crop !== null || squareFill !== null;
  // No class frames a resized picture and crops or stretches it.
  if (isJanus && (isClip || resizing.to === 'sides')) return undefined;
  const janusType = resizing.to === 'longest' && resizing.rounding === 'down' ? 'VLM' : 'Janus';
  return {
    image_processor_type: `${isJanus ? janusType : isClip ? 'CLIP' : 'Siglip'}ImageProcessor`,
    ...writePixelConfig(pixels),
    do_resize: resizing.to !== 'own',
    ...(resizing.to === 'sides' ? { size: { height: resizing.height, width: resizing.width } } : {}),
    ...(resizing.to === 'shortest' ? { size: { shortest_edge: resizing.edge } } : {}),
    ...(resizing.to === 'longest'
      ? { ...(resizing.edge === null ? {} : { size: resizing.edge }), min_size: resizing.least }
      : {}),
    ...(isJanus ? { do_pad: borderFill !== null, border_fill: borderFill } : {}),
    ...(isClip
      ? {
          do_center_crop: crop !== null,
          ...(crop === null ? {} : { crop_size: crop }),
          do_pad: squareFill !== null,
          ...(squareFill === null ? {} : { square_fill: squareFill }),
        }
      : {}),
    text,
  };
}

export const singleTilePart: PartDefinition<'processor', SingleTileConfig> = {
  id,
  kind: 'processor',
  create: singleTile,
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2103.00020',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/clip/image_processing_clip.py',
  },
  types: [
    'CLIPImageProcessor',
    'LlavaImageProcessor',
    // CLIP's under another name, in the files of DINOv2.
    'BitImageProcessor',
    'SiglipImageProcessor',
    'JanusImageProcessor',
    'VLMImageProcessor',
  ],
  read: readSingleTile,
  write: writeSingleTile,
};
