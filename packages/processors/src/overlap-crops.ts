import { ConfigError, InputError } from '@weft/errors';
import { resizeFloat } from '@weft/image';
import {
  checkConfig,
  type ImageProcessor,
  type Json,
  type PartDefinition,
  type PatchGrid,
  type Picture,
  type ProcessorContext,
  type ProcessorFactory,
} from '@weft/spec';
import { placesOf, planCrops, scaledTo, type CropLayout, type CropPlan } from './crop-plan.js';
import { clipMean, clipStd } from './pixel-config.js';
import { fileReader } from './file-fields.js';
import { plannedImages } from './planned.js';
import type { Size } from './tiles.js';

const { fround } = Math;

/** Texts of the tokens around those that stand for a picture's features. */
export interface CropTokens {
  readonly start: string;
  readonly end: string;
  /** After each row. */
  readonly column: string;
}

/** How pictures are cut into crops that overlap. */
export interface OverlapCropsConfig {
  /** Height and width of a crop, pixels; `null` for the encoder's. */
  readonly cropSize: readonly [height: number, width: number] | null;
  /** Side of a patch, pixels; `null` for the encoder's. */
  readonly patchSize: number | null;
  /** Patches at the left and the top, and at the right and the bottom, that a crop shares with its neighbours. */
  readonly margins: readonly [before: number, after: number];
  /** Most crops of a picture, the view of the whole not counted. */
  readonly maxCrops: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly tokens: CropTokens;
}

/** The plan of crops, and how their pixels are normalised. */
interface Crops extends CropLayout, Pick<OverlapCropsConfig, 'mean' | 'std'> {}

const id = 'processor-overlap-crops';

/**
 * Molmo's views of a picture: the whole, and crops that overlap. Each is fitted with black borders. In the prompt the whole
 * comes first, then the crops as the one picture that they make up, of each only the middle and what has no neighbour.
 * `image_input_idx` says where each feature stands, `image_masks` which share of each patch is not border.
 *
 * The masks are those of the training: the first is of the first crop, not of the whole, and the last is -1 throughout.
 *
 * @throws ConfigError if a crop's features do not join to whole pictures, or the encoder takes other crops
 */
export const overlapCrops =
  (config: OverlapCropsConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
    checkConfig(overlapCropsPart, config);
    const crops = cropsOf(config, context);
    const { cropSize, patchSize, margins } = crops;
    const tokensPerCrop = context.connector.countTokens(context.encoder.grid!);
    const patches = cropSize / patchSize;
    const pooled = Math.ceil(patches / 2);
    const window = patches - margins[0] - margins[1];
    if (tokensPerCrop !== pooled * pooled || margins[0] % 2 !== 0 || window % 2 !== 0 || window < 1)
      throw new ConfigError({
        message: `Crops of ${patches} x ${patches} patches with margins of ${margins.join(' and ')} do not join: ${tokensPerCrop} features each.`,
        where: 'preprocessor_config.json',
        hint: 'Two by two patches are pooled; the first margin and what the margins leave must be even.',
      });
    const { start, end, column } = config.tokens;
    const block = ([rows, columns]: PatchGrid): string =>
      start + (context.placeholder.repeat(columns) + column).repeat(rows) + end;
    return plannedImages<ViewsPlan>({
      id,
      config,
      plan: (size, index, total) => {
        if (index > 0 || total > 1)
          throw new InputError({
            message: `${Math.max(total, index + 1)} pictures were given, but Molmo takes one in a conversation.`,
            where: 'images',
            hint: 'Its processor gives a second picture the places of the first. Ask about one picture after another.',
          });
        return planViews(size, crops);
      },
      describe: ({ crops: { rows, columns, map } }) => ({
        tiles: 1 + rows * columns,
        tokens: tokensPerCrop + map[0] * map[1],
        formula: `${pooled} x ${pooled} of the whole + ${map[0]} x ${map[1]} of ${rows} x ${columns} crops`,
        prompt: block([pooled, pooled]) + block(map),
      }),
      inputs: (pictures, plans) => {
        const views = pictures.flatMap((picture, i) => viewsOf(picture, plans[i]!, crops));
        const places = plans.flatMap((plan) => placesOf(plan.crops, crops));
        const count = views.length;
        const pixels = new Float32Array(count * 3 * cropSize * cropSize);
        const masks = new Float32Array(count * patches * patches);
        for (const [i, view] of views.entries()) {
          pixels.set(view.pixels, i * view.pixels.length);
          masks.set(view.mask, i * view.mask.length);
        }
        return {
          pixel_values: { dtype: 'float32', shape: [count, 3, cropSize, cropSize], data: pixels },
          image_masks: { dtype: 'float32', shape: [count, patches * patches], data: masks },
          image_input_idx: {
            dtype: 'int64',
            shape: [count, tokensPerCrop],
            data: BigInt64Array.from(places, BigInt),
          },
        };
      },
    });
  };

