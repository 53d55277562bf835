import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { modelWith } from '../test/model.js';
import { sightRuns } from './runs.js';
import { requireAllRead, watched } from './watched.js';

const tile: TensorData = { dtype: 'float32', shape: [1, 3, 2, 2], data: new Float32Array(12) };
const model = modelWith({ grid: [1, 1] });

describe('watched tensors', () => {
  it('note what is asked for, whether it is there or not', () => {
    const { tensors, asked } = watched({ pixel_values: tile, other: tile });
    sightRuns(model, tensors);
    expect(tensors['missing']).toBeUndefined();
    expect([...asked].toSorted()).toEqual(['missing', 'pixel_values']);
    expect(tensors['pixel_values']).toBe(tile);
  });

  it('that nobody asked for are refused by name, with the names that are read', () => {
    const read = (given: Readonly<Record<string, TensorData>>) => () => {
      const seen = watched(given);
      sightRuns(model, seen.tensors);
      requireAllRead(given, seen, 'here');
    };
    expect(read({ pixel_values: tile })).not.toThrow();
    expect(read({})).not.toThrow();
    for (const name of ['pixel_values_videos', 'pixel_attention_mask', 'image_grid_thw', 'toString']) {
      expect(read({ pixel_values: tile, [name]: tile })).toThrow(InputError);
      expect(read({ pixel_values: tile, [name]: tile })).toThrow(
        new RegExp(`does not read ${name}[^]*It reads pixel_values`),
      );
    }
    expect(read({ a: tile, b: tile })).toThrow(/does not read a, b[^]*Leave them out/);
  });
});
