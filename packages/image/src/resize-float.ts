import type { Size } from './geometry.js';
import { requireRaster, requireSize, type Raster } from './raster.js';

const { fround } = Math;

/** The filter's window for every output position of one axis. */
interface Windows {
  /** Taps reserved for each output position. */
  readonly taps: number;
  /** First input position of each window. */
  readonly first: Int32Array;
  /** Number of input positions of each window. */
  readonly count: Int32Array;
  /** `[size, taps]`. */
  readonly weights: Float32Array;
}

/**
 * Resamples a picture without rounding to bytes, as PyTorch's antialiased bilinear `interpolate` does for float32 samples:
 * when it shrinks, the filter is widened by the scale. The aspect ratio is not kept unless the given sides keep it.
 *
 * @returns samples of 0 to 1, `[height, width, 3]`
 * @throws InputError when the sides are not usable
 * @throws ShapeError when the samples do not fill the picture
 * @see PyTorch, `_compute_indices_min_size_weights_aa` in `aten/src/ATen/native/cpu/UpSampleKernel.cpp`
 */
export function resizeFloat(picture: Raster, { width, height }: Size): Float32Array {
  requireRaster('resizeFloat', picture);
  requireSize('resizeFloat', width, height);
  // Each row is a line of pixels, three samples apart.
  const across = alongLines(
    { data: picture.data, table: Float32Array.from({ length: 256 }, (_, byte) => byte / 255) },
    width === picture.width ? ownWindows(width) : windowsOf(picture.width, width),
    { lines: picture.height, from: picture.width, size: width, step: 3 },
  );
  return height === picture.height
    ? across
    : alongLines({ data: across }, windowsOf(picture.height, height), {
        lines: 1,
        from: picture.height,
        size: height,
        step: width * 3,
      });
}

/** Rounded where PyTorch rounds: a centre far from the origin moves the weights by more than a byte's thousandth. */
function windowsOf(inputSize: number, size: number): Windows {
  const scale = fround(inputSize / size);
  const support = scale >= 1 ? scale : 1;
  const step = scale >= 1 ? fround(1 / scale) : 1;
  const taps = Math.ceil(support) * 2 + 1;
  const windows = {
    taps,
    first: new Int32Array(size),
    count: new Int32Array(size),
    weights: new Float32Array(size * taps),
  };
  for (let i = 0; i < size; i++) {
    const center = fround(scale * (i + 0.5));
    const start = Math.max(Math.trunc(fround(center - support) + 0.5), 0);
    const count = Math.min(Math.trunc(fround(center + support) + 0.5), inputSize) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const at = fround((fround(k + start - center) + 0.5) * step);
      const weight = Math.max(0, fround(1 - Math.abs(at)));
      windows.weights[i * taps + k] = weight;
      sum = fround(sum + weight);
    }
    for (let k = 0; k < count; k++) windows.weights[i * taps + k] = windows.weights[i * taps + k]! / sum;
    windows.first[i] = start;
    windows.count[i] = count;
  }
  return windows;
}

/** Windows of an axis that keeps its size. */
const ownWindows = (size: number): Windows => ({
  taps: 1,
  first: Int32Array.from({ length: size }, (_, i) => i),
  count: new Int32Array(size).fill(1),
  weights: new Float32Array(size).fill(1),
});

/** Resamples `[lines, from, step]` along the middle axis to `[lines, size, step]`. */
function alongLines(
  { data: source, table }: { readonly data: Float32Array | Uint8Array; readonly table?: Float32Array },
  { taps, first, count, weights }: Windows,
  { lines, from, size, step }: Readonly<Record<'lines' | 'from' | 'size' | 'step', number>>,
): Float32Array {
  const target = new Float32Array(lines * size * step);
  for (let line = 0; line < lines; line++)
    for (let i = 0; i < size; i++) {
      const to = (line * size + i) * step;
      for (let k = 0; k < count[i]!; k++) {
        const weight = weights[i * taps + k]!;
        const at = (line * from + first[i]! + k) * step;
        for (let j = 0; j < step; j++) {
          const sample = table ? table[source[at + j]!]! : source[at + j]!;
          target[to + j] = target[to + j]! + sample * weight;
        }
      }
    }
  return target;
}
