import { InputError } from '@weft/errors';
import type { Metadata, SharpOptions } from 'sharp';
import { loadSharp } from './load-sharp.js';
import type { DecodeOptions } from '../../decode-options.js';
import type { Size } from '../../geometry.js';
import { decodePlain, requirePixels } from '../../plain-formats.js';
import type { Raster } from '../../raster.js';
import { samplesToRgb } from '../../samples.js';
import { readSource, sourceName, type ImageSource } from '../../source.js';
import { readPath } from './read-path.js';

const formats: readonly string[] = ['jpeg', 'png', 'webp', 'tiff', 'heif'];
const spaces: readonly string[] = ['srgb', 'rgb', 'rgb16', 'b-w', 'grey16', 'cmyk'];
const useFormats = 'Use JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP or PPM.';

/**
 * Decodes an image file to RGB of 8 bits with the samples that Pillow's `ImageOps.exif_transpose(image).convert('RGB')`
 * gives: the EXIF orientation is applied, colour profiles are not, the first frame of an animation is taken. Size limits
 * are checked on the header, before anything is decoded.
 *
 * @throws InputError when the source cannot be read, is too large, damaged, cut off or not an image
 * @throws UnsupportedError when sharp is not available
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
  const sharp = await loadSharp();
  signal?.throwIfAborted();

  // Pillow reads on over warnings such as bytes between JPEG segments, but not over missing data. The limit on pixels is ours.
  const settings: SharpOptions = { failOn: 'error', ignoreIcc: true, limitInputPixels: false };
  const metadata = await sharp(bytes, settings)
    .metadata()
    .catch((cause: unknown) => {
      throw new InputError({
        message: `${name} is not an image that can be read, or its header is damaged.`,
        hint: useFormats,
        cause,
      });
    });
  signal?.throwIfAborted();
  requireReadable(name, metadata, maxPixels);
  options.admit?.(sidesOf(metadata));

  const cmyk = metadata.space === 'cmyk';
  const wide = metadata.depth === 'ushort';
  const float = metadata.depth === 'float';
  const image = sharp(bytes, settings).autoOrient();
  // Without these two sharp would turn CMYK and 16 bits into sRGB by its own colour management.
  if (cmyk) image.pipelineColourspace('cmyk').toColourspace('cmyk');
  else if (float) image.toColourspace('b-w');
  else if (wide) image.toColourspace(metadata.space === 'grey16' ? 'grey16' : 'rgb16');
  const { data, info } = await image
    .raw({ depth: float ? 'float' : wide ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new InputError({
        message: `${name} is a damaged or incomplete ${metadata.format} image.`,
        hint: 'Download or write it again; other programs may show the part that is there.',
        cause,
      });
    });
  signal?.throwIfAborted();
  const { width, height, channels } = info;
  const samples = float
    ? clipped(new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4))
    : wide
      ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
      : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return samplesToRgb(
    { width, height, channels, data: samples },
    {
      cmyk,
      narrow: metadata.space === 'grey16' && !isPngWithAlpha(metadata, bytes) ? 'clip' : 'high',
      alpha,
    },
  );
}

/** Sides once the orientation is applied. */
const sidesOf = ({ width, height, orientation = 1 }: Metadata): Size =>
  orientation >= 5 ? { width: height, height: width } : { width, height };

/** @throws InputError when the header describes a picture that is too large or of an unusual kind */
function requireReadable(name: string, metadata: Metadata, maxPixels: number): void {
  const { format, width, height, space, depth } = metadata;
  if (!formats.includes(format))
    throw new InputError({
      message: `${name} is of the kind ${format}, which is not read.`,
      hint: useFormats,
    });
  requirePixels(name, { width, height }, maxPixels);
  const isGreyFloat = depth === 'float' && format === 'tiff' && metadata.channels === 1;
  if (!isGreyFloat && (!spaces.includes(space) || (depth !== 'uchar' && depth !== 'ushort')))
    throw new InputError({
      message: `${name} has samples of the type ${depth} in the colour space ${space}, expected 8 or 16 bits of grey, RGB or CMYK, or floats of grey.`,
      hint: 'Convert it to PNG with 8 bits for each sample.',
    });
}

/** Floats as bytes, as Pillow's mode `F` becomes RGB: cut off at 0 and 255, and without what follows the point. */
const clipped = (samples: Float32Array): Uint8Array =>
  Uint8Array.from(samples, (sample) => (sample >= 255 ? 255 : sample > 0 ? Math.trunc(sample) : 0));

/** Whether the samples themselves carry alpha. A single transparent grey level is not alpha to Pillow. */
function isPngWithAlpha(metadata: Metadata, bytes: Uint8Array): boolean {
  return metadata.format === 'png' && bytes[25] === 4;
}
