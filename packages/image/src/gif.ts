import { DamageError } from './damage.js';
import type { Samples } from './samples.js';

/** Length in bytes of a colour table whose packed field is given; 0 when the flag for a table is not set. */
const tableLength = (packed: number): number => (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** RGB; undefined where the file has no colours, which then are levels of grey. */
  readonly table: Uint8Array | undefined;
  readonly transparent: number | undefined;
  readonly isInterlaced: boolean;
  /** Where its compressed indices begin, with their width in bits. */
  readonly at: number;
}

/** The head of a GIF: the size of its canvas, and its first frame. */
export interface GifHead {
  readonly width: number;
  readonly height: number;
  readonly frame: Frame;
}

export const isGif = (bytes: Uint8Array): boolean =>
  bytes.length >= 13 && /^GIF8[79]a$/.test(String.fromCharCode(...bytes.subarray(0, 6)));

/**
 * Reads up to the indices of the first frame. A frame that reaches beyond the canvas makes it larger, as in Pillow.
 *
 * @throws DamageError if there is no frame
 * @see GIF89a specification, sections 18 to 23
 */
export function readGifHead(bytes: Uint8Array): GifHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const short = (at: number): number => view.getUint16(at, true);
  let at = 13 + tableLength(bytes[10]!);
  const common = at > 13 ? bytes.subarray(13, at) : undefined;
  let transparent: number | undefined;
  while (at + 11 <= bytes.length && bytes[at] !== 0x3b) {
    const block = bytes[at++];
    if (block === 0x21) {
      // Without a sub-block there is nothing to read of an extension.
      if (bytes[at] === 0xf9 && bytes[at + 1]! >= 4 && bytes[at + 2]! & 1) transparent = bytes[at + 5];
      at++;
      while (at < bytes.length && bytes[at] !== 0) at += bytes[at]! + 1;
      at++;
    } else if (block === 0x2c) {
      const packed = bytes[at + 8]!;
      const start = at + 9 + tableLength(packed);
      const own = packed & 0x80 ? bytes.subarray(at + 9, start) : undefined;
      const frame: Frame = {
        left: short(at),
        top: short(at + 2),
        width: short(at + 4),
        height: short(at + 6),
        table: own ?? common,
        transparent,
        isInterlaced: (packed & 0x40) !== 0,
        at: start,
      };
      return {
        width: Math.max(short(6), frame.left + frame.width),
        height: Math.max(short(8), frame.top + frame.height),
        frame,
      };
    }
  }
  throw new DamageError('has no picture in it');
}

/**
 * The first frame on its canvas, `[height, width, 4]`, with the colours of Pillow: what the frame does not cover has the
 * transparent colour where there is one, or else the first of the table.
 *
 * @throws DamageError if indices are missing or make no sense
 */
export function decodeGif(bytes: Uint8Array, { width, height, frame }: GifHead): Samples {
  const indices = decompress(bytes, frame);
  const palette = paletteOf(frame);
  const data = new Uint8Array(width * height * 4);
  const colours = new Uint32Array(data.buffer);
  colours.fill(palette[frame.transparent ?? 0]!);
  const rows = frame.isInterlaced ? interlacedRows(frame.height) : undefined;
  for (let row = 0; row < frame.height; row++) {
    const from = row * frame.width;
    const to = (frame.top + (rows ? rows[row]! : row)) * width + frame.left;
    for (let x = 0; x < frame.width; x++) colours[to + x] = palette[indices[from + x]!]!;
  }
  return { width, height, channels: 4, data };
}

/** The colour of every index as four bytes: black if the table lacks it, grey if there is no table. */
function paletteOf({ table, transparent }: Frame): Uint32Array {
  const bytes = new Uint8Array(256 * 4);
  for (let i = 0; i < 256; i++) {
    for (let c = 0; c < 3; c++) bytes[4 * i + c] = table ? (table[3 * i + c] ?? 0) : i;
    bytes[4 * i + 3] = i === transparent ? 0 : 255;
  }
  return new Uint32Array(bytes.buffer);
}

const interlacedRows = (height: number): number[] =>
  [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2],
  ].flatMap(([first, step]) => {
    const rows: number[] = [];
    for (let row = first!; row < height; row += step!) rows.push(row);
    return rows;
  });

/** LZW of a growing width, in sub-blocks of at most 255 bytes. */
function decompress(bytes: Uint8Array, { width, height, at }: Frame): Uint8Array {
  const bits = bytes[at] ?? 0;
  const count = width * height;
  if (bits < 1 || bits > 8 || count === 0) throw new DamageError('has a frame without pixels');
  const indices = new Uint8Array(count);
  const clear = 1 << bits;
  const [prefix, suffix] = [new Uint16Array(4096), new Uint8Array(4096)];
  const stack = new Uint8Array(4097);
  let [next, size, last, first] = [clear + 2, bits + 1, -1, 0];
  let [held, heldBits, to, block, from] = [0, 0, 0, 0, at + 1];
  while (to < count) {
    while (heldBits < size) {
      if (block === 0) {
        block = bytes[from++] ?? 0;
        if (block === 0) throw new DamageError('ends before its pixels do');
      }
      if (from >= bytes.length) throw new DamageError('ends before its pixels do');
      held |= bytes[from++]! << heldBits;
      heldBits += 8;
      block--;
    }
    const code = held & ((1 << size) - 1);
    held >>>= size;
    heldBits -= size;
    if (code === clear) {
      [next, size, last] = [clear + 2, bits + 1, -1];
      continue;
    }
    if (code === clear + 1) throw new DamageError('ends before its pixels do');
    if (last < 0) {
      if (code > clear) throw new DamageError('has indices that make no sense');
      first = code;
      indices[to++] = code;
    } else {
      if (code > next) throw new DamageError('has indices that make no sense');
      let depth = 0;
      let walk = code;
      // A code that is about to be made is the last one and its own first index.
      if (code === next) {
        stack[depth++] = first;
        walk = last;
      }
      while (walk > clear) {
        stack[depth++] = suffix[walk]!;
        walk = prefix[walk]!;
      }
      first = walk;
      stack[depth++] = walk;
      while (depth > 0 && to < count) indices[to++] = stack[--depth]!;
      if (next < 4096) {
        prefix[next] = last;
        suffix[next] = first;
        next++;
        if (next === 1 << size && size < 12) size++;
      }
    }
    last = code;
  }
  return indices;
}
