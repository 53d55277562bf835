import { InputError } from '@weft/errors';
import {
  copyInto,
  paint,
  requireColour,
  requirePadding,
  requireWhole,
  type Box,
  type Padding,
  type Size,
} from './geometry.js';
import { raster, requireRaster, requireSides, requireSize, type Raster, type Rgb } from './raster.js';
import { resample, type Framed } from './resample.js';
import { kernels, type Kernel, type ResizeFilter } from './windows.js';

/** Target of {@link resize}. */
export interface ResizeOptions {
  /** Columns of the whole result, pixels. */
  readonly width: number;
  /** Rows of the whole result, pixels. */
  readonly height: number;
  readonly filter: ResizeFilter;
  /** Borders that the picture has before it is resized, as {@link pad} gives them; none unless given. */
  readonly border?: Padding | undefined;
  /** The part of the result that is wanted, as {@link crop} cuts it out; all of it unless given. */
  readonly box?: Box | undefined;
  /** Colour of what lies in the box but outside of the result; black unless given. */
  readonly fill?: Rgb | undefined;
}

/**
 * Resamples a picture exactly as Pillow's `Image.resize` does for 8-bit RGB, bit for bit: when it shrinks, the filter
 * is widened by the scale (antialiasing); the first pass, nearly always
 * the horizontal one, is rounded to 8 bits. The aspect ratio is not kept unless the given sides keep it.
 *
 * With a border or a box the result is that of `crop(resize(pad(picture, border), size), box)`, but neither the borders nor
 * what lies outside the box is ever made: a thin picture may be resized to a size that no memory holds.
 *
 * @returns a new picture, of the size of the box where there is one; a copy when the size does not change
 * @throws InputError when the sides, the filter, the border or the box are not usable, or the result is larger than 2 GiB
 * @throws ShapeError when the samples do not fill the picture
 * @see Pillow, `src/libImaging/Resample.c` and `Image.resize` in `src/PIL/Image.py`
 */
export function resize(picture: Raster, options: ResizeOptions): Raster {
  const { width, height, filter, border } = options;
  requireRaster('resize', picture);
  requireSides('resize', width, height);
  if (filter !== 'nearest' && !Object.hasOwn(kernels, filter))
    throw new InputError({
      message: `resize knows no filter ${JSON.stringify(filter)}.`,
      hint: `Use one of nearest, ${Object.keys(kernels).join(', ')}.`,
    });
  if (border) requirePadding('resize', border);
  if (options.fill) requireColour('resize', options.fill);
  const source: Framed = {
    picture,
    left: border?.left ?? 0,
    top: border?.top ?? 0,
    width: picture.width + (border ? border.left + border.right : 0),
    height: picture.height + (border ? border.top + border.bottom : 0),
    fill: border?.fill ?? [0, 0, 0],
  };
  const size = { width, height };
  const box = options.box ?? { left: 0, top: 0, ...size };
  requireWhole('resize', { left: box.left, top: box.top });
  requireSize('resize', box.width, box.height);
  const part = within(box, size);
  const made = part && partOf(source, filter, size, part);
  if (made && made.width === box.width && made.height === box.height) return made;
  const result = raster(box.width, box.height);
  if (options.fill) paint(result.data, options.fill);
  if (made) copyInto(result, made, part.left - box.left, part.top - box.top);
  return result;
}

/** The part of a box that lies within the result. */
function within({ left, top, width, height }: Box, size: Size): Box | undefined {
  const [x, y] = [Math.max(0, left), Math.max(0, top)];
  const part = {
    left: x,
    top: y,
    width: Math.min(left + width, size.width) - x,
    height: Math.min(top + height, size.height) - y,
  };
  return part.width >= 1 && part.height >= 1 ? part : undefined;
}

function partOf(source: Framed, filter: ResizeFilter, size: Size, box: Box): Raster {
  if (size.width === source.width && size.height === source.height) return cutOut(source, box);
  if (filter === 'nearest') return resizeNearest(source, size, box);
  const kernel = kernels[filter];
  // Pillow takes the vertical pass first for strips more than 100 times as tall as wide.
  return source.height > source.width * 100 && size.height < source.height && size.width !== source.width
    ? resizeTall(source, kernel, size, box)
    : resample(source, kernel, size, box);
}

/** The vertical pass over all columns, and the horizontal one over the rows that it leaves. */
function resizeTall(source: Framed, kernel: Kernel, size: Size, box: Box): Raster {
  const all = { left: 0, width: source.width, top: box.top, height: box.height };
  const picture = resample(source, kernel, { width: source.width, height: size.height }, all);
  const { width, height } = picture;
  const rows: Framed = { picture, left: 0, top: 0, width, height, fill: source.fill };
  return resample(rows, kernel, { width: size.width, height }, { ...box, top: 0 });
}

function cutOut({ picture, left, top, fill }: Framed, box: Box): Raster {
  const part = { ...box, left: box.left - left, top: box.top - top };
  const result = raster(box.width, box.height);
  const own = within(part, picture);
  if (own?.width !== box.width || own.height !== box.height) paint(result.data, fill);
  copyInto(result, picture, -part.left, -part.top);
  return result;
}

/** Input position for some output positions. Pillow adds up the scale step by step, so its rounding errors are kept. */
function nearestPositions(inputSize: number, size: number, from: number, count: number): Int32Array {
  const scale = inputSize / size;
  const positions = new Int32Array(count);
  let at = scale * 0.5;
  for (let i = 0; i < from + count; i++) {
    if (i >= from) positions[i - from] = Math.trunc(at);
    at += scale;
  }
  return positions;
}

function resizeNearest(source: Framed, size: Size, box: Box): Raster {
  const { picture, left, top, fill } = source;
  const columns = nearestPositions(source.width, size.width, box.left, box.width);
  const rows = nearestPositions(source.height, size.height, box.top, box.height);
  const samples = picture.data;
  const result = raster(box.width, box.height);
  const target = result.data;
  for (let y = 0; y < box.height; y++) {
    // A position that rounding pushed past the edge stays black, as in Pillow.
    if (rows[y]! >= source.height) continue;
    const row = rows[y]! - top;
    const isBorder = row < 0 || row >= picture.height;
    let to = y * box.width * 3;
    for (let x = 0; x < box.width; x++, to += 3) {
      if (columns[x]! >= source.width) continue;
      const column = columns[x]! - left;
      if (isBorder || column < 0 || column >= picture.width) {
        target.set(fill, to);
        continue;
      }
      const from = (row * picture.width + column) * 3;
      target[to] = samples[from]!;
      target[to + 1] = samples[from + 1]!;
      target[to + 2] = samples[from + 2]!;
    }
  }
  return result;
}
