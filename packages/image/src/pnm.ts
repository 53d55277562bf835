import { DamageError } from './damage.js';
import { roundHalfEven } from './round.js';
import type { Samples } from './samples.js';

/** The head of a portable bitmap, graymap or pixmap. */
export interface PnmHead {
  readonly width: number;
  readonly height: number;
  /** 1 to 6: bits, grey and RGB as text, then the same as bytes. */
  readonly kind: number;
  /** Largest sample; 1 of bitmaps. */
  readonly most: number;
  /** Where the samples begin. */
  readonly at: number;
}

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);

export const isPnm = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1]! >= 0x31 && bytes[1]! <= 0x36 && isSpace(bytes[2]);

/** Reads numbers of ASCII digits between blanks and comments. */
class Numbers {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Moves to the next byte that is neither blank nor of a comment. */
  skip(): void {
    for (; this.at < this.#bytes.length; this.at++) {
      if (this.#bytes[this.at] === 0x23)
        while (this.at < this.#bytes.length && this.#bytes[this.at] !== 0x0a && this.#bytes[this.at] !== 0x0d)
          this.at++;
      else if (!isSpace(this.#bytes[this.at])) return;
    }
  }

  /** @throws DamageError if there is none, or it has more than ten digits */
  next(): number {
    this.skip();
    const start = this.at;
    while (this.at < this.#bytes.length && !isSpace(this.#bytes[this.at]) && this.#bytes[this.at] !== 0x23)
      this.at++;
    const text = String.fromCharCode(...this.#bytes.subarray(start, Math.min(this.at, start + 11)));
    if (/^\d{1,10}$/.test(text)) return Number(text);
    throw new DamageError(
      text === '' ? 'ends before its pixels do' : `has '${text}' in the place of a number`,
    );
  }
}

/**
 * Reads magic number, size and largest sample.
 *
 * @throws DamageError if they make no sense
 * @see Pillow, `PpmImagePlugin.py`
 */
export function readPnmHead(bytes: Uint8Array): PnmHead {
  const kind = bytes[1]! - 0x30;
  const numbers = new Numbers(bytes, 2);
  const [width, height] = [numbers.next(), numbers.next()];
  const most = kind % 3 === 1 ? 1 : numbers.next();
  if (most < 1 || most > 65535) throw new DamageError(`says that its largest sample is ${most}`);
  // One blank ends the header.
  return { width, height, kind, most, at: numbers.at + 1 };
}

/**
 * The picture, `[height, width, 1]` or 3, its samples scaled to bytes. Grey of more than 8 bits is scaled to 16 and what is
 * above 255 becomes 255, as in Pillow: most of it is white.
 *
 * @throws DamageError if samples are missing, or larger than the largest
 */
export function decodePnm(bytes: Uint8Array, { width, height, kind, most, at }: PnmHead): Samples {
  const channels = kind % 3 === 0 ? 3 : 1;
  const data = new Uint8Array(width * height * channels);
  const full = channels === 1 && most > 255 ? 65535 : 255;
  const scaled = (value: number): number =>
    Math.min(255, most === full ? value : Math.min(full, roundHalfEven((value / most) * full)));
  if (kind === 1) readBits(bytes, at, data);
  else if (kind < 4) {
    const numbers = new Numbers(bytes, at);
    for (let i = 0; i < data.length; i++) {
      const value = numbers.next();
      if (value > most)
        throw new DamageError(`has the sample ${value}, but says that ${most} is the largest`);
      data[i] = scaled(value);
    }
  } else if (kind === 4) {
    const stride = Math.ceil(width / 8);
    requireBytes(bytes, at, stride * height);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        data[y * width + x] = (bytes[at + y * stride + (x >> 3)]! >> (7 - (x & 7))) & 1 ? 0 : 255;
  } else {
    const size = most > 255 ? 2 : 1;
    requireBytes(bytes, at, data.length * size);
    for (let i = 0; i < data.length; i++) {
      const from = at + i * size;
      data[i] = scaled(size === 1 ? bytes[from]! : (bytes[from]! << 8) | bytes[from + 1]!);
    }
  }
  return { width, height, channels, data };
}

/** Bits as text need no blanks between them. */
function readBits(bytes: Uint8Array, at: number, data: Uint8Array): void {
  const numbers = new Numbers(bytes, at);
  for (let i = 0; i < data.length; i++) {
    numbers.skip();
    const digit = bytes[numbers.at++];
    if (digit !== 0x30 && digit !== 0x31)
      throw new DamageError(
        digit === undefined ? 'ends before its pixels do' : 'has other digits than 0 and 1',
      );
    data[i] = digit === 0x31 ? 0 : 255;
  }
}

function requireBytes(bytes: Uint8Array, at: number, count: number): void {
  if (bytes.length - at < count) throw new DamageError('ends before its pixels do');
}
