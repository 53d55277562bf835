import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { raster, type Raster } from '../src/raster.js';

/** Bytes of a file made by `tools/golden/image_fixtures.py`. */
export const readBytes = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../src/__fixtures__/${name}`, import.meta.url)));

/** Content of a JSON file made by `tools/golden/image_fixtures.py`. */
export const readJson = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../src/__fixtures__/${name}`, import.meta.url), 'utf8')) as T;

export const sha256 = (data: Uint8Array | Float32Array): string =>
  createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex');

/** The picture that `source` of the script gives: a stretch of the noise, repeated. */
export function noisePicture(width: number, height: number, offset: number): Raster {
  const noise = readBytes('noise.bin');
  const picture = raster(width, height);
  for (let i = 0; i < picture.data.length; i++) picture.data[i] = noise[(i + offset) % noise.length]!;
  return picture;
}
