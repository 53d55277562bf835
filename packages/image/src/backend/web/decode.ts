import { InputError } from '@weft/errors';
import type { DecodeOptions } from '../../decode-options.js';
import { decodePlain, requirePixels } from '../../plain-formats.js';
import type { Raster } from '../../raster.js';
import { samplesToRgb } from '../../samples.js';
import { readSource, sourceName, type ImageSource } from '../../source.js';
import { browser, canvasOf } from './canvas.js';

/**
 * Decodes an image file to RGB of 8 bits by the browser: the EXIF orientation is applied, colour profiles are not.
 * Browsers decode JPEG by their own arithmetic and keep pixels multiplied by their alpha, so samples may differ from
 * those in Node: those of JPEG by a few levels, colours of nearly transparent pixels by more.
 *
 * @throws InputError when the source cannot be read, is too large, damaged or not an image
 * @throws UnsupportedError where there is no canvas
 */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<Raster> {
  const { maxBytes = 64 * 2 ** 20, maxPixels = 100_000_000, alpha = 'drop', signal } = options;
  signal?.throwIfAborted();
  if (alpha !== 'drop' && alpha !== 'white')
    throw new InputError({ message: `alpha is drop or white, found ${JSON.stringify(alpha)}.` });
  const name = sourceName(source);
  const bytes = await readSource(source, { maxBytes, signal, readPath });
  const plain = decodePlain(bytes, name, { maxPixels, alpha, admit: options.admit });
  if (plain) return plain;
  const { createImageBitmap } = browser();
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]), {
    colorSpaceConversion: 'none',
    imageOrientation: 'from-image',
    premultiplyAlpha: 'none',
  }).catch((cause: unknown) => {
    throw new InputError({
      message: `${name} is not an image that can be read, or it is damaged.`,
      hint: 'Use JPEG, PNG, WebP, GIF, AVIF, BMP or PPM.',
      cause,
    });
  });
  signal?.throwIfAborted();
  try {
    const { width, height } = bitmap;
    requirePixels(name, { width, height }, maxPixels);
    options.admit?.({ width, height });
    const { context } = canvasOf(width, height);
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    return samplesToRgb(
      { width, height, channels: 4, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
      { cmyk: false, narrow: 'high', alpha },
    );
  } finally {
    bitmap.close();
  }
}

const readPath = (_path: string, name: string): Promise<never> =>
  Promise.reject(
    new InputError({
      message: `${name} is a path, and a browser has no files at paths.`,
      hint: 'Pass a File or Blob, bytes, or a data: URL.',
    }),
  );
