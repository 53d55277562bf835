import { ConfigError, InputError } from '@weft/errors';
import { resize, toPixelValues } from '@weft/image';
import type { ImagePlacement, Json, Picture, ProcessorContext, VisualLayout } from '@weft/spec';
import { fileReader, type FileReader } from './file-fields.js';
import { clipMean, clipStd, readPixelConfig, writePixelConfig, type PixelConfig } from './pixel-config.js';
import { smartResize, type PixelLimits } from './smart-resize.js';
import type { Size } from './tiles.js';

/** Sizes that a file may state, which must then be the encoder's. */
export interface StatedPacking {
  readonly patchSize?: number;
  /** Frames of a patch. */
  readonly temporalPatchSize?: number;
  /** Side of the blocks of patches that follow one another. */
  readonly mergeSize?: number;
}

/** How pictures of any size become patches. */
export interface PackedPatchesConfig extends PixelConfig, PixelLimits {
  /** Whether pictures are resized at all; those that are not must be whole blocks. */
  readonly resize: boolean;
  /** Most tokens of a whole video, shared out among its frames; `null` sets no limit. */
  readonly maxVideoTokens: number | null;
  readonly stated: StatedPacking;
}

/** The encoder's sizes. */
export type Packing = Required<StatedPacking>;

/** @throws ConfigError if the file states sizes that are not the encoder's */
export function packingOf({ stated }: PackedPatchesConfig, { encoder }: ProcessorContext): Packing {
  const { patchSize, temporalPatchSize = 1, mergeSize = 1 } = encoder.pixels;
  const packing = { patchSize, temporalPatchSize, mergeSize };
  const names = {
    patchSize: 'patch_size',
    temporalPatchSize: 'temporal_patch_size',
    mergeSize: 'merge_size',
  } as const;
  for (const [key, name] of Object.entries(names) as [keyof Packing, string][])
    if (stated[key] !== undefined && stated[key] !== packing[key])
      throw new ConfigError({
        message: `The file of the image processor (processor_config.json or preprocessor_config.json) says that ${name} is ${JSON.stringify(stated[key])}, but the encoder's is ${packing[key]} by config.json.`,
        hint: 'preprocessor_config.json and config.json must come from one checkpoint.',
      });
  return packing;
}

/** A picture's size in whole blocks. */
export function targetOf(
  size: Size,
  config: PackedPatchesConfig,
  { patchSize, mergeSize }: Packing,
  name: string,
): Size {
  const factor = patchSize * mergeSize;
  if (config.resize) return smartResize(size, factor, config, name);
  if (size.width % factor !== 0 || size.height % factor !== 0)
    throw new InputError({
      message: `${name} is ${size.width} x ${size.height} pixels, which blocks of ${factor} x ${factor} do not fill, and do_resize is off.`,
      where: 'preprocessor_config.json',
      hint: `Resize it to multiples of ${factor}.`,
    });
  return size;
}

/** Rows and columns of patches. */
export const gridOf = ({ width, height }: Size, { patchSize }: Packing) => ({
  rows: height / patchSize,
  columns: width / patchSize,
});

/** Width and height in pixels of what these patches are cut of. */
export const pixelSizeOf = (
  { rows, columns }: Pick<VisualLayout, 'rows' | 'columns'>,
  { patchSize }: Packing,
): Size => ({ width: columns * patchSize, height: rows * patchSize });

/** What stands in the prompt for a picture or video whose patches lie like this. */
export function describeLayout(
  layout: VisualLayout,
  { connector, placeholder }: Pick<ProcessorContext, 'connector' | 'placeholder'>,
): Omit<ImagePlacement, 'plan'> {
  const { kind, frames, rows, columns } = layout;
  const tokens = frames * connector.countTokens([rows, columns]);
  const patches = frames * rows * columns;
  const grid = kind === 'video' ? `${frames} x ${rows} x ${columns}` : `${rows} x ${columns}`;
  return {
    tiles: 1,
    tokens,
    formula: `${grid} patches${patches === tokens ? '' : ` / ${patches / tokens}`}`,
    prompt: placeholder.repeat(tokens),
    layout,
  };
}

export const pixelsOf = (picture: Picture, size: Size, config: PackedPatchesConfig): Float32Array =>
  toPixelValues(resize(picture, { ...size, filter: config.filter }), config);

/** Patches `[P, C * T * p * p]` of all pictures and videos, and their grids `[M, 3]`. */
export function packAll(
  frames: readonly (readonly Float32Array[])[],
  layouts: readonly VisualLayout[],
  vision: Packing,
) {
  const length = 3 * vision.temporalPatchSize * vision.patchSize ** 2;
  const rows = layouts.reduce((sum, layout) => sum + layout.frames * layout.rows * layout.columns, 0);
  const data = new Float32Array(rows * length);
  let at = 0;
  for (const [i, layout] of layouts.entries())
    for (let moment = 0; moment < layout.frames; moment++) {
      const first = moment * vision.temporalPatchSize;
      const times = Array.from(
        { length: vision.temporalPatchSize },
        (_, t) => frames[i]![Math.min(first + t, frames[i]!.length - 1)]!,
      );
      at = packMoment(times, layout, vision, data, at);
    }
  const grids = layouts.flatMap((layout) => [layout.frames, layout.rows, layout.columns]);
  return {
    patches: { dtype: 'float32' as const, shape: [rows, length], data },
    grids: { dtype: 'int64' as const, shape: [layouts.length, 3], data: BigInt64Array.from(grids, BigInt) },
  };
}

