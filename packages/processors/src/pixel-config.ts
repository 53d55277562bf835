import { ConfigError } from '@weft/errors';
import type { ResizeFilter, Rgb } from '@weft/image';
import type { Json } from '@weft/spec';

/** Pillow's numbers of the resampling filters, as `preprocessor_config.json` has them. */
const filters: Readonly<Record<number, ResizeFilter>> = {
  0: 'nearest',
  1: 'lanczos',
  2: 'bilinear',
  3: 'bicubic',
  4: 'box',
  5: 'hamming',
};

export const clipMean = [0.48145466, 0.4578275, 0.40821073] as const;
export const clipStd = [0.26862954, 0.26130258, 0.27577711] as const;

/** What all image processors read from `preprocessor_config.json`. */
export interface PixelConfig {
  readonly filter: ResizeFilter;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Factor on the bytes before normalisation. */
  readonly rescale: number;
}

/**
 * Reads resampling, mean, standard deviation and the rescaling factor; steps that are switched off become neutral.
 *
 * @throws ConfigError if the filter is unknown
 */
export function readPixelConfig(
  config: Json,
  defaults: { filter: number; mean: readonly number[]; std: readonly number[] },
): PixelConfig {
  const number = config['resample'] ?? defaults.filter;
  const filter = filters[number as number];
  if (!filter)
    throw new ConfigError({
      message: `preprocessor_config.json: resample is ${JSON.stringify(number)}, expected 0 to 5.`,
    });
  const normalize = config['do_normalize'] !== false;
  const list = (key: string, fallback: readonly number[]) => {
    const value = config[key] ?? fallback;
    return typeof value === 'number' ? [value, value, value] : (value as readonly number[]);
  };
  return {
    filter,
    mean: normalize ? list('image_mean', defaults.mean) : [0, 0, 0],
    std: normalize ? list('image_std', defaults.std) : [1, 1, 1],
    rescale: config['do_rescale'] === false ? 1 : Number(config['rescale_factor'] ?? 1 / 255),
  };
}

/** The fields that `readPixelConfig` reads, so that it reads the same again. */
export const writePixelConfig = ({ filter, mean, std, rescale }: PixelConfig): Json => ({
  resample: Number(Object.keys(filters).find((number) => filters[Number(number)] === filter)),
  do_rescale: true,
  rescale_factor: rescale,
  do_normalize: true,
  image_mean: mean,
  image_std: std,
});

/** The colour that reference processors make of `image_mean`, for borders: each mean as a byte, rounded down. */
export function rgbOfMean(mean: unknown): Rgb {
  const list = (typeof mean === 'number' ? [mean] : mean) as readonly number[];
  const [red = 0, green = red, blue = red] = list.map((one) => Math.trunc(one * 255));
  return [red, green, blue];
}

/** Side lengths from the forms that `size` and `crop_size` take: a number, `shortest_edge`, `height` and `width`. */
export function readSize(
  value: unknown,
  where: string,
): { shortestEdge?: number; longestEdge?: number; height?: number; width?: number } {
  if (typeof value === 'number') return { height: value, width: value };
  const { shortest_edge, longest_edge, height, width } = (value ?? {}) as Record<string, number | undefined>;
  if (
    shortest_edge === undefined &&
    longest_edge === undefined &&
    (height === undefined || width === undefined)
  )
    throw new ConfigError({
      message: `preprocessor_config.json: ${where} is ${JSON.stringify(value)}, expected sides in pixels.`,
    });
  return {
    ...(shortest_edge === undefined ? {} : { shortestEdge: shortest_edge }),
    ...(longest_edge === undefined ? {} : { longestEdge: longest_edge }),
    ...(height === undefined ? {} : { height }),
    ...(width === undefined ? {} : { width }),
  };
}
