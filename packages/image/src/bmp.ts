import { DamageError } from './damage.js';
import type { Samples } from './samples.js';

/** The head of a BMP. */
export interface BmpHead {
  readonly width: number;
  readonly height: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly packing: 'raw' | 'rle8' | 'rle4';
  /** `[colours, 3]`, RGB; of pictures of at most 8 bits. */
  readonly palette: Uint8Array;
  /** Of 16 bits: those of green. */
  readonly greenBits: number;
  /** Of 24 and 32 bits: the byte of red, green, blue and, where there is one, alpha. */
  readonly order: readonly number[];
  /** Where its samples begin. */
  readonly at: number;
}

/** Masks of red, green, blue and alpha that Pillow knows, and the bytes that they are. */
const layouts32: Readonly<Record<string, readonly number[]>> = {
  'ff0000,ff00,ff,0': [2, 1, 0],
  'ff000000,ff0000,ff00,0': [3, 2, 1],
  'ff000000,ff00,ff,0': [3, 1, 0],
  'ff000000,ff0000,ff00,ff': [3, 2, 1, 0],
  'ff,ff00,ff0000,ff000000': [0, 1, 2, 3],
  'ff0000,ff00,ff,ff000000': [2, 1, 0, 3],
  'ff000000,ff00,ff,ff0000': [3, 1, 0, 2],
  '0,0,0,0': [2, 1, 0, 3],
};

export const isBmp = (bytes: Uint8Array): boolean =>
  bytes.length >= 18 && bytes[0] === 0x42 && bytes[1] === 0x4d;

/**
 * Reads a header of Windows 2.0 to 5.0 or of OS/2.
 *
 * @throws DamageError if it is cut off, or describes a kind that Pillow does not read
 * @see Pillow, `BmpImagePlugin.py`
 */
export function readBmpHead(bytes: Uint8Array): BmpHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(14, true);
  const isCore = length === 12;
  if (!isCore && ![40, 52, 56, 64, 108, 124].includes(length))
    throw new DamageError(`has a header of ${length} bytes, which is of no known kind`);
  if (bytes.length < 14 + length) throw new DamageError('ends within its header');
  const short = (at: number): number => view.getUint16(14 + at, true);
  const long = (at: number): number => view.getUint32(14 + at, true);
  const isTopDown = !isCore && bytes[14 + 11] === 0xff;
  const [width, height] = isCore ? [short(4), short(6)] : [long(4), isTopDown ? 2 ** 32 - long(8) : long(8)];
  const bits = short(isCore ? 10 : 14);
  const compression = isCore ? 0 : long(16);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new DamageError(`has ${bits} bits for each pixel`);
  if (compression > 3) throw new DamageError(`is compressed in the way ${compression}, which is not read`);
  const isPlain = compression === 0 || compression === 3;
  if (!isPlain && bits > 8) throw new DamageError(`has runs of ${bits} bits for each pixel`);
  // The masks of a header of 40 bytes stand behind it.
  if (compression === 3 && bytes.length < 14 + 52) throw new DamageError('ends within its header');
  const masks = compression === 3 ? masksOf(length, long) : undefined;
  let behind = 14 + length + (masks && length === 40 ? 12 : 0);
  const entry = isCore ? 3 : 4;
  const colours = (isCore ? 0 : long(32)) || 2 ** bits;
  let at = view.getUint32(10, true);
  let palette = new Uint8Array(0);
  if (bits <= 8) {
    if (masks) throw new DamageError('has masks of colours that it takes from a table');
    if (colours > 65536) throw new DamageError(`has a table of ${colours} colours`);
    // Some writers point to the table in the place of the samples.
    if (at === 14 + length) at += entry * colours;
    palette = readPalette(bytes.subarray(behind, behind + entry * colours), entry);
    behind += entry * colours;
  }
  return {
    width,
    height,
    isTopDown,
    bits,
    packing: compression === 1 ? 'rle8' : compression === 2 ? 'rle4' : 'raw',
    palette,
    greenBits: bits === 16 ? greenBitsOf(masks) : 0,
    order: bits > 16 ? orderOf(bits, masks) : [],
    at: at || behind,
  };
}

/** Red, green, blue and alpha; headers of up to 52 bytes have no alpha. */
const masksOf = (length: number, long: (at: number) => number): string[] =>
  [40, 44, 48, 52].map((at, i) => (i < 3 || length >= 56 ? long(at) : 0).toString(16));

function greenBitsOf(masks: readonly string[] | undefined): number {
  const [red, green, blue] = masks ?? ['7c00', '3e0', '1f'];
  if (red === '7c00' && green === '3e0' && blue === '1f') return 5;
  if (red === 'f800' && green === '7e0' && blue === '1f') return 6;
  throw new DamageError(`has the masks ${red}, ${green} and ${blue}, which are not read`);
}

