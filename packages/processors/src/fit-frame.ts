import { resize, type Box, type Raster, type ResizeFilter, type Rgb } from '@weft/image';
import type { Size } from './tiles.js';

/** A picture that is resized and laid into a frame. Pixels of the frame. */
export interface Laid extends Size {
  readonly left: number;
  readonly top: number;
}

/**
 * The size and the place of a picture that is as large as a frame allows and lies in its middle.
 *
 * @see transformers 5.18, `get_patch_output_size` in `image_processing_utils.py`
 */
export function fitInto({ width, height }: Size, frame: Size): Laid {
  const [across, down] = [frame.width / width, frame.height / height];
  const fitted =
    across < down
      ? { width: frame.width, height: Math.min(Math.ceil(height * across), frame.height) }
      : { width: Math.min(Math.ceil(width * down), frame.width), height: frame.height };
  return {
    ...fitted,
    left: Math.floor((frame.width - fitted.width) / 2),
    top: Math.floor((frame.height - fitted.height) / 2),
  };
}

/** Square tiles of a frame row by row; those at the right and below are narrower where the side does not divide it. */
export function tileBoxes({ width, height }: Size, tileSize: number): Box[] {
  const boxes: Box[] = [];
  for (let top = 0; top < height; top += tileSize)
    for (let left = 0; left < width; left += tileSize)
      boxes.push({
        left,
        top,
        width: Math.min(tileSize, width - left),
        height: Math.min(tileSize, height - top),
      });
  return boxes;
}

/** A part of the frame that a picture is laid into. The picture is resized as far as the part shows it. */
export const cutTile = (
  picture: Raster,
  { left, top, width, height }: Laid,
  box: Box,
  filter: ResizeFilter,
  fill?: Rgb,
): Raster =>
  resize(picture, {
    width,
    height,
    filter,
    box: { ...box, left: box.left - left, top: box.top - top },
    fill,
  });
