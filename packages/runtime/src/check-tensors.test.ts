import { InputError } from '@weft/errors';
import { afterAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';

const model = await load(fixture('llava-siglip-qwen2'), { worker: false, threads: 1 });
afterAll(() => model.close());

const ids = { dtype: 'int64', shape: [1, 3], data: BigInt64Array.of(5n, 6n, 7n) } as const;

describe('inputs of forward', () => {
  it.each([
    [
      'ids without a type',
      { input_ids: { ...ids, dtype: undefined } },
      /dtype of input_ids is missing, expected float32/,
    ],
    ['an unknown type', { input_ids: { ...ids, dtype: 'long' } }, /dtype of input_ids is "long"/],
    [
      'the name of a method as type',
      { input_ids: { ...ids, dtype: 'toString' } },
      /dtype of input_ids is "toString"/,
    ],
    ['no shape', { input_ids: { dtype: 'int64', data: ids.data } }, /shape of input_ids is missing/],
    ['a negative size', { input_ids: { ...ids, shape: [1, -3] } }, /shape of input_ids is \[1,-3\]/],
    [
      'no data',
      { input_ids: { dtype: 'int64', shape: [1, 3] } },
      /data of input_ids is missing, expected BigInt64Array/,
    ],
    ['a plain list', { input_ids: { ...ids, data: [5n, 6n, 7n] } }, /a plain list, expected BigInt64Array/],
    [
      'data of another type',
      { input_ids: { ...ids, data: Float32Array.of(1, 2, 3) } },
      /Float32Array, expected BigInt64Array/,
    ],
    [
      'too little data',
      { input_ids: { ...ids, shape: [1, 4] } },
      /has 3 values, expected 4 for the shape \[1, 4\]/,
    ],
    [
      'pixels without a type',
      { input_ids: ids, pixel_values: { shape: [0], data: new Float32Array(0) } },
      /dtype of pixel_values is missing/,
    ],
    ['a number', { input_ids: ids, pixel_values: 3 }, /pixel_values is 3, expected a tensor/],
    ['null', { input_ids: null }, /input_ids is null, expected a tensor/],
    ['nothing', {}, /input_ids is missing/],
    ['ids that are not set', { input_ids: undefined }, /input_ids is missing/],
  ])('must not be %s', async (_, inputs, message) => {
    const error = await model.forward(inputs as never).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(message);
  });

  it('may be int32, and fields that are not set', async () => {
    const narrow = { dtype: 'int32', shape: [1, 3], data: Int32Array.of(5, 6, 7) } as const;
    const given = { input_ids: narrow, attention_mask: undefined };
    expect(await model.forward(given as never)).toEqual(await model.forward({ input_ids: ids }));
  });
});
