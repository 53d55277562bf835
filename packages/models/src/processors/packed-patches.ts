import { ConfigError, InputError } from '@weft/errors';
import { resize, roundHalfEven, toPixelValues } from '@weft/image';
import type {
  Connector,
  ImagePlacement,
  ImageProcessor,
  Json,
  Picture,
  Video,
  VideoProcessor,
  VisualLayout,
} from '@weft/spec';
import { clipMean, clipStd, readPixelConfig, type PixelConfig } from './resize-plan.js';

/** How pictures of any size become patches. */
export interface PackedPatchesConfig extends PixelConfig {
  /** Whether pictures are resized at all; those that are not must be whole blocks. */
  readonly resize: boolean;
  /** Fewest and most pixels of a picture, or of a frame, after resizing. */
  readonly minPixels: number;
  readonly maxPixels: number;
  /** Most pixels of a whole video, shared out among its frames; no limit unless given. */
  readonly maxVideoPixels?: number | undefined;
}

/** Sizes of the encoder and facts of the model that the patches must fit. */
export interface PackedVision {
  readonly patchSize: number;
  /** Frames of a patch. */
  readonly temporalPatchSize: number;
  /** Side of the blocks of patches that follow one another. */
  readonly mergeSize: number;
  readonly connector: Pick<Connector, 'countTokens'>;
  /** Text of one image or video token. */
  readonly placeholder: string;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Longest side over shortest, at most. */
const mostElongated = 200;

/**
 * Size in whole blocks that is nearest to the picture's own and has neither too few nor too many pixels, as
 * `smart_resize` of Qwen2-VL.
 *
 * @param factor side of a block, pixels
 * @param name of the picture, for messages
 * @throws InputError if one side is more than 200 times the other
 */
export function smartResize(
  { width, height }: Size,
  factor: number,
  limits: Pick<PackedPatchesConfig, 'minPixels' | 'maxPixels'>,
  name = 'The picture',
): Size {
  const { minPixels, maxPixels } = limits;
  if (!(Math.min(width, height) >= 1))
    throw new InputError({ message: `${name} has no pixels: it is ${width} x ${height}.` });
  if (Math.max(width, height) / Math.min(width, height) > mostElongated)
    throw new InputError({
      message: `${name} is ${width} x ${height} pixels: one side is more than ${mostElongated} times the other.`,
      hint: 'Crop it, or cut it into several pictures.',
    });
  const sides = (round: (blocks: number) => number, scale: (side: number) => number): Size => ({
    width: round(scale(width) / factor) * factor,
    height: round(scale(height) / factor) * factor,
  });
  const nearest = sides(roundHalfEven, (side) => side);
  const pixels = nearest.width * nearest.height;
  if (pixels > maxPixels) {
    const beta = Math.sqrt((height * width) / maxPixels);
    return sides(
      (blocks) => Math.max(1, Math.floor(blocks)),
      (side) => side / beta,
    );
  }
  if (pixels < minPixels) {
    const beta = Math.sqrt(minPixels / (height * width));
    return sides(Math.ceil, (side) => side * beta);
  }
  return nearest;
}

/**
 * Qwen2-VL's way with pictures: each keeps its shape, resized to whole blocks of patches, and all patches lie one after
 * another, block by block; a still picture fills the frames of a patch with itself.
 */
export function packedPatches(config: PackedPatchesConfig, vision: PackedVision): ImageProcessor {
  const sizeOf = (size: Size, index: number): Size => targetOf(size, config, vision, `Picture ${index}`);
  const place = (size: Size, index = 0): ImagePlacement =>
    placementOf({ kind: 'image', frames: 1, ...gridOf(sizeOf(size, index), vision) }, vision);
  return {
    place,
    process: (pictures) => {
      const frames = pictures.map((picture, i) => [pixelsOf(picture, sizeOf(picture, i), config)]);
      const images = pictures.map(place);
      const { patches, grids } = packAll(frames, images, vision);
      return { inputs: { pixel_values: patches, image_grid_thw: grids }, images };
    },
  };
}

/** The same for videos: the frames of a patch follow one another in time. The last frame fills up an odd number. */
export function packedVideo(config: PackedPatchesConfig, vision: PackedVision): VideoProcessor {
  const sizeOf = (size: Size, frames: number, index: number): Size => {
    const { maxVideoPixels, minPixels, maxPixels } = config;
    const share =
      maxVideoPixels === undefined
        ? maxPixels
        : Math.floor((maxVideoPixels * vision.temporalPatchSize) / frames);
    const most =
      maxVideoPixels === undefined
        ? maxPixels
        : Math.max(Math.min(maxPixels, share), Math.trunc(minPixels * 1.05));
    return targetOf(size, { ...config, maxPixels: most }, vision, `Video ${index}`);
  };
  const place: VideoProcessor['place'] = ({ frames, fps, ...size }, index = 0) => {
    if (!(frames >= 1)) throw new InputError({ message: `Video ${index} has no frames.` });
    if (!(fps > 0))
      throw new InputError({ message: `Video ${index} has ${fps} frames a second, expected more than 0.` });
    const moments = Math.ceil(frames / vision.temporalPatchSize);
    const interval = vision.temporalPatchSize / fps;
    return placementOf(
      { kind: 'video', frames: moments, ...gridOf(sizeOf(size, frames, index), vision), interval },
      vision,
    );
  };
  return {
    place,
    process: (videos) => {
      const images = videos.map((video, i) => place(sizesOf(video, i), i));
      const frames = videos.map(({ frames: pictures }, i) => {
        const target = sizeOf(pictures[0]!, pictures.length, i);
        return pictures.map((picture) => pixelsOf(picture, target, config));
      });
      const { patches, grids } = packAll(frames, images, vision);
      const seconds = Float32Array.from(images, ({ layout }) => layout!.interval!);
      return {
        inputs: {
          pixel_values_videos: patches,
          video_grid_thw: grids,
          second_per_grid_ts: { dtype: 'float32', shape: [seconds.length], data: seconds },
        },
        images,
      };
    },
  };
}

function sizesOf({ frames, fps }: Video, index: number) {
  const [first] = frames;
  if (!first) throw new InputError({ message: `Video ${index} has no frames.` });
  const { width, height } = first;
  const other = frames.findIndex((frame) => frame.width !== width || frame.height !== height);
  if (other >= 0)
    throw new InputError({
      message: `Frame ${other} of video ${index} is ${frames[other]!.width} x ${frames[other]!.height} pixels, but the first is ${width} x ${height}.`,
      hint: 'All frames of a video have one size.',
    });
  return { width, height, frames: frames.length, fps };
}

function targetOf(
  size: Size,
  config: PackedPatchesConfig,
  { patchSize, mergeSize }: PackedVision,
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

const gridOf = ({ width, height }: Size, { patchSize }: PackedVision) => ({
  rows: height / patchSize,
  columns: width / patchSize,
});

function placementOf(layout: VisualLayout, { connector, placeholder }: PackedVision): ImagePlacement {
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

const pixelsOf = (picture: Picture, size: Size, config: PackedPatchesConfig): Float32Array =>
  toPixelValues(resize(picture, { ...size, filter: config.filter }), config);

/** Patches `[P, C * T * p * p]` of all pictures and videos, and their grids `[M, 3]`. */
function packAll(
  frames: readonly (readonly Float32Array[])[],
  images: readonly ImagePlacement[],
  vision: PackedVision,
) {
  const layouts = images.map(({ layout }) => layout!);
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
  { patchSize: p, mergeSize }: PackedVision,
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
 * @param vision sizes of the encoder, which the file must agree with
 * @throws ConfigError if it does not, or a limit is not a number
 */
export function readPackedPatches(
  config: Json,
  vision: Pick<PackedVision, 'patchSize' | 'temporalPatchSize' | 'mergeSize'>,
  limits: { readonly minPixels: number; readonly maxPixels: number } = imageLimits,
): PackedPatchesConfig {
  const size = (config['size'] ?? {}) as Json;
  const limit = (own: string, edge: string, fallback: number): number => {
    const value = config[own] ?? size[edge] ?? size[own] ?? fallback;
    if (typeof value !== 'number' || !(value > 0))
      throw new ConfigError({
        message: `preprocessor_config.json: ${own} is ${JSON.stringify(value)}, expected pixels.`,
      });
    return value;
  };
  const sides = {
    patch_size: vision.patchSize,
    temporal_patch_size: vision.temporalPatchSize,
    merge_size: vision.mergeSize,
  };
  for (const [key, own] of Object.entries(sides))
    if (key in config && config[key] !== own)
      throw new ConfigError({
        message: `preprocessor_config.json: ${key} is ${JSON.stringify(config[key])}, but the encoder's is ${own}.`,
        hint: 'preprocessor_config.json and config.json must come from one checkpoint.',
      });
  const factor = vision.patchSize * vision.mergeSize;
  const capped = config['cap_pixels_per_frame'] === true;
  return {
    ...readPixelConfig(config, { filter: 3, mean: clipMean, std: clipStd }),
    resize: config['do_resize'] !== false,
    minPixels: limit('min_pixels', 'shortest_edge', limits.minPixels),
    maxPixels: limit('max_pixels', 'longest_edge', limits.maxPixels),
    ...(capped
      ? { maxVideoPixels: Math.trunc(Number(config['max_video_tokens'] ?? 128000) * factor * factor * 0.9) }
      : {}),
  };
}
