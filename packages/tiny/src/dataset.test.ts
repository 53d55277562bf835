import { describe, expect, it } from 'vitest';
import { ignored } from '@weft/train';
import { toPixelValues } from '@weft/image';
import { part } from '@weft/spec';
import { lookCurriculum, questionCurriculum, worldDataset } from './dataset.js';
import { inputSize, tinyModel } from './model.js';
import { drawSlice } from './pool.js';
import { tinyTokens } from './tokenizer.js';

const pool = {
  first: 50,
  count: 40,
  size: inputSize,
  pixels: drawSlice({ first: 50, count: 40, size: inputSize }),
};
const data = worldDataset(pool, questionCurriculum, 64, { seed: 3 });

describe('the training samples', () => {
  it('begin with the image tokens that the model announces', async () => {
    const [encoder, connector] = [part(await tinyModel(), 'encoder'), part(await tinyModel(), 'connector')];
    const tokens = connector.countTokens(encoder.grid!);
    expect(tokens).toBe(64);
    const { inputIds } = await data.example(0);
    expect(inputIds.filter((id) => id === tinyTokens().image)).toHaveLength(tokens);
    expect(inputIds.slice(0, tokens).every((id) => id === tinyTokens().image)).toBe(true);
  });

  it('supervise answers and their ends only', async () => {
    for (let index = 0; index < 40; index++) {
      const { inputIds, labels } = await data.example(index);
      let answering = false;
      for (const [i, id] of inputIds.entries()) {
        expect(labels[i]).toBe(answering ? id : ignored);
        if (id === tinyTokens().assistant) answering = true;
        else if (id === tinyTokens().end) answering = false;
      }
    }
  });

  it('repeat for the same number and differ between visits of a picture', async () => {
    expect(await data.example(7)).toEqual(await data.example(7));
    const look = worldDataset(pool, questionCurriculum, 64, { seed: 3, mostObjects: 1 });
    const visits = await Promise.all(Array.from({ length: 30 }, (_, i) => look.example(i)));
    expect(new Set(visits.map(({ inputIds }) => inputIds.join())).size).toBeGreaterThan(10);
  });

  it('hold the pixels that the processor would make', async () => {
    const { images } = await worldDataset({ ...pool, count: 1 }, lookCurriculum, 64, { seed: 1 }).example(0);
    const picture = {
      width: inputSize,
      height: inputSize,
      channels: 3 as const,
      data: pool.pixels.subarray(0, inputSize * inputSize * 3),
    };
    const expected = toPixelValues(picture, { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] });
    expect(images!['pixel_values']!.data).toEqual(expected);
  });
});
