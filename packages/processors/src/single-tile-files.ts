import type { Rgb } from '@weft/image';
import { checkConfig, type Json, type PartDefinition } from '@weft/spec';
import { fileReader, square, type FileReader, type StatedSize } from './file-fields.js';
import {
  clipMean,
  clipStd,
  half,
  readPixelConfig,
  rgbOfMean,
  writePixelConfig,
  type PixelDefaults,
} from './pixel-config.js';
import {
  singleTile,
  singleTileFields,
  singleTileId,
  type Resizing,
  type SingleTileConfig,
} from './single-tile.js';
import { plainText, readTileText, type TileText } from './tile-text.js';
import type { Size } from './tiles.js';

/** What a class of transformers that resizes and crops takes where its file says nothing. */
interface CropClass extends PixelDefaults {
  readonly size: StatedSize;
  /** Whether a size given as a number is a square, not the shorter edge. */
  readonly isSquare: boolean;
  /** Side of the centre crop, pixels; `null` where the class does not crop unless its file says so. */
  readonly crop: number | null;
  /** Whether `do_pad` makes a picture square first; other classes fill up a batch, which changes no single tile. */
  readonly padsToSquare?: boolean;
}

const clipClass: CropClass = {
  size: { shortestEdge: 224 },
  isSquare: false,
  crop: 224,
  filter: 3,
  mean: clipMean,
  std: clipStd,
};
const plainClass: CropClass = {
  size: square(224),
  isSquare: true,
  crop: null,
  filter: 2,
  mean: half,
  std: half,
};

/** Classes of transformers 5.18 that make one tile of a picture by its general steps, with their class attributes. */
const cropClasses = {
  CLIPImageProcessor: clipClass,
  LlavaImageProcessor: { ...clipClass, padsToSquare: true },
  // CLIP's under another name, in the files of DINOv2.
  BitImageProcessor: clipClass,
  SiglipImageProcessor: { ...plainClass, isSquare: false, filter: 3 },
  ViTImageProcessor: plainClass,
  BlipImageProcessor: { ...plainClass, size: square(384), filter: 3, mean: clipMean, std: clipStd },
  DeiTImageProcessor: { ...plainClass, size: square(256), crop: 224, filter: 3 },
} satisfies Readonly<Record<string, CropClass>>;

type CropClassName = keyof typeof cropClasses;

/** The colour of the mean, which a class makes of a list only. */
function meanColour(read: FileReader, usual: readonly number[]): Rgb {
  if (typeof read.raw('image_mean') === 'number')
    return read.wrong('image_mean', 'one number for each channel, as its colour fills the border');
  return rgbOfMean(read.channels('image_mean', usual) ?? [127 / 255]);
}

function resizingOf(read: FileReader, { size: usual, isSquare: isUsual }: CropClass): Resizing {
  // Only the size of a picture that is resized is looked at.
  const isSquare =
    read.raw('default_to_square') === undefined ? isUsual : read.flag('default_to_square', isUsual);
  const size = read.size('size', usual, isSquare);
  if (!read.flag('do_resize', true)) return { to: 'own' };
  const { shortestEdge, longestEdge, height, width } = size ?? {};
  if (shortestEdge !== undefined) return { to: 'shortest', edge: shortestEdge, most: longestEdge ?? null };
  if (height !== undefined && width !== undefined) return { to: 'sides', width, height };
  return read.wrong('size', 'shortest_edge, or height and width');
}

function cropOf(read: FileReader, usual: number | null): Size | null {
  const crop = read.size('crop_size', usual === null ? null : square(usual), true);
  if (!read.flag('do_center_crop', usual !== null)) return null;
  const { height, width } = crop ?? {};
  if (height === undefined || width === undefined)
    return read.wrong('crop_size', 'a number, or height and width');
  return { width, height };
}

/** A class's steps: perhaps a square first, resized, perhaps cropped. */
function readCropClass(config: Json, usual: CropClass): SingleTileConfig {
  const read = fileReader(config);
  const pads = read.flag('do_pad', false);
  if (pads && read.raw('pad_size') !== undefined && read.raw('pad_size') !== null)
    return read.wrong('pad_size', 'none: the encoder takes tiles of its own size');
  return finish(read, {
    ...readPixelConfig(read, usual),
    resizing: resizingOf(read, usual),
    crop: cropOf(read, usual.crop),
    squareFill: pads && usual.padsToSquare ? meanColour(read, usual.mean) : null,
    borderFill: null,
    text: textOf(read, plainText),
  });
}

