import type { Box, Size } from './geometry.js';
import { raster, type Raster, type Rgb } from './raster.js';
import { half, precisionBits, windowsOf, type Kernel, type Windows } from './windows.js';

/** A picture within borders of one colour, which take no memory. Width and height are those of the whole. */
export interface Framed extends Size {
  readonly picture: Raster;
  readonly left: number;
  readonly top: number;
  readonly fill: Rgb;
}

/** What the horizontal pass makes of the rows of a picture that the vertical one reads. */
interface Rows {
  /** Number of the first row within the frame, and after the last. */
  readonly first: number;
  readonly end: number;
  /** Columns of the result that see some of the picture: the first, and after the last. */
  readonly from: number;
  readonly to: number;
  /** `[end - first, to - from, 3]`. */
  readonly data: Uint8Array;
  /** `[columns, 3]`: a row of the border, and what columns beside the picture are in every row. */
  readonly border: Uint8Array;
}

/** Which taps of the windows see pixels of the picture. */
interface Seen {
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Sum of the weights of the taps that see the border. */
  readonly outside: Int32Array;
  /** Sum of all weights. */
  readonly all: Int32Array;
}

function clip(sum: number): number {
  const value = sum >> precisionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/**
 * A part of a framed picture that is resampled, as Pillow does it: rows first, then columns, rounded to 8 bits in between.
 * Only what the part depends on is read and computed; sums are of whole numbers, so their order does not matter.
 *
 * @param size of the whole result
 * @param box lies within it
 */
export function resample(source: Framed, kernel: Kernel, size: Size, box: Box): Raster {
  const across = windowsOf(kernel, source.width, size.width, box.left, box.width);
  const down = windowsOf(kernel, source.height, size.height, box.top, box.height);
  const last = box.height - 1;
  const first = Math.max(down.first[0]!, source.top);
  const end = Math.min(down.first[last]! + down.count[last]!, source.top + source.picture.height);
  const rows = resizeRows(source, across, first, Math.max(first, end));
  return resizeColumns(rows, down, box);
}

/** @param from first pixel of the picture along the axis, and `to` after its last */
function seenBy({ taps, first, count, weights }: Windows, from: number, to: number): Seen {
  const positions = first.length;
  const seen = {
    from: new Int32Array(positions),
    to: new Int32Array(positions),
    outside: new Int32Array(positions),
    all: new Int32Array(positions),
  };
  for (let i = 0; i < positions; i++) {
    const start = Math.min(Math.max(0, from - first[i]!), count[i]!);
    const end = Math.max(start, Math.min(count[i]!, to - first[i]!));
    let [inside, all] = [0, 0];
    for (let k = 0; k < count[i]!; k++) {
      const weight = weights[i * taps + k]!;
      all = (all + weight) | 0;
      if (k >= start && k < end) inside = (inside + weight) | 0;
    }
    seen.from[i] = start;
    seen.to[i] = end;
    seen.outside[i] = (all - inside) | 0;
    seen.all[i] = all;
  }
  return seen;
}

/** Horizontal pass over the rows `first` (included) to `end` (excluded) of the frame, all of which are the picture's. */
function resizeRows(source: Framed, windows: Windows, first: number, end: number): Rows {
  const { picture, left, top, fill } = source;
  const seen = seenBy(windows, left, left + picture.width);
  const columns = windows.first.length;
  const border = new Uint8Array(columns * 3);
  for (let x = 0; x < columns; x++)
    for (let c = 0; c < 3; c++) border[x * 3 + c] = clip((half + Math.imul(fill[c]!, seen.all[x]!)) | 0);
  let [from, to] = [0, columns];
  while (from < to && seen.from[from] === seen.to[from]) from++;
  while (to > from && seen.from[to - 1] === seen.to[to - 1]) to--;

  const { taps, weights, first: starts } = windows;
  const { from: taken, to: stops, outside } = seen;
  const [fillRed, fillGreen, fillBlue] = fill;
  const samples = picture.data;
  const data = new Uint8Array((end - first) * (to - from) * 3);
  let at = 0;
  for (let y = first; y < end; y++) {
    const row = (y - top) * picture.width - left;
    for (let x = from; x < to; x++) {
      const beside = outside[x]!;
      let red = (half + Math.imul(fillRed, beside)) | 0;
      let green = (half + Math.imul(fillGreen, beside)) | 0;
      let blue = (half + Math.imul(fillBlue, beside)) | 0;
      let pixel = (row + starts[x]! + taken[x]!) * 3;
      const stop = x * taps + stops[x]!;
      for (let k = x * taps + taken[x]!; k < stop; k++) {
        const weight = weights[k]!;
        red = (red + Math.imul(samples[pixel]!, weight)) | 0;
        green = (green + Math.imul(samples[pixel + 1]!, weight)) | 0;
        blue = (blue + Math.imul(samples[pixel + 2]!, weight)) | 0;
        pixel += 3;
      }
      data[at] = clip(red);
      data[at + 1] = clip(green);
      data[at + 2] = clip(blue);
      at += 3;
    }
  }
  return { first, end, from, to, data, border };
}

/** Vertical pass, which makes the part that is wanted. */
function resizeColumns(rows: Rows, windows: Windows, { width, height }: Box): Raster {
  const { taps, first, weights } = windows;
  const { data, border } = rows;
  const seen = seenBy(windows, rows.first, rows.end);
  const result = raster(width, height);
  const target = result.data;
  const [from, to] = [rows.from * 3, rows.to * 3];
  const stride = to - from;
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    const [outside, all] = [seen.outside[y]!, seen.all[y]!];
    const row = y * width * 3;
    for (let i = 0; i < from; i++) target[row + i] = clip((half + Math.imul(border[i]!, all)) | 0);
    for (let i = to; i < border.length; i++) target[row + i] = clip((half + Math.imul(border[i]!, all)) | 0);
    if (outside === 0) sums.fill(half);
    else for (let i = 0; i < stride; i++) sums[i] = (half + Math.imul(border[from + i]!, outside)) | 0;
    for (let k = seen.from[y]!; k < seen.to[y]!; k++) {
      const weight = weights[y * taps + k]!;
      const source = (first[y]! - rows.first + k) * stride;
      for (let i = 0; i < stride; i++) sums[i] = sums[i]! + Math.imul(data[source + i]!, weight);
    }
    for (let i = 0; i < stride; i++) target[row + from + i] = clip(sums[i]!);
  }
  return result;
}
