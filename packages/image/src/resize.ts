import { InputError } from '@weft/errors';
import { raster, requireRaster, requireSize, type Raster } from './raster.js';

/** Names of the resampling filters, as in Pillow's `Image.Resampling`. */
export type ResizeFilter = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos';

/** Target of {@link resize}. */
export interface ResizeOptions {
  /** Columns of the result, pixels. */
  readonly width: number;
  /** Rows of the result, pixels. */
  readonly height: number;
  readonly filter: ResizeFilter;
}

interface Kernel {
  /** Half width of the filter at scale 1, pixels. */
  readonly support: number;
  readonly weight: (x: number) => number;
}

/** The filter's window for every output position of one axis. */
interface Windows {
  /** Taps reserved for each output position. */
  readonly taps: number;
  /** First input position of each window. */
  readonly first: Int32Array;
  /** Number of input positions of each window. */
  readonly count: Int32Array;
  /** `[size, taps]` weights, fixed point with 22 fractional bits. */
  readonly weights: Int32Array;
}

/** 8 bits for the sample and 2 for sums outside 0 to 255 leave this many fractional bits of 32. */
const precisionBits = 22;
const half = 1 << (precisionBits - 1);

function sinc(x: number): number {
  if (x === 0) return 1;
  const angle = x * Math.PI;
  return Math.sin(angle) / angle;
}

function bicubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}

function hamming(x: number): number {
  const d = Math.abs(x);
  // As C floats, which Pillow uses, the two constants do not add up to 1.
  if (d === 0) return 1;
  if (d >= 1) return 0;
  return sinc(d) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(d * Math.PI));
}

const kernels: Readonly<Record<Exclude<ResizeFilter, 'nearest'>, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/**
 * Resamples a picture exactly as Pillow's `Image.resize` does for 8-bit RGB, bit for bit: when it shrinks, the filter
 * is widened by the scale (antialiasing); the first pass, nearly always
 * the horizontal one, is rounded to 8 bits. The aspect ratio is not kept unless the given sides keep it.
 *
 * @returns a new picture of `options.width` by `options.height` pixels; a copy when the size does not change
 * @throws InputError when the sides or the filter are not usable
 * @throws ShapeError when the samples do not fill the picture
 * @see Pillow, `src/libImaging/Resample.c` and `Image.resize` in `src/PIL/Image.py`
 */
export function resize(picture: Raster, options: ResizeOptions): Raster {
  const { width, height, filter } = options;
  requireRaster('resize', picture);
  requireSize('resize', width, height);
  if (width === picture.width && height === picture.height)
    return raster(width, height, picture.data.slice());
  if (filter === 'nearest') return resizeNearest(picture, width, height);
  // Pillow takes the vertical pass first for strips more than 100 times as tall as wide.
  if (picture.height > picture.width * 100 && height < picture.height && width !== picture.width)
    return resize(resize(picture, { width: picture.width, height, filter }), options);
  if (!Object.hasOwn(kernels, filter))
    throw new InputError({
      message: `resize knows no filter ${JSON.stringify(filter)}.`,
      hint: `Use one of nearest, ${Object.keys(kernels).join(', ')}.`,
    });
  const kernel = kernels[filter];
  const rows = height === picture.height ? undefined : windowsOf(kernel, picture.height, height);
  let current = picture;
  let top = 0;
  if (width !== picture.width) {
    const last = height - 1;
    top = rows ? rows.first[0]! : 0;
    const bottom = rows ? rows.first[last]! + rows.count[last]! : picture.height;
    current = resizeRows(picture, windowsOf(kernel, picture.width, width), width, top, bottom);
  }
  return rows ? resizeColumns(current, rows, height, top) : current;
}

