import { InputError } from '@weft/errors';
import type { ImagePlacement } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { composed, crossed } from '../test/composed.js';
import { collate } from './batch.js';
import type { TrainingExample } from './training-example.js';

const numbers = (feed: { readonly data: unknown } | undefined): number[] =>
  Array.from(feed!.data as BigInt64Array, Number);

describe('a batch for cross-attention', () => {
  const share = (tiles: number[], placed: number[] = []): Pick<ImagePlacement, 'tokens' | 'cross'> => ({
    tokens: placed.length > 0 ? 4 : 1,
    cross: { tiles, seen: tiles.length, placed },
  });
  const example = (
    inputIds: number[],
    tiles: number,
    placements: Pick<ImagePlacement, 'tokens' | 'cross'>[],
  ): TrainingExample => ({
    inputIds,
    labels: inputIds,
    images:
      tiles > 0
        ? { pixel_values: { dtype: 'float32', shape: [tiles, 3, 8, 8], data: new Float32Array(192 * tiles) } }
        : null,
    placements: placements as ImagePlacement[],
  });

  it('says which tiles each row has, and which of them each token sees (B)', async () => {
    const model = await composed(crossed);
    const { feeds } = collate(
      [
        example([1, 19, 2], 3, [share([0, 1, 2])]),
        example([3, 4], 0, []),
        example([19, 19, 5, 19], 3, [share([0]), share([0]), share([0])]),
      ],
      model,
    );
    expect(feeds['vision_tiles']!.dims).toEqual([3, 3]);
    expect(numbers(feeds['vision_tiles'])).toEqual([0, 1, 2, 0, 0, 0, 3, 4, 5]);
    const rows = numbers(feeds['cross_attention_mask']);
    const seen = (row: number) =>
      Array.from({ length: 4 }, (_, at) => rows.slice((row * 4 + at) * 3, (row * 4 + at + 1) * 3).join(' '));
    expect(seen(0)).toEqual(['0 0 0', '1 1 1', '1 1 1', '0 0 0']);
    expect(seen(1)).toEqual(Array.from({ length: 4 }, () => '-1 -1 -1'));
    expect(seen(2)).toEqual(['1 0 0', '1 1 0', '1 1 0', '0 0 1']);
    expect(feeds).not.toHaveProperty('image_positions');
  });

  it('says which embeddings stand at the placeholders (H), even where there are no other tiles', async () => {
    const model = await composed({ id: 'fusion-hybrid', config: { every: 1 } });
    const marks = [19, 19, 19, 19];
    const { feeds } = collate(
      [example([1, ...marks], 3, [share([0, 1], [2])]), example(marks, 1, [share([], [0])])],
      model,
    );
    expect(numbers(feeds['image_positions'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(numbers(feeds['image_rows'])).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
    expect(numbers(feeds['vision_tiles'])).toEqual([0, 1, 0, 0]);
    const single = collate([example(marks, 1, [share([], [0])])], model).feeds;
    expect(single['vision_tiles']!.dims).toEqual([1, 1]);
    expect(new Set(numbers(single['cross_attention_mask']))).toEqual(new Set([-1]));
  });

  it('refuses what it cannot tell', async () => {
    const model = await composed(crossed);
    expect(() => collate([{ ...example([19], 1, []), placements: undefined }], model)).toThrow(InputError);
    const open = await composed({ id: 'fusion-cross-attention', config: { every: 1, unseen: 'mlp' } });
    const both = [example([19, 1], 1, [share([0])]), example([1, 2], 0, [])];
    expect(() => collate(both, open)).toThrow(
      /samples with pictures and samples without[^]*attention-and-mlp/,
    );
  });
});