/** Colours that a saved picture was given instead of those that its class makes of the mean. */
function finish(read: FileReader, own: SingleTileConfig): SingleTileConfig {
  const colour = (name: string, usual: Rgb | null): Rgb | null =>
    read.has(name) ? (read.channels(name, []) as Rgb | null) : usual;
  const found = {
    ...own,
    squareFill: colour('square_fill', own.squareFill),
    borderFill: colour('border_fill', own.borderFill),
  };
  read.tellRest();
  return found;
}

/** CLIP's steps: shortest side to the size, centre crop. */
export const readClipProcessor = (config: Json): SingleTileConfig =>
  readCropClass(config, cropClasses.CLIPImageProcessor);

/** SigLIP's steps: resized to the square, aspect not kept. */
export const readSiglipProcessor = (config: Json): SingleTileConfig =>
  readCropClass(config, cropClasses.SiglipImageProcessor);

/** Janus's tokens around a picture. */
const janusText: TileText = { ...plainText, frame: ['<begin_of_image>', '<end_of_image>'] };

/**
 * Janus's steps: the longer side to the size, then a border of the mean colour.
 *
 * @param rounding of the shorter side: `down` in the original repository, `half-even` in transformers
 */
export function readJanusProcessor(config: Json, rounding: 'down' | 'half-even'): SingleTileConfig {
  const read = fileReader(config);
  const usual = rounding === 'down' ? { mean: half, std: half } : { mean: clipMean, std: clipStd };
  const [fill, pads] = [meanColour(read, usual.mean), read.flag('do_pad', true)];
  return finish(read, {
    ...readPixelConfig(read, { filter: 3, ...usual }),
    resizing: janusResizing(read, rounding),
    crop: null,
    squareFill: null,
    // Where pixels are not normalised the border has the colour of the mean all the same.
    borderFill: pads ? fill : null,
    text: textOf(read, janusText),
  });
}

function janusResizing(read: FileReader, rounding: 'down' | 'half-even'): Resizing {
  read.raw('background_color');
  const key = read.has('size') ? 'size' : 'image_size';
  const { height: edge = null, width = edge } =
    read.size(key, {}, true) ?? read.wrong(key, 'a number of pixels');
  const least = read.count('min_size', 14);
  if (!read.flag('do_resize', true)) return { to: 'own' };
  if (edge !== width || (read.has(key) && edge === null))
    return read.wrong(key, 'a number, or equal height and width');
  return { to: 'longest', edge, least, rounding };
}

const textOf = (read: FileReader, usual: TileText): TileText =>
  read.has('text') ? readTileText(read.section('text', {})) : usual;

const janusClasses: readonly string[] = ['JanusImageProcessor', 'VLMImageProcessor'];

function readSingleTile(config: Json): SingleTileConfig {
  const type = String(config['image_processor_type'] ?? 'CLIPImageProcessor').replace(/(Fast|Pil)$/, '');
  if (janusClasses.includes(type))
    return readJanusProcessor(config, type.startsWith('VLM') ? 'down' : 'half-even');
  if (Object.hasOwn(cropClasses, type)) return readCropClass(config, cropClasses[type as CropClassName]);
  return fileReader(config).wrong('image_processor_type', `one of ${singleTilePart.types!.join(', ')}`);
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
  const clipType = squareFill === null ? 'CLIP' : 'Llava';
  return {
    image_processor_type: `${isJanus ? janusType : isClip ? clipType : 'Siglip'}ImageProcessor`,
    ...writePixelConfig(pixels),
    do_resize: resizing.to !== 'own',
    ...(resizing.to === 'sides' ? { size: { height: resizing.height, width: resizing.width } } : {}),
    ...(resizing.to === 'shortest'
      ? {
          size: {
            shortest_edge: resizing.edge,
            ...(resizing.most === null ? {} : { longest_edge: resizing.most }),
          },
        }
      : {}),
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
  id: singleTileId,
  kind: 'processor',
  create: (config) => singleTile(checkConfig(singleTilePart, config)),
  fields: singleTileFields,
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2103.00020',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/clip/image_processing_clip.py',
  },
  types: [...Object.keys(cropClasses), ...janusClasses],
  read: readSingleTile,
  write: writeSingleTile,
};