function orderOf(bits: number, masks: readonly string[] | undefined): readonly number[] {
  if (!masks) return [2, 1, 0];
  const order = bits === 24 ? layouts32[[...masks.slice(0, 3), '0'].join()] : layouts32[masks.join()];
  if (order && (bits === 32 || order.join() === '2,1,0')) return order;
  throw new DamageError(`has the masks ${masks.join(', ')}, which are not read`);
}

/** Colours of all indices; those that the table lacks are black. */
function readPalette(table: Uint8Array, entry: number): Uint8Array<ArrayBuffer> {
  const palette = new Uint8Array(256 * 3);
  for (let i = 0; i < 256 && (i + 1) * entry <= table.length; i++)
    for (let c = 0; c < 3; c++) palette[3 * i + c] = table[i * entry + 2 - c]!;
  return palette;
}

/**
 * The picture, `[height, width, 3]`, or 4 with alpha.
 *
 * @throws DamageError if there are fewer samples than pixels
 */
export function decodeBmp(bytes: Uint8Array, head: BmpHead): Samples {
  const { width, height, isTopDown, bits, palette, greenBits, order } = head;
  const channels = bits > 16 ? order.length : 3;
  const data = new Uint8Array(width * height * channels);
  const indices = head.packing === 'raw' ? undefined : readRuns(bytes, head);
  const stride = indices ? width : ((width * bits + 31) >>> 5) * 4;
  const samples = indices ?? bytes.subarray(head.at);
  // What fills up the last row may be missing.
  if (samples.length < stride * (height - 1) + Math.ceil((width * (indices ? 8 : bits)) / 8))
    throw new DamageError('ends before its pixels do');
  for (let y = 0; y < height; y++) {
    const row = (isTopDown ? y : height - 1 - y) * stride;
    let to = y * width * channels;
    for (let x = 0; x < width; x++, to += channels)
      if (bits > 16)
        for (const [c, byte] of order.entries()) data[to + c] = samples[row + (x * bits) / 8 + byte]!;
      else if (bits === 16) {
        const pixel = samples[row + 2 * x]! | (samples[row + 2 * x + 1]! << 8);
        const most = 2 ** greenBits - 1;
        data[to] = Math.trunc((((pixel >> (5 + greenBits)) & 31) * 255) / 31);
        data[to + 1] = Math.trunc((((pixel >> 5) & most) * 255) / most);
        data[to + 2] = Math.trunc(((pixel & 31) * 255) / 31);
      } else {
        const index = indices ? samples[row + x]! : indexAt(samples, row, x, bits);
        for (let c = 0; c < 3; c++) data[to + c] = palette[3 * index + c]!;
      }
  }
  return { width, height, channels, data };
}

function indexAt(samples: Uint8Array, row: number, x: number, bits: number): number {
  const bit = x * bits;
  return (samples[row + (bit >> 3)]! >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
}

/** Indices of run-length encoded rows, with Pillow's reading of runs that leave their row. */
function readRuns(bytes: Uint8Array, { width, height, packing, at: start }: BmpHead): Uint8Array {
  const count = width * height;
  const indices = new Uint8Array(count);
  let [at, to, x] = [start, 0, 0];
  const put = (index: number): void => {
    if (to < count) indices[to] = index;
    to++;
  };
  while (to < count && at + 1 < bytes.length) {
    const [length, value] = [bytes[at]!, bytes[at + 1]!];
    at += 2;
    if (length > 0) {
      const fitting = Math.max(0, Math.min(length, width - x));
      for (let i = 0; i < fitting; i++)
        put(packing === 'rle8' ? value : i % 2 === 0 ? value >> 4 : value & 15);
      x += fitting;
    } else if (value === 0) {
      for (let rest = (width - (to % width)) % width; rest > 0; rest--) put(0);
      x = 0;
    } else if (value === 1) break;
    else if (value === 2) {
      if (at + 2 > bytes.length) break;
      to += bytes[at]! + bytes[at + 1]! * width;
      at += 2;
      x = to % width;
    } else {
      const stored = packing === 'rle4' ? value >> 1 : value;
      if (at + stored > bytes.length) break;
      for (let i = 0; i < stored; i++) {
        const byte = bytes[at + i]!;
        if (packing === 'rle4') put(byte >> 4);
        put(packing === 'rle4' ? byte & 15 : byte);
      }
      x += value;
      at += stored + ((at + stored) % 2);
    }
  }
  if (to < count) throw new DamageError('ends before its pixels do');
  return indices;
}
