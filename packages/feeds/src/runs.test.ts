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

  it('leaves out views of zeros that fill up samples, and takes a single tile without an axis of tiles', () => {
    const listed = { ...tiles(1, 0, 2, 3), shape: [2, 2, 3, 2, 2] };
    expect(sightRuns(model, { pixel_values: listed })).toEqual([
      { inputs: { pixel_values: tiles(1, 2, 3) } },
    ]);
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
