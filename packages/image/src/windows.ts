/** Names of the resampling filters, as in Pillow's `Image.Resampling`. */
export type ResizeFilter = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos';

export interface Kernel {
  /** Half width of the filter at scale 1, pixels. */
  readonly support: number;
  readonly weight: (x: number) => number;
}

/** The filter's windows for consecutive output positions of one axis. */
export interface Windows {
  /** Taps reserved for each output position. */
  readonly taps: number;
  /** First input position of each window. */
  readonly first: Int32Array;
  /** Number of input positions of each window. */
  readonly count: Int32Array;
  /** `[positions, taps]` weights, fixed point with 22 fractional bits. */
  readonly weights: Int32Array;
}

/** 8 bits for the sample and 2 for sums outside 0 to 255 leave this many fractional bits of 32. */
export const precisionBits = 22;
export const half = 1 << (precisionBits - 1);

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

/** Filters by the names that Pillow's `Image.Resampling` has for them. */
export const kernels: Readonly<Record<Exclude<ResizeFilter, 'nearest'>, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/**
 * The windows of the output positions from `from` on.
 *
 * @param inputSize pixels of the axis before
 * @param size pixels of the axis after
 * @param count positions that are wanted
 */
export function windowsOf(
  kernel: Kernel,
  inputSize: number,
  size: number,
  from: number,
  count: number,
): Windows {
  if (inputSize === size) return ownWindows(from, count);
  const scale = inputSize / size;
  const filterScale = Math.max(scale, 1);
  const support = kernel.support * filterScale;
  const taps = Math.ceil(support) * 2 + 1;
  const step = 1 / filterScale;
  const windows: Windows = {
    taps,
    first: new Int32Array(count),
    count: new Int32Array(count),
    weights: new Int32Array(count * taps),
  };
  const exact = new Float64Array(taps);
  for (let i = 0; i < count; i++) {
    const center = (i + from + 0.5) * scale;
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
      windows.weights[i * taps + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    windows.first[i] = start;
    windows.count[i] = length;
  }
  return windows;
}

/** Windows of an axis that keeps its size: each position has its own pixel. */
const ownWindows = (from: number, count: number): Windows => ({
  taps: 1,
  first: Int32Array.from({ length: count }, (_, i) => from + i),
  count: new Int32Array(count).fill(1),
  weights: new Int32Array(count).fill(1 << precisionBits),
});
