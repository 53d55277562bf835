import { InputError } from '@weft/errors';
import { roundHalfEven } from '@weft/image';
import { requirePixels, type Size } from './tiles.js';

/** Fewest and most pixels of a picture, or of a frame, after resizing. */
export interface PixelLimits {
  readonly minPixels: number;
  readonly maxPixels: number;
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
  limits: PixelLimits,
  name = 'The picture',
): Size {
  const { minPixels, maxPixels } = limits;
  requirePixels({ width, height }, name);
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
