import { InputError } from '@weft/errors';
import { raster, requireRaster, requireSize, type Raster, type Rgb } from './raster.js';

/** A rectangle in pixels; it may lie partly or wholly outside the picture. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Sides of a picture in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pixels added at each side, and their colour. */
export interface Padding {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly fill: Rgb;
}

/**
 * Cuts a rectangle out of a picture. What lies outside the picture is black.
 *
 * @throws InputError when the rectangle is not in whole pixels or is empty
 */
export function crop(picture: Raster, box: Box): Raster {
  const { left, top, width, height } = box;
  requireRaster('crop', picture);
  requireSize('crop', width, height);
  requireWhole('crop', { left, top });
  const result = raster(width, height);
  copyInto(result, picture, -left, -top);
  return result;
}

/**
 * Cuts the middle out of a picture, as `center_crop` of transformers: offset `floor((side - size) / 2)`. A picture
 * that is too small gets black borders, the larger one at the left and the top when they differ.
 *
 * @throws InputError when a side is not a positive whole number
 * @see transformers, `image_transforms.center_crop`
 */
export function centerCrop(picture: Raster, size: Size): Raster {
  requireSize('centerCrop', size.width, size.height);
  return crop(picture, centerBox(picture, size));
}

/**
 * Adds borders of one colour.
 *
 * @throws InputError when a border is negative or not a whole number, or the colour is not three samples of 0 to 255
 */
export function pad(picture: Raster, padding: Padding): Raster {
  const { left, top, right, bottom, fill } = padding;
  requireRaster('pad', picture);
  requirePadding('pad', padding);
  const width = picture.width + left + right;
  const height = picture.height + top + bottom;
  requireSize('pad', width, height);
  const result = raster(width, height);
  paint(result.data, fill);
  copyInto(result, picture, left, top);
  return result;
}

/**
 * Puts a picture in the middle of the smallest square that holds it, as `expand2square` of LLaVA: offset
 * `floor((side - size) / 2)`.
 *
 * @throws InputError when the colour is not three samples of 0 to 255
 */
export function padToSquare(picture: Raster, fill: Rgb): Raster {
  return pad(picture, squareBorder(picture, fill));
}

/** The borders that {@link padToSquare} adds to a picture of this size. */
export function squareBorder({ width, height }: Size, fill: Rgb): Padding {
  const side = Math.max(width, height);
  const left = Math.floor((side - width) / 2);
  const top = Math.floor((side - height) / 2);
  return { left, top, right: side - width - left, bottom: side - height - top, fill };
}

/** The part that {@link centerCrop} cuts out of a picture of this size. */
export const centerBox = (picture: Size, { width, height }: Size): Box => ({
  left: Math.floor((picture.width - width) / 2),
  top: Math.floor((picture.height - height) / 2),
  width,
  height,
});

/** Copies `source` onto `target` with its corner at (`left`, `top`), as far as it falls inside. */
export function copyInto(target: Raster, source: Raster, left: number, top: number): void {
  const fromX = Math.max(0, -left);
  const toX = Math.min(source.width, target.width - left);
  const fromY = Math.max(0, -top);
  const toY = Math.min(source.height, target.height - top);
  if (fromX >= toX) return;
  for (let y = fromY; y < toY; y++) {
    const row = y * source.width;
    const samples = source.data.subarray((row + fromX) * 3, (row + toX) * 3);
    target.data.set(samples, ((y + top) * target.width + fromX + left) * 3);
  }
}

export function paint(samples: Uint8Array, [red, green, blue]: Rgb): void {
  if (red === green && green === blue) {
    samples.fill(red);
    return;
  }
  for (let i = 0; i < samples.length; i += 3) {
    samples[i] = red;
    samples[i + 1] = green;
    samples[i + 2] = blue;
  }
}

/** @throws InputError when a border is negative or not a whole number, or the colour is not three samples */
export function requirePadding(who: string, { fill, left, top, right, bottom }: Padding): void {
  requireWhole(who, { left, top, right, bottom }, 0);
  requireColour(who, fill);
}

export function requireWhole(who: string, values: Readonly<Record<string, number>>, least = -Infinity): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isInteger(value) || value < least)
      throw new InputError({
        message: `${who} needs ${name} in whole pixels${least === 0 ? ', at least 0' : ''}, found ${value}.`,
        hint: least === 0 ? 'To cut pixels away use crop.' : 'Round it first.',
      });
}

export function requireColour(who: string, fill: Rgb): void {
  if (fill.length !== 3 || !fill.every((sample) => Number.isInteger(sample) && sample >= 0 && sample <= 255))
    throw new InputError({
      message: `${who} needs a colour of three whole numbers from 0 to 255, found [${fill.join(', ')}].`,
      hint: 'A mean given from 0 to 1 must be multiplied by 255 and made whole.',
    });
}
