import { crop, pad, resize, type Raster, type ResizeFilter } from '@weft/image';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A picture as large as a frame allows, in its middle, on black. Sizes in pixels. */
export function fitInto(
  picture: Raster,
  [height, width]: readonly [height: number, width: number],
  filter: ResizeFilter,
): Raster {
  const fitted = resize(picture, { ...largest(picture, { width, height }), filter });
  const [left, top] = [Math.floor((width - fitted.width) / 2), Math.floor((height - fitted.height) / 2)];
  return pad(fitted, {
    left,
    top,
    right: width - fitted.width - left,
    bottom: height - fitted.height - top,
    fill: [0, 0, 0],
  });
}

function largest({ width, height }: Size, frame: Size): Size {
  const [across, down] = [frame.width / width, frame.height / height];
  return across < down
    ? { width: frame.width, height: Math.min(Math.ceil(height * across), frame.height) }
    : { width: Math.min(Math.ceil(width * down), frame.width), height: frame.height };
}

/** Square tiles row by row; those at the right and below are narrower where the side does not divide the picture. */
export function cutTiles(picture: Raster, tileSize: number): Raster[] {
  const tiles: Raster[] = [];
  for (let top = 0; top < picture.height; top += tileSize)
    for (let left = 0; left < picture.width; left += tileSize)
      tiles.push(
        crop(picture, {
          left,
          top,
          width: Math.min(tileSize, picture.width - left),
          height: Math.min(tileSize, picture.height - top),
        }),
      );
  return tiles;
}
