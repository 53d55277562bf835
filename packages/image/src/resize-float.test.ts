import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { noisePicture, readJson } from '../test/read-fixture.js';
import { raster } from './raster.js';
import { resizeFloat } from './resize-float.js';

interface Case {
  readonly from: [number, number];
  readonly to: [number, number];
  readonly offset: number;
  /** Every nth sample is stored. */
  readonly step: number;
  readonly samples: string;
}

const cases = readJson<Case[]>('resize-float.json');

describe('resizeFloat', () => {
  it.each(cases)('gives the samples of PyTorch for $from to $to', ({ from, to, offset, step, samples }) => {
    const result = resizeFloat(noisePicture(...from, offset), { width: to[0], height: to[1] });
    expect(result).toHaveLength(to[0] * to[1] * 3);
    const wanted = new Float32Array(Uint8Array.from(Buffer.from(samples, 'base64')).buffer);
    const differences = Array.from(wanted, (sample, i) => Math.abs(sample - result[i * step]!));
    // Some units of float32's last place.
    expect(Math.max(...differences)).toBeLessThan(5e-7);
  });

  it('keeps the samples where the size stays, as shares of 255', () => {
    const picture = raster(2, 1, Uint8Array.from([0, 51, 255, 1, 2, 3]));
    expect([...resizeFloat(picture, picture)]).toEqual(
      [0, 0.2, 1, 1 / 255, 2 / 255, 3 / 255].map((sample) => Math.fround(sample)),
    );
  });

  it('does not round to bytes', () => {
    const picture = raster(2, 1, Uint8Array.from([0, 0, 0, 1, 1, 1]));
    expect(resizeFloat(picture, { width: 1, height: 1 })[0]).toBeCloseTo(0.5 / 255, 9);
  });

  it('refuses sides that are no sizes', () => {
    expect(() => resizeFloat(raster(2, 2), { width: 0, height: 3 })).toThrow(InputError);
  });
});
