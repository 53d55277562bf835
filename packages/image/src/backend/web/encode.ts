import { requireQuality, requireRaster, type Raster } from '../../raster.js';
import { browser, canvasOf } from './canvas.js';

/**
 * Encodes a picture as PNG, RGB of 8 bits, without loss.
 *
 * @throws UnsupportedError where there is no canvas
 */
export const encodePng = (picture: Raster): Promise<Uint8Array> =>
  encoded('encodePng', picture, { type: 'image/png' });

/**
 * Encodes a picture as JPEG, by the browser.
 *
 * @param quality - 1 to 100; 90 when left out
 * @throws InputError when the quality is not a whole number from 1 to 100
 * @throws UnsupportedError where there is no canvas
 */
export async function encodeJpeg(picture: Raster, quality = 90): Promise<Uint8Array> {
  requireQuality(quality);
  return encoded('encodeJpeg', picture, { type: 'image/jpeg', quality: quality / 100 });
}

async function encoded(
  who: string,
  picture: Raster,
  options: { readonly type: string; readonly quality?: number },
): Promise<Uint8Array> {
  requireRaster(who, picture);
  const { width, height, data } = picture;
  const { canvas, context } = canvasOf(width, height);
  const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) pixels.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
  context.putImageData(new (browser().ImageData)(pixels, width, height), 0, 0);
  return new Uint8Array(await (await canvas.convertToBlob(options)).arrayBuffer());
}
