import { loadSharp } from './load-sharp.js';
import { requireQuality, requireRaster, type Raster } from '../../raster.js';

/**
 * Encodes a picture as PNG, RGB of 8 bits, without loss.
 *
 * @throws UnsupportedError when sharp is not available
 */
export async function encodePng(picture: Raster): Promise<Uint8Array> {
  const image = await imageOf('encodePng', picture);
  return await image.png().toBuffer();
}

/**
 * Encodes a picture as baseline JPEG with colour at half resolution (4:2:0).
 *
 * @param quality - 1 to 100; 90 when left out
 * @throws InputError when the quality is not a whole number from 1 to 100
 * @throws UnsupportedError when sharp is not available
 */
export async function encodeJpeg(picture: Raster, quality = 90): Promise<Uint8Array> {
  requireQuality(quality);
  const image = await imageOf('encodeJpeg', picture);
  return await image.jpeg({ quality }).toBuffer();
}

async function imageOf(who: string, picture: Raster) {
  requireRaster(who, picture);
  const sharp = await loadSharp();
  const { width, height, channels, data } = picture;
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
}
