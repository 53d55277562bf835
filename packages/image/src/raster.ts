import { InputError, ShapeError } from '@weft/errors';

/** An RGB picture of 8-bit samples, `[height, width, 3]`, row-major, channels interleaved. */
export interface Raster {
  /** Columns, pixels. */
  readonly width: number;
  /** Rows, pixels. */
  readonly height: number;
  readonly channels: 3;
  /** `height * width * 3` samples in the order red, green, blue. */
  readonly data: Uint8Array;
}

/** A colour as red, green and blue, each 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/**
 * Wraps RGB samples as a picture; the array is not copied. Without samples the picture is black.
 *
 * @param width - columns, pixels
 * @param height - rows, pixels
 * @param data - `[height, width, 3]` samples
 * @throws InputError when a side is not a positive whole number or the picture is larger than 2 GiB
 * @throws ShapeError when the number of samples is not `height * width * 3`
 */
export function raster(width: number, height: number, data?: Uint8Array): Raster {
  requireSize('A picture', width, height);
  const picture: Raster = { width, height, channels: 3, data: data ?? new Uint8Array(width * height * 3) };
  requireRaster('A picture', picture);
  return picture;
}

/** Largest number of samples one picture may have: indices must stay 32-bit for fast loops. */
const maxSamples = 2 ** 31 - 1;

/** @throws InputError when a side is not a positive whole number */
export function requireSides(who: string, width: number, height: number): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1)
    throw new InputError({
      message: `${who} needs a width and a height that are whole numbers of at least 1 pixel, found ${width}x${height}.`,
      hint: 'Round the sides, and keep them at 1 or more.',
    });
}

/** @throws InputError when a side is not a positive whole number or the picture is larger than 2 GiB */
export function requireSize(who: string, width: number, height: number): void {
  requireSides(who, width, height);
  if (width * height * 3 > maxSamples)
    throw new InputError({
      message: `${who} of ${width}x${height} pixels is larger than 2 GiB.`,
      hint: 'Ask for a smaller picture.',
    });
}

/** @throws ShapeError when the samples do not fill the sides of the picture */
export function requireRaster(who: string, picture: Raster): void {
  const { width, height, channels, data } = picture;
  if (channels !== 3 || data.length !== width * height * 3)
    throw new ShapeError({
      message: `${who} of ${width}x${height} pixels needs ${width * height * 3} samples (3 channels), found ${data.length} (${String(channels)} channels).`,
      hint: 'Give RGB samples, row by row, without padding between rows.',
    });
}

/** @throws InputError when the quality of a JPEG is not a whole number from 1 to 100 */
export function requireQuality(quality: number): void {
  if (!Number.isInteger(quality) || quality < 1 || quality > 100)
    throw new InputError({
      message: `The quality of a JPEG is a whole number from 1 to 100, found ${quality}.`,
      hint: '90 keeps pictures close to the original.',
    });
}
