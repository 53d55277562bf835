import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { imageId, layout, modelWith, videoId } from '../test/model.js';
import { inTokenOrder, joinRuns, sharesRuns, sightRuns } from './runs.js';

const tiles = (...values: readonly number[]): TensorData => ({
  dtype: 'float32',
  shape: [values.length, 3, 2, 2],
  data: Float32Array.from(values.flatMap((value) => new Array<number>(12).fill(value))),
});

describe('sightRuns', () => {
  const model = modelWith({ grid: [1, 1] });

  it('passes tiles on as one run, and finds none without pictures', () => {
    expect(sightRuns(model, { pixel_values: tiles(1, 2), other: tiles(3) })).toEqual([
      { inputs: { pixel_values: tiles(1, 2) } },
    ]);
    expect(sightRuns(model, {})).toEqual([]);
    expect(sightRuns({ ...model, senses: [] }, { pixel_values: tiles(1) })).toEqual([]);
  });

  it('leaves out views of zeros where they fill up samples, and nowhere else', () => {
    const listed = { ...tiles(1, 0, 2, 3), shape: [2, 2, 3, 2, 2] };
    const filling = modelWith({ grid: [1, 1], zeroViews: 'padding' });
    expect(sightRuns(filling, { pixel_values: listed })).toEqual([
      { inputs: { pixel_values: tiles(1, 2, 3) } },
    ]);
    expect(sightRuns(model, { pixel_values: listed })).toEqual([
      { inputs: { pixel_values: tiles(1, 0, 2, 3) } },
    ]);
  });

  it('takes a single tile without an axis of tiles', () => {
    const single = { ...tiles(4), shape: [3, 2, 2] };
    expect(sightRuns(model, { pixel_values: single })).toEqual([{ inputs: { pixel_values: tiles(4) } }]);
  });

  it('refuses tiles of another size, and says which the encoder takes', () => {
    const wide = { ...tiles(1, 2), shape: [1, 3, 2, 4] };
    expect(() => sightRuns(model, { pixel_values: wide })).toThrow(InputError);
    expect(() => sightRuns(model, { pixel_values: wide })).toThrow(
      /pixel_values is \[1, 3, 2, 4\], but the encoder takes \[tiles, 3, 2, 2\]/,
    );
  });

  describe('with a mask of pixels', () => {
    const filling = modelWith({ grid: [1, 1], zeroViews: 'padding' });
    const pixel_values = { ...tiles(1, 0, 2, 3), shape: [2, 2, 3, 2, 2] };
    const mask = (...views: readonly (readonly number[])[]): TensorData => ({
      dtype: 'int64',
      shape: [2, 2, 2, 2],
      data: BigInt64Array.from(views.flat(), BigInt),
    });
    const [all, none, half] = [
      [1, 1, 1, 1],
      [0, 0, 0, 0],
      [1, 1, 0, 0],
    ];

    it('reads views that are whole, or padding', () => {
      const whole = { pixel_values, pixel_attention_mask: mask(all, none, all, all) };
      expect(sightRuns(filling, whole)).toEqual([{ inputs: { pixel_values: tiles(1, 2, 3) } }]);
      const filler = { pixel_values, pixel_attention_mask: mask(all, half, all, all) };
      expect(sightRuns(filling, filler)).toEqual(sightRuns(filling, whole));
    });

    it('reads views of which every patch has a pixel that counts, as the reference does', () => {
      const coarse = modelWith({ grid: [1, 1], zeroViews: 'padding', patchSize: 2 });
      const sparse = { pixel_values, pixel_attention_mask: mask(half, none, [0, 0, 0, 1], all) };
      expect(sightRuns(coarse, sparse)).toHaveLength(1);
    });

    it('refuses views of which a patch is left out, and names the first', () => {
      for (const [views, name] of [
        [[half, none, all, all], /patches of view 0/],
        [[all, none, all, half], /patches of view 3/],
        [[all, none, none, half], /patches of view 2/],
      ] as const)
        expect(() => sightRuns(filling, { pixel_values, pixel_attention_mask: mask(...views) })).toThrow(
          name,
        );
      const flat = { ...mask(all, all, all, all), shape: [4, 2, 2] };
      expect(() => sightRuns(filling, { pixel_values, pixel_attention_mask: flat })).toThrow(/does not fit/);
    });
  });

  it('adds what the arranger makes of the tensors', () => {
    const [run] = sightRuns(modelWith({ grid: [1, 1], hasArranger: true }), { pixel_values: tiles(1) });
    expect(run!.inputs).toHaveProperty('row_index', 'rows');
  });
});

describe('runs of several prompts', () => {
  it('are one where tiles have one size and no arranger orders them', () => {
    expect(sharesRuns(modelWith({ grid: [1, 1] }))).toBe(true);
    expect(sharesRuns(modelWith({ grid: null }))).toBe(false);
    expect(sharesRuns(modelWith({ grid: [1, 1], hasArranger: true }))).toBe(false);
    expect(sharesRuns({ ...modelWith(), senses: [] })).toBe(true);
  });

  it('are joined along the tiles', () => {
    const joined = joinRuns([{ pixel_values: tiles(1, 2) }, { pixel_values: tiles(3) }]);
    expect(joined).toEqual({ pixel_values: tiles(1, 2, 3) });
  });

  it('come in the order of their tokens, those without a place last', () => {
    const run = (name: string, kind: 'image' | 'video', columns: number) => ({
      inputs: {},
      layout: { ...layout(kind, 1, columns), interval: name.codePointAt(0)! },
    });
    const [a, b, c, d] = [
      run('a', 'image', 2),
      run('b', 'image', 1),
      run('c', 'video', 2),
      run('d', 'video', 1),
    ];
    const ids = [imageId, imageId, 5, videoId, videoId, imageId];
    expect(inTokenOrder([a, b, c, d], ids, modelWith())).toEqual([a, c, b, d]);
    expect(inTokenOrder([a, b], ids, modelWith({ hasVideo: false }))).toEqual([a, b]);
  });
});
