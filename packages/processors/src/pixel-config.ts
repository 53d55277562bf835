import type { ResizeFilter, Rgb } from '@weft/image';
import type { Json } from '@weft/spec';
import { resizeFilters, type FileReader } from './file-fields.js';

export const clipMean = [0.48145466, 0.4578275, 0.40821073] as const;
export const clipStd = [0.26862954, 0.26130258, 0.27577711] as const;
export const half = [0.5, 0.5, 0.5] as const;

/** What all image processors read from `preprocessor_config.json`. */
export interface PixelConfig {
  readonly filter: ResizeFilter;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Factor on the bytes before normalisation. */
  readonly rescale: number;
}

/** What a class takes where its file says nothing. */
export interface PixelDefaults {
  /** Pillow's number. */
  readonly filter: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * Reads resampling, mean, standard deviation and the rescaling factor; steps that are switched off become neutral.
 *
 * @param read the file's fields
 * @throws ConfigError if a value is unknown, or a step is on that lacks one
 */
export function readPixelConfig(read: FileReader, usual: PixelDefaults): PixelConfig {
  const [normalizes, rescales] = [read.flag('do_normalize', true), read.flag('do_rescale', true)];
  read.raw('rescale_factor');
  const [filter, mean, std] = [
    read.filter('resample', usual.filter),
    read.channels('image_mean', usual.mean),
    read.channels('image_std', usual.std),
  ];
  if (filter === null) return read.wrong('resample', 'a filter');
  if (normalizes && mean === null) return read.wrong('image_mean', 'numbers, as do_normalize is on');
  if (normalizes && (std === null || std.includes(0)))
    return read.wrong('image_std', 'numbers other than 0, as do_normalize is on');
  if (!read.flag('do_convert_rgb', true))
    read.tell('do_convert_rgb', 'Pictures are read as RGB all the same.');
  return {
    filter,
    mean: normalizes ? mean! : [0, 0, 0],
    std: normalizes ? std! : [1, 1, 1],
    rescale: rescales ? read.number('rescale_factor', 1 / 255) : 1,
  };
}

/** The fields that `readPixelConfig` reads, so that it reads the same again. */
export const writePixelConfig = ({ filter, mean, std, rescale }: PixelConfig): Json => ({
  resample: resizeFilters.indexOf(filter),
  do_rescale: true,
  rescale_factor: rescale,
  do_normalize: true,
  image_mean: mean,
  image_std: std,
});

/** The colour that reference processors make of `image_mean`, for borders: each mean as a byte, rounded down. */
export function rgbOfMean(mean: readonly number[]): Rgb {
  const [red = 0, green = red, blue = red] = mean.map((one) => Math.trunc(one * 255));
  return [red, green, blue];
}
