import { InputError } from '@weft/errors';
import { expect, it } from 'vitest';
import { decodeImage } from './decode.js';
import { encodeJpeg, encodePng } from './encode.js';
import { raster } from '../../raster.js';
import { noisePicture } from '../../../test/read-fixture.js';

/** A soft ramp, which JPEG keeps well. */
function ramp(width: number, height: number) {
  const picture = raster(width, height);
  for (let i = 0; i < picture.data.length; i++)
    picture.data[i] = Math.floor((i / picture.data.length) * 200) + 20;
  return picture;
}

it('writes PNG that reads back to the same samples', async () => {
  for (const picture of [noisePicture(31, 17, 5), raster(1, 1), raster(4, 4, new Uint8Array(48).fill(77))])
    expect(await decodeImage(await encodePng(picture))).toEqual({
      ...picture,
      data: Uint8Array.from(picture.data),
    });
});

it('writes JPEG that reads back to nearly the same samples, larger at higher quality', async () => {
  const picture = ramp(40, 24);
  const bytes = await encodeJpeg(picture, 95);
  expect([...bytes.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
  const { data } = await decodeImage(bytes);
  expect(Math.max(...data.map((value, i) => Math.abs(value - picture.data[i]!)))).toBeLessThanOrEqual(6);
  const noise = noisePicture(40, 24, 0);
  expect((await encodeJpeg(noise, 95)).length).toBeGreaterThan((await encodeJpeg(noise, 30)).length);
});

it('refuses a quality outside 1 to 100', async () => {
  for (const quality of [0, 101, 0.9, Number.NaN])
    await expect(encodeJpeg(raster(1, 1), quality)).rejects.toThrow(InputError);
});
