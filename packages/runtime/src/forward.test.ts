import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { openSafetensors } from '@weft/weights';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import type { ForwardInputs } from './forward.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';

type Inputs = Record<string, TensorData>;

/** Inputs of a golden file: all of its tensors that are no results. */
async function goldenInputs(name: string): Promise<Inputs> {
  const file = await openSafetensors(join(fixture(name), 'golden.safetensors'));
  const inputs: Inputs = {};
  for (const [key, { dtype, shape }] of file.tensors) {
    if (/^(expected_.*|logits|generated|image_features)$/.test(key)) continue;
    inputs[key] =
      dtype === 'F32'
        ? { dtype: 'float32', shape, data: await file.readFloat32(key) }
        : { dtype: 'int64', shape, data: new BigInt64Array((await file.read(key)).slice().buffer) };
  }
  await file.close();
  return inputs;
}

const filledLike = ({ shape }: TensorData, value: bigint): TensorData => ({
  dtype: 'int64',
  shape,
  data: new BigInt64Array(shape.reduce((product, side) => product * side, 1)).fill(value),
});

/** A list of inputs of which one is exchanged. */
const withTensor = (inputs: Inputs, name: string, tensor: TensorData | undefined): ForwardInputs =>
  Object.fromEntries(
    [...Object.entries(inputs).filter(([key]) => key !== name), [name, tensor]].filter(([, one]) => one),
  ) as ForwardInputs;

describe.each([
  ['idefics3-split', 'input_ids, pixel_attention_mask, pixel_values'],
  ['llava-clip', 'input_ids, pixel_values'],
  ['qwen2-vl-two', 'image_grid_thw, input_ids, mm_token_type_ids, pixel_values'],
  ['mllama-two-tiles', 'aspect_ratio_ids, aspect_ratio_mask, cross_attention_mask, input_ids, pixel_values'],
  ['nvlm-d', 'input_ids, num_tiles, pixel_values'],
])('forward of %s', (name, own) => {
  let [model, inputs]: [LoadedModel, Inputs] = [undefined!, {}];
  beforeAll(async () => {
    model = await load(fixture(name), { worker: false, threads: 1 });
    inputs = await goldenInputs(name);
  });
  afterAll(() => model.close());
  const refusal = async (given: ForwardInputs): Promise<string> => {
    const failure: unknown = await model.forward(given).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InputError);
    return (failure as Error).message;
  };

  it('reads all that the reference is given', async () => {
    const given = Object.keys(inputs).filter((key) => key !== 'attention_mask');
    expect(given.toSorted().join(', ')).toBe(own);
    expect((await model.forward(inputs as ForwardInputs)).data.every(Number.isFinite)).toBe(true);
  });

  it('refuses inputs that it does not read, by name', async () => {
    const other = name === 'qwen2-vl-two' ? 'pixel_mask' : 'pixel_values_videos';
    for (const unknown of [other, 'inputs_embeds', 'Pixel_values'])
      expect(await refusal(withTensor(inputs, unknown, inputs['pixel_values']))).toMatch(
        new RegExp(`does not read ${unknown}\\.[^]*attention_mask, [^]*input_ids`),
      );
  });

  it('refuses ids that are missing, or no whole numbers', async () => {
    const ids = inputs['input_ids']!;
    const floats: TensorData = {
      dtype: 'float32',
      shape: ids.shape,
      data: Float32Array.from(ids.data as BigInt64Array, Number),
    };
    expect(await refusal(withTensor(inputs, 'input_ids', floats))).toMatch(/input_ids is of float32/);
    expect(await refusal(withTensor(inputs, 'input_ids', undefined))).toMatch(/input_ids is missing/);
    expect(await refusal(withTensor(inputs, 'attention_mask', floats))).toMatch(/attention_mask is of/);
    expect(await refusal(withTensor(inputs, 'attention_mask', filledLike(ids, 2n)))).toMatch(
      /attention_mask holds 2/,
    );
  });

  it('reads kinds of tokens that follow from the ids, and refuses others', async () => {
    const ids = inputs['input_ids']!;
    const zeros = filledLike(ids, 0n);
    const plain = await model.forward(inputs as ForwardInputs);
    const typed = await model.forward(withTensor(inputs, 'token_type_ids', zeros));
    expect(typed.data).toEqual(plain.data);
    expect(await refusal(withTensor(inputs, 'token_type_ids', filledLike(ids, 1n)))).toMatch(
      /token_type_ids does not fit input_ids at the place 0/,
    );
    expect(await refusal(withTensor(inputs, 'mm_token_type_ids', zeros))).toMatch(/mm_token_type_ids/);
  });
});

it('forward refuses tiles of which a part is masked, and numbers of tiles that are not there', async () => {
  const [idefics, nvlm] = [
    await load(fixture('idefics3-split'), { worker: false, threads: 1 }),
    await load(fixture('nvlm-d'), { worker: false, threads: 1 }),
  ];
  const masked = await goldenInputs('idefics3-split');
  const mask = masked['pixel_attention_mask']!;
  const size = mask.data.length / mask.shape[1]!;
  (mask.data as BigInt64Array).fill(0n, size, size + size / 2);
  await expect(idefics.forward(masked as ForwardInputs)).rejects.toThrow(/patches of view 1/);
  const counted = await goldenInputs('nvlm-d');
  (counted['num_tiles']!.data as BigInt64Array)[0] = 4n;
  await expect(nvlm.forward(counted as ForwardInputs)).rejects.toThrow(/4 tiles, but there are 5/);
  await Promise.all([idefics.close(), nvlm.close()]);
});
