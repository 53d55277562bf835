import { describe, expect, it } from 'vitest';
import { composed } from '../test/composed.js';
import { collate, ignored } from './batch.js';
import { sampleIndex } from './dataset.js';

describe('the order of samples', () => {
  it('visits every sample once in an epoch', () => {
    for (const size of [1, 2, 3, 17, 64, 1000]) {
      const seen = new Set(Array.from({ length: size }, (_, n) => sampleIndex(size, 5, n)));
      expect(seen.size).toBe(size);
      expect(Math.max(...seen)).toBe(size - 1);
    }
  });

  it('differs between epochs and seeds, and repeats for the same', () => {
    const epoch = (seed: number, number: number) =>
      Array.from({ length: 50 }, (_, n) => sampleIndex(50, seed, number * 50 + n));
    expect(epoch(1, 0)).toEqual(epoch(1, 0));
    expect(epoch(1, 0)).not.toEqual(epoch(1, 1));
    expect(epoch(1, 0)).not.toEqual(epoch(2, 0));
  });

  it('counts on without end in an endless set', () => {
    expect(sampleIndex(Number.POSITIVE_INFINITY, 3, 123456789)).toBe(123456789);
  });
});

describe('a batch', async () => {
  const model = await composed({ id: 'fusion-unified', config: {} });
  const seeing = { ...model, senses: model.senses.map((sense) => ({ ...sense, tokenId: 2 })) };
  const sample = (inputIds: number[], labels: number[]) => ({ inputIds, labels, images: null });

  it('supervises the token after each position, never the first', () => {
    const { feeds, targets, tokens } = collate(
      [sample([5, 6, 7], [5, ignored, 7]), sample([8, 9], [ignored, 9])],
      model,
    );
    expect(targets).toBe(2);
    expect(tokens).toBe(5);
    expect([...(feeds['target_positions']!.data as BigInt64Array)]).toEqual([1n, 3n]);
    expect([...(feeds['targets']!.data as BigInt64Array)]).toEqual([7n, 9n]);
    expect([...(feeds['input_ids']!.data as BigInt64Array)]).toEqual([5n, 6n, 7n, 8n, 9n, 0n]);
  });

  it('places image embeddings at the placeholders and joins tiles', () => {
    const image = (value: number) => ({
      pixel_values: {
        dtype: 'float32' as const,
        shape: [1, 3, 8, 8],
        data: new Float32Array(192).fill(value),
      },
    });
    const { feeds, hasImages } = collate(
      [
        { ...sample([2, 2, 4], [ignored, ignored, 4]), images: image(1) },
        { ...sample([3, 2, 2, 4], [ignored, ignored, ignored, 4]), images: image(2) },
      ],
      seeing,
    );
    expect(hasImages).toBe(true);
    expect([...(feeds['image_positions']!.data as BigInt64Array)]).toEqual([0n, 1n, 5n, 6n]);
    expect(feeds['pixel_values']!.dims).toEqual([2, 3, 8, 8]);
    const pixels = feeds['pixel_values']!.data as Float32Array;
    expect([pixels[0], pixels[191], pixels[192], pixels[383]]).toEqual([1, 1, 2, 2]);
  });

  it('refuses labels of another length', () => {
    expect(() => collate([sample([1, 2], [1])], model)).toThrow(/2 ids and 1 labels/);
  });
});
