import { InputError, ShapeError } from '@weft/errors';
import { requireRaster, type Raster } from './raster.js';

/** How samples of 0 to 255 become the numbers that a vision encoder was trained on. */
export interface PixelValuesOptions {
  /** Mean of each channel after rescaling. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel after rescaling. */
  readonly std: readonly number[];
  /** Factor on the samples before the mean is taken away; 1/255 when left out. */
  readonly rescale?: number;
  /** `chw` (when left out) gives `[3, height, width]`, `hwc` gives `[height, width, 3]`. */
  readonly layout?: 'chw' | 'hwc';
}

/**
 * Turns a picture into pixel values: `(sample * rescale - mean) / std`, rounded to float32 after every step as the
 * NumPy path of transformers' image processors does, bit for bit.
 *
 * @returns `[3, height, width]` or, with layout `hwc`, `[height, width, 3]`
 * @throws InputError when mean or std is not three numbers, or a std is 0
 */
export function toPixelValues(picture: Raster, options: PixelValuesOptions): Float32Array {
  requireRaster('toPixelValues', picture);
  const values = new Float32Array(picture.data.length);
  writePixelValues(picture, options, values, 0);
  return values;
}

/**
 * The same as {@link toPixelValues}, written into a larger array: a batch is filled without copies.
 *
 * @param target - receives `height * width * 3` values
 * @param offset - index in `target` of the first value
 * @returns the index after the last value written
 * @throws InputError when mean or std is not three numbers, or a std is 0
 * @throws ShapeError when `target` has no room for the values at `offset`
 */
export function writePixelValues(
  picture: Raster,
  options: PixelValuesOptions,
  target: Float32Array,
  offset: number,
): number {
  requireRaster('writePixelValues', picture);
  const source = picture.data;
  const end = offset + source.length;
  if (!Number.isInteger(offset) || offset < 0 || end > target.length)
    throw new ShapeError({
      message: `writePixelValues needs ${source.length} places from index ${offset}, the target has ${target.length}.`,
      hint: `Give it at least ${source.length} values for each picture of ${picture.width}x${picture.height} pixels.`,
    });
  const tables = [tableOf(options, 0), tableOf(options, 1), tableOf(options, 2)] as const;
  const layout = options.layout ?? 'chw';
  if (layout !== 'chw' && layout !== 'hwc')
    throw new InputError({ message: `The layout is chw or hwc, found ${JSON.stringify(layout)}.` });
  const [next, step] = layout === 'chw' ? [source.length / 3, 1] : [1, 3];
  for (let channel = 0; channel < 3; channel++) {
    const table = tables[channel]!;
    let to = offset + channel * next;
    for (let from = channel; from < source.length; from += 3, to += step) target[to] = table[source[from]!]!;
  }
  return end;
}

/** The value of every possible sample of one channel. */
function tableOf(options: PixelValuesOptions, channel: number): Float32Array {
  const { mean, std, rescale = 1 / 255 } = options;
  const usable = mean.length === 3 && std.length === 3 && [...mean, ...std, rescale].every(Number.isFinite);
  if (!usable || std.includes(0))
    throw new InputError({
      message: `Pixel values need three finite means and three finite, non-zero stds, found [${mean.join(', ')}] and [${std.join(', ')}] with rescale ${rescale}.`,
      hint: 'They are image_mean and image_std in preprocessor_config.json. Without normalisation use means of 0 and stds of 1.',
    });
  const center = Math.fround(mean[channel]!);
  const spread = Math.fround(std[channel]!);
  const table = new Float32Array(256);
  for (let sample = 0; sample < 256; sample++)
    table[sample] = Math.fround(Math.fround(sample * rescale) - center) / spread;
  return table;
}