function cropsOf(config: OverlapCropsConfig, { encoder }: ProcessorContext): Crops {
  const { tileSize, patchSize } = encoder.pixels;
  if (!encoder.grid || tileSize === undefined)
    throw new ConfigError({
      message: `${id} makes crops of one size, but ${encoder.id} has no fixed grid.`,
      hint: 'Give the encoder an image size.',
    });
  const [height, width] = config.cropSize ?? [tileSize, tileSize];
  const own = config.patchSize ?? patchSize;
  if (height !== tileSize || width !== tileSize || own !== patchSize)
    throw new ConfigError({
      message: `preprocessor_config.json: crops of ${width} x ${height} pixels in patches of ${own}, but the encoder takes ${tileSize} x ${tileSize} in patches of ${patchSize}.`,
      hint: 'base_image_input_size and image_patch_size must be those of the vision backbone.',
    });
  const { margins, maxCrops, mean, std } = config;
  return { cropSize: tileSize, patchSize, margins, maxCrops, mean, std };
}

/** A picture within borders. */
interface Fitted extends Size {
  /** Normalised, `[3, height, width]`. */
  readonly values: Float32Array;
  /** Where the picture itself lies. */
  readonly own: {
    readonly left: number;
    readonly top: number;
    readonly right: number;
    readonly bottom: number;
  };
}

/** The crops of a picture, and its sizes in pixels within their canvas and within the one crop of the whole. */
interface ViewsPlan {
  readonly crops: CropPlan;
  readonly onCanvas: Size;
  readonly whole: Size;
}

function planViews(size: Size, config: Crops): ViewsPlan {
  const { cropSize } = config;
  const scaled = (frame: Size): Size => {
    const sides = scaledTo(frame, size);
    if (Math.min(sides.width, sides.height) >= 1) return sides;
    throw new InputError({
      message: `The picture is ${size.width} x ${size.height} pixels: fitted into ${frame.width} x ${frame.height} its shorter side would vanish.`,
      hint: 'Crop it, or cut it into several pictures.',
    });
  };
  const whole = scaled({ width: cropSize, height: cropSize });
  const crops = planCrops(size, config);
  return { crops, onCanvas: scaled(crops.canvas), whole };
}

function fit(picture: Picture, scaled: Size, frame: Size, { mean, std }: Crops): Fitted {
  const samples = resizeFloat(picture, scaled);
  const [left, top] = [
    Math.floor((frame.width - scaled.width) / 2),
    Math.floor((frame.height - scaled.height) / 2),
  ];
  const values = new Float32Array(3 * frame.width * frame.height);
  for (let channel = 0; channel < 3; channel++) {
    const [center, spread] = [fround(mean[channel]!), fround(std[channel]!)];
    const plane = values.subarray(
      channel * frame.width * frame.height,
      (channel + 1) * frame.width * frame.height,
    );
    plane.fill(fround(0 - center) / spread);
    let from = channel;
    for (let y = 0; y < scaled.height; y++) {
      const to = (y + top) * frame.width + left;
      for (let x = 0; x < scaled.width; x++, from += 3)
        plane[to + x] = fround(Math.min(samples[from]!, 1) - center) / spread;
    }
  }
  return { ...frame, values, own: { left, top, right: left + scaled.width, bottom: top + scaled.height } };
}

interface CropView {
  /** `[3, S, S]`. */
  readonly pixels: Float32Array;
  /** `[patches]`. */
  readonly mask: Float32Array;
}

function viewsOf(
  picture: Picture,
  { crops: { rows, columns, canvas }, onCanvas, whole: inOne }: ViewsPlan,
  config: Crops,
): CropView[] {
  const { cropSize, patchSize, margins } = config;
  const step = cropSize - (margins[0] + margins[1]) * patchSize;
  const fitted = fit(picture, onCanvas, canvas, config);
  const whole = fit(picture, inOne, { width: cropSize, height: cropSize }, config);
  const corners = Array.from({ length: rows * columns }, (_, i) => ({
    left: (i % columns) * step,
    top: Math.floor(i / columns) * step,
  }));
  const pixels = [
    cut(whole, { left: 0, top: 0 }, cropSize),
    ...corners.map((corner) => cut(fitted, corner, cropSize)),
  ];
  const masks = [
    ...corners.map((corner) => sharesOf(fitted.own, corner, config)),
    new Float32Array((cropSize / patchSize) ** 2).fill(-1),
  ];
  return pixels.map((own, i) => ({ pixels: own, mask: masks[i]! }));
}