function windowsOf(kernel: Kernel, inputSize: number, size: number): Windows {
  const scale = inputSize / size;
  const filterScale = Math.max(scale, 1);
  const support = kernel.support * filterScale;
  const taps = Math.ceil(support) * 2 + 1;
  const step = 1 / filterScale;
  const first = new Int32Array(size);
  const count = new Int32Array(size);
  const weights = new Int32Array(size * taps);
  const exact = new Float64Array(taps);
  for (let i = 0; i < size; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const length = Math.min(Math.trunc(center + support + 0.5), inputSize) - start;
    let sum = 0;
    for (let k = 0; k < length; k++) {
      const weight = kernel.weight((k + start - center + 0.5) * step);
      exact[k] = weight;
      sum += weight;
    }
    for (let k = 0; k < length; k++) {
      const weight = (sum === 0 ? exact[k]! : exact[k]! / sum) * (1 << precisionBits);
      weights[i * taps + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = start;
    count[i] = length;
  }
  return { taps, first, count, weights };
}

function clip(sum: number): number {
  const value = sum >> precisionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Horizontal pass over the rows `top` (included) to `bottom` (excluded), the only ones that the vertical pass reads. */
function resizeRows(picture: Raster, windows: Windows, width: number, top: number, bottom: number): Raster {
  const { taps, first, count, weights } = windows;
  const source = picture.data;
  const result = raster(width, bottom - top);
  const target = result.data;
  let to = 0;
  for (let y = top; y < bottom; y++) {
    const row = y * picture.width * 3;
    for (let x = 0; x < width; x++) {
      let red = half;
      let green = half;
      let blue = half;
      let from = row + first[x]! * 3;
      const begin = x * taps;
      const end = begin + count[x]!;
      for (let k = begin; k < end; k++) {
        const weight = weights[k]!;
        red = (red + Math.imul(source[from]!, weight)) | 0;
        green = (green + Math.imul(source[from + 1]!, weight)) | 0;
        blue = (blue + Math.imul(source[from + 2]!, weight)) | 0;
        from += 3;
      }
      target[to] = clip(red);
      target[to + 1] = clip(green);
      target[to + 2] = clip(blue);
      to += 3;
    }
  }
  return result;
}

/** Vertical pass over a picture whose first row is row `top` of the input. */
function resizeColumns(picture: Raster, windows: Windows, height: number, top: number): Raster {
  const { taps, first, count, weights } = windows;
  const source = picture.data;
  const stride = picture.width * 3;
  const result = raster(picture.width, height);
  const target = result.data;
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let k = 0; k < count[y]!; k++) {
      const weight = weights[y * taps + k]!;
      const from = (first[y]! - top + k) * stride;
      for (let x = 0; x < stride; x++) sums[x] = sums[x]! + Math.imul(source[from + x]!, weight);
    }
    const to = y * stride;
    for (let x = 0; x < stride; x++) target[to + x] = clip(sums[x]!);
  }
  return result;
}

/** Input position for every output position. Pillow adds up the scale step by step, so its rounding errors are kept. */
function nearestPositions(inputSize: number, size: number): Int32Array {
  const scale = inputSize / size;
  const positions = new Int32Array(size);
  let at = scale * 0.5;
  for (let i = 0; i < size; i++) {
    positions[i] = Math.trunc(at);
    at += scale;
  }
  return positions;
}

function resizeNearest(picture: Raster, width: number, height: number): Raster {
  const columns = nearestPositions(picture.width, width);
  const rows = nearestPositions(picture.height, height);
  const source = picture.data;
  const result = raster(width, height);
  const target = result.data;
  for (let y = 0; y < height; y++) {
    // A position that rounding pushed past the edge stays black, as in Pillow.
    if (rows[y]! >= picture.height) continue;
    let to = y * width * 3;
    for (let x = 0; x < width; x++, to += 3) {
      if (columns[x]! >= picture.width) continue;
      const from = (rows[y]! * picture.width + columns[x]!) * 3;
      target[to] = source[from]!;
      target[to + 1] = source[from + 1]!;
      target[to + 2] = source[from + 2]!;
    }
  }
  return result;
}