/** Writes the patches of one moment, block by block; a patch is channels, frames, rows, columns. */
function packMoment(
  times: readonly Float32Array[],
  { rows, columns }: VisualLayout,
  { patchSize: p, mergeSize }: Packing,
  target: Float32Array,
  start: number,
): number {
  const width = columns * p;
  const plane = rows * p * width;
  let to = start;
  for (let top = 0; top < rows; top += mergeSize)
    for (let left = 0; left < columns; left += mergeSize)
      for (let row = top; row < top + mergeSize; row++)
        for (let column = left; column < left + mergeSize; column++)
          for (let channel = 0; channel < 3; channel++)
            for (const pixels of times)
              for (let y = 0; y < p; y++, to += p) {
                const from = channel * plane + (row * p + y) * width + column * p;
                target.set(pixels.subarray(from, from + p), to);
              }
  return to;
}

/** What the class of the reference takes where the file says nothing. */
export const imageLimits = { minPixels: 56 * 56, maxPixels: 28 * 28 * 1280 } as const;
export const videoLimits = { minPixels: 128 * 28 * 28, maxPixels: 28 * 28 * 768 } as const;

/**
 * Reads a Qwen2-VL `preprocessor_config.json`: limits as `min_pixels` and `max_pixels`, or as `size`, whose
 * `shortest_edge` and `longest_edge` count pixels too.
 *
 * @param limits where the file says nothing
 * @throws ConfigError if a limit is not a number
 */
export function readPackedPatches(config: Json, limits: PixelLimits = imageLimits): PackedPatchesConfig {
  const read = fileReader(config);
  const { minPixels, maxPixels } = limitsOf(read, limits);
  const stated = (name: string, key: keyof StatedPacking): StatedPacking =>
    read.has(name) ? { [key]: read.count(name, 1) } : {};
  const mostTokens = read.number('max_video_tokens', 128000);
  const found = {
    ...readPixelConfig(read, { filter: 3, mean: clipMean, std: clipStd }),
    resize: read.flag('do_resize', true),
    minPixels,
    maxPixels,
    maxVideoTokens: read.flag('cap_pixels_per_frame', false) ? mostTokens : null,
    stated: {
      ...stated('patch_size', 'patchSize'),
      ...stated('temporal_patch_size', 'temporalPatchSize'),
      ...stated('merge_size', 'mergeSize'),
    },
  };
  // How frames are chosen is the caller's.
  for (const key of ['do_sample_frames', 'fps', 'min_frames', 'max_frames', 'num_frames', 'return_metadata'])
    read.raw(key);
  read.tellRest();
  return found;
}

/** Most pixels that a limit may state. */
const mostPixels = 2 ** 31;

/** Limits of their own go before those of `size`, which must then have both. */
function limitsOf(read: FileReader, usual: PixelLimits): PixelLimits {
  const limit = (key: string): number | undefined => {
    const value = read.raw(key) ?? undefined;
    if (value === undefined) return undefined;
    return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= mostPixels
      ? (value as number)
      : read.wrong(key, 'a number of pixels');
  };
  const [minPixels, maxPixels] = [limit('min_pixels'), limit('max_pixels')];
  const size = read.raw('size') ?? undefined;
  if (size === undefined)
    return { minPixels: minPixels ?? usual.minPixels, maxPixels: maxPixels ?? usual.maxPixels };
  if (typeof size !== 'object' || Array.isArray(size)) return read.wrong('size', sizeForm);
  // Older files repeat the limits here, which counts as long as they stand beside it too.
  const { min_pixels: _min, max_pixels: _max, ...edges } = size as Readonly<Record<string, unknown>>;
  const isRepeated =
    (_min === undefined || minPixels !== undefined) && (_max === undefined || maxPixels !== undefined);
  const { shortest_edge: least = minPixels, longest_edge: most = maxPixels, ...others } = edges;
  const isCount = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= mostPixels;
  if (!isRepeated || Object.keys(others).length > 0 || !isCount(least) || !isCount(most))
    return read.wrong('size', sizeForm);
  return { minPixels: minPixels ?? least, maxPixels: maxPixels ?? most };
}

const sizeForm = 'shortest_edge and longest_edge, which count pixels of a whole picture';

/** The fields that `readPackedPatches` reads. */
export const writePackedPatches = ({
  resize: doResize,
  minPixels,
  maxPixels,
  maxVideoTokens,
  stated,
  ...pixels
}: PackedPatchesConfig): Json => ({
  ...writePixelConfig(pixels),
  do_resize: doResize,
  min_pixels: minPixels,
  max_pixels: maxPixels,
  ...(maxVideoTokens === null ? {} : { cap_pixels_per_frame: true, max_video_tokens: maxVideoTokens }),
  ...(stated.patchSize === undefined ? {} : { patch_size: stated.patchSize }),
  ...(stated.temporalPatchSize === undefined ? {} : { temporal_patch_size: stated.temporalPatchSize }),
  ...(stated.mergeSize === undefined ? {} : { merge_size: stated.mergeSize }),
});
