import { InputError } from '@weft/errors';
import { decodeBmp, isBmp, readBmpHead } from './bmp.js';
import { DamageError } from './damage.js';
import type { DecodeOptions } from './decode-options.js';
import type { Size } from './geometry.js';
import { decodeGif, isGif, readGifHead } from './gif.js';
import { decodePnm, isPnm, readPnmHead } from './pnm.js';
import { requireSize, type Raster } from './raster.js';
import { samplesToRgb, type Samples } from './samples.js';

/** A format that is read here, so that its samples are Pillow's on every machine. */
interface PlainFormat<Head extends Size> {
  readonly name: string;
  readonly is: (bytes: Uint8Array) => boolean;
  /** @throws DamageError if the header makes no sense, or describes what is not read */
  readonly head: (bytes: Uint8Array) => Head;
  /** @throws DamageError if samples are missing or make no sense */
  readonly decode: (bytes: Uint8Array, head: Head) => Samples;
}

/** What is decided of the picture before it is decoded. */
interface PlainOptions extends Pick<DecodeOptions, 'admit'> {
  readonly maxPixels: number;
  readonly alpha: 'drop' | 'white';
}

const format = <Head extends Size>(one: PlainFormat<Head>): PlainFormat<Size> =>
  one as unknown as PlainFormat<Size>;

/**
 * Decodes a GIF (its first frame), a BMP, a PBM, PGM or PPM; `undefined` if the bytes are of another format.
 *
 * @param name of the picture, for messages
 * @throws InputError when it is damaged, cut off, too large or of a kind that is not read
 */
export function decodePlain(
  bytes: Uint8Array,
  name: string,
  { maxPixels, alpha, admit }: PlainOptions,
): Raster | undefined {
  const formats = [
    format({ name: 'GIF', is: isGif, head: readGifHead, decode: decodeGif }),
    format({ name: 'BMP', is: isBmp, head: readBmpHead, decode: decodeBmp }),
    format({ name: 'PNM', is: isPnm, head: readPnmHead, decode: decodePnm }),
  ];
  const found = formats.find(({ is }) => is(bytes));
  if (!found) return undefined;
  const head = attempt(found, name, () => found.head(bytes));
  requirePixels(name, head, maxPixels);
  admit?.({ width: head.width, height: head.height });
  const samples = attempt(found, name, () => found.decode(bytes, head));
  return samplesToRgb(samples, { cmyk: false, narrow: 'clip', alpha });
}

/** @throws InputError when a picture of this size is not read */
export function requirePixels(name: string, { width, height }: Size, maxPixels: number): void {
  if (width * height > maxPixels)
    throw new InputError({
      message: `${name} has ${width}x${height} pixels, more than the ${maxPixels} allowed.`,
      hint: 'Make the image smaller, or raise maxPixels.',
    });
  requireSize(name, width, height);
}

function attempt<T>({ name: format }: PlainFormat<Size>, name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof DamageError)) throw cause;
    throw new InputError({
      message: `${name} is a ${format} that ${cause.message}.`,
      hint: 'Download or write it again, or convert it to PNG.',
      cause,
    });
  }
}