type Corner = Readonly<Record<'left' | 'top', number>>;

/** A square of a fitted picture, `[3, side, side]`. */
function cut({ values, width, height }: Fitted, { left, top }: Corner, side: number): Float32Array {
  const pixels = new Float32Array(3 * side * side);
  for (let channel = 0; channel < 3; channel++)
    for (let y = 0; y < side; y++) {
      const from = (channel * height + top + y) * width + left;
      pixels.set(values.subarray(from, from + side), (channel * side + y) * side);
    }
  return pixels;
}

/** The share of each patch of a crop that is picture. */
function sharesOf(
  own: Fitted['own'],
  { left, top }: Corner,
  { cropSize, patchSize }: CropLayout,
): Float32Array {
  const side = cropSize / patchSize;
  const overlap = (from: number, low: number, high: number): number =>
    Math.max(0, Math.min(from + patchSize, high) - Math.max(from, low));
  return Float32Array.from({ length: side * side }, (_, i) => {
    const across = overlap(left + (i % side) * patchSize, own.left, own.right);
    const down = overlap(top + Math.floor(i / side) * patchSize, own.top, own.bottom);
    return (across * down) / patchSize ** 2;
  });
}

/** Names of the tokens in Molmo's tokenizers. */
const usualTokens: CropTokens = { start: '<im_start>', end: '<im_end>', column: '<im_col>' };

/**
 * Reads Molmo's `preprocessor_config.json`.
 *
 * @throws ConfigError if a field is not of its type
 */
export function readOverlapCrops(config: Json): OverlapCropsConfig {
  const read = fileReader(config);
  const size = read.raw('base_image_input_size') ?? null;
  const isSide = (side: unknown): side is number => Number.isInteger(side) && (side as number) >= 1;
  const sides = isSide(size) ? [size, size] : size;
  if (sides !== null && !(Array.isArray(sides) && sides.length === 2 && sides.every(isSide)))
    return read.wrong('base_image_input_size', 'a side in pixels, or height and width');
  const margins = read.raw('overlap_margins') ?? [4, 4];
  const isMargin = (margin: unknown): boolean => Number.isInteger(margin) && (margin as number) >= 0;
  if (!(Array.isArray(margins) && margins.length === 2 && margins.every(isMargin)))
    return read.wrong('overlap_margins', 'two numbers of patches');
  const isNormal = read.flag('do_normalize', true);
  const [mean, std] = [read.channels('image_mean', clipMean), read.channels('image_std', clipStd)];
  if (isNormal && (!mean || !std || std.includes(0)))
    return read.wrong(mean ? 'image_std' : 'image_mean', 'numbers, as do_normalize is on');
  const texts = fileReader(read.section('tokens', {}));
  const found = {
    cropSize: sides as readonly [number, number] | null,
    patchSize: read.has('image_patch_size') ? read.count('image_patch_size', 1) : null,
    margins: margins as [number, number],
    maxCrops: read.count('max_crops', 12),
    mean: isNormal ? mean! : [0, 0, 0],
    std: isNormal ? std! : [1, 1, 1],
    tokens: {
      start: texts.text('start', usualTokens.start),
      end: texts.text('end', usualTokens.end),
      column: texts.text('column', usualTokens.column),
    },
  };
  // What published files state of the tokens follows from the sizes.
  for (const key of ['image_token_length_h', 'image_token_length_w', 'image_padding_mask']) read.raw(key);
  read.tellRest();
  return found;
}

export const overlapCropsPart: PartDefinition<'processor', OverlapCropsConfig> = {
  id,
  kind: 'processor',
  create: (config) => overlapCrops(checkConfig(overlapCropsPart, config)),
  fields: {
    cropSize: { nullable: { list: 'count', length: 2 } },
    patchSize: { nullable: 'count' },
    margins: { list: 'amount', length: 2 },
    maxCrops: 'count',
    mean: { list: 'number' },
    std: { list: 'number' },
    tokens: { section: { start: 'text', end: 'text', column: 'text' } },
  },
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2409.17146',
    code: 'https://huggingface.co/allenai/Molmo-7B-D-0924/blob/main/image_preprocessing_molmo.py',
  },
  types: ['MolmoImageProcessor'],
  read: readOverlapCrops,
  write: ({ cropSize, patchSize, margins, maxCrops, mean, std, tokens }) => ({
    image_processor_type: 'MolmoImageProcessor',
    do_normalize: true,
    image_mean: mean,
    image_std: std,
    ...(cropSize === null ? {} : { base_image_input_size: cropSize }),
    ...(patchSize === null ? {} : { image_patch_size: patchSize }),
    overlap_margins: margins,
    max_crops: maxCrops,
    tokens,
  }),
};
