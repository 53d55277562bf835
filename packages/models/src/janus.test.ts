import { ConfigError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { senseOf, type Json, type Model, type Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';

const total = (model: Model): number =>
  [...namedParameters(model.module).values()].reduce((sum, { elements }) => sum + elements, 0);

/** As the original repository publishes it. */
const original: Json = {
  model_type: 'multi_modality',
  vision_config: {
    cls: 'CLIPVisionTower',
    params: {
      image_size: 384,
      model_name: 'siglip_large_patch16_384',
      select_feature: 'same',
      select_layer: -1,
    },
  },
  aligner_config: {
    cls: 'MlpProjector',
    params: { depth: 2, input_dim: 1024, n_embed: 2048, projector_type: 'mlp_gelu' },
  },
  language_config: {
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    vocab_size: 102400,
  },
};

/** Tensors of the original layout that understand, with shapes. */
const originalTensors = (): Map<string, readonly number[]> => {
  const tower = 'vision_model.vision_tower';
  const both = (name: string, [out = 0, ...rest]: readonly number[]) =>
    [
      [`${name}.weight`, [out, ...rest]],
      [`${name}.bias`, [out]],
    ] as const;
  const blocks = Array.from({ length: 24 }, (_, i) => `${tower}.blocks.${i}`).flatMap((block) => [
    ...both(`${block}.norm1`, [1024]),
    ...both(`${block}.attn.qkv`, [3072, 1024]),
    ...both(`${block}.attn.proj`, [1024, 1024]),
    ...both(`${block}.norm2`, [1024]),
    ...both(`${block}.mlp.fc1`, [4096, 1024]),
    ...both(`${block}.mlp.fc2`, [1024, 4096]),
  ]);
  return new Map<string, readonly number[]>([
    ...both(`${tower}.patch_embed.proj`, [1024, 3, 16, 16]),
    [`${tower}.pos_embed`, [1, 576, 1024]],
    ...blocks,
    ...both(`${tower}.norm`, [1024]),
    ...both('aligner.layers.0', [2048, 1024]),
    ...both('aligner.layers.2', [2048, 2048]),
  ]);
};

describe('the recipe of Janus', () => {
  it.each([
    ['janus-1.3b', 1_962_640_384],
    ['janus-pro-1b', 1_962_640_384],
    ['janus-pro-7b', 7_235_034_112],
  ])('adds up to the published parameters of %s without the parts that draw', async (name, parameters) => {
    expect(total(await presetModel(name))).toBe(parameters);
  });

  it('stands a picture between the tokens of its beginning and its end', async () => {
    const { tokens, prompt } = senseOf(await presetModel('janus-pro-7b'), 'image')!.processor.place({
      width: 800,
      height: 600,
    });
    expect(tokens).toBe(576);
    expect(prompt).toBe(`<begin_of_image>${'<image_placeholder>'.repeat(576)}<end_of_image>`);
  });

  it('finds every parameter of tower and aligner in the original layout', async () => {
    const { module, checkpoint } = await modelOf(original);
    const found = [...originalTensors()].flatMap(([name, shape]) => {
      const pieces = checkpoint.split!(name, shape) ?? [{ name, start: 0, shape }];
      return pieces.map((piece) => `${checkpoint.rename!(piece.name)} ${piece.shape.join()}`);
    });
    const wanted = [...namedParameters(module)]
      .filter(([path]) => /^model\.(vision_model|aligner)\./.test(path))
      .map(([path, { shape }]) => `${path} ${shape.join()}`);
    expect(found.toSorted()).toEqual(wanted.toSorted());
    expect(checkpoint.rename!('language_model.model.norm.weight')).toBe('model.language_model.norm.weight');
    expect(checkpoint.rename!('language_model.lm_head.weight')).toBe('lm_head.weight');
  });

  it.each([1, 2, 3, 7])('names the %i linear layers of an aligner as transformers does', async (depth) => {
    const aligner_config = { params: { depth, projector_type: 'mlp_gelu' } };
    const { module, checkpoint } = await modelOf({ ...original, aligner_config });
    // In the original layout an activation stands between two of them.
    const names = Array.from({ length: depth }, (_, i) =>
      checkpoint.rename!(`aligner.layers.${2 * i}.weight`),
    );
    const parameters = [...namedParameters(module).keys()].filter((path) => /aligner.*weight$/.test(path));
    expect(names).toEqual(parameters);
    expect(names.at(-1)).toBe(`model.aligner.${depth === 1 ? 'fc1' : `hidden_layers.${depth - 2}`}.weight`);
  });

  it('cuts a fused projection into queries, keys and values, in that order', async () => {
    const pieces = (await modelOf(original)).checkpoint.split!(
      'vision_model.vision_tower.blocks.3.attn.qkv.bias',
      [3072],
    )!;
    expect(pieces.map(({ name, start }) => [name.split('.').at(-2), start])).toEqual([
      ['q_proj', 0],
      ['k_proj', 1024],
      ['v_proj', 2048],
    ]);
  });

  it.each([
    'model.vqmodel.quantize.embedding.weight',
    'model.generation_head.proj_out.bias',
    'gen_embed.weight',
    'gen_vision_model.encoder.conv_in.weight',
  ])('leaves %s out because it draws', async (name) => {
    expect((await modelOf(original)).checkpoint.unused!(name)?.reason).toBe(
      'draws pictures, which this recipe leaves out',
    );
  });

  it('leaves out what only the contrastive model reads, and nothing else', async () => {
    const { unused } = (await modelOf(original)).checkpoint;
    expect(unused!('vision_model.vision_tower.attn_pool.q.weight')?.reason).toMatch(/contrastive/);
    expect(unused!('vision_model.vision_tower.norm.weight')).toBeUndefined();
  });

  it('rounds the shorter side as each layout was published, and frames the picture in the colour of the mean', async () => {
    const half = { image_mean: [0.5, 0.5, 0.5], image_std: [1, 1, 1], rescale_factor: 1 };
    const picture: Picture = {
      width: 1000,
      height: 333,
      channels: 3,
      data: new Uint8Array(1000 * 333 * 3).fill(255),
    };
    const rows = (model: Model): number[] => {
      const { data } = senseOf(model, 'image')!.processor.process([picture]).inputs['pixel_values']!;
      const column = Array.from({ length: 384 }, (_, y) => data[y * 384] as number);
      return [column.indexOf(254.5), column.filter((value) => value === 254.5).length, column[0]!];
    };
    expect(rows(await modelOf(original, { preprocessor: { image_size: 384, ...half } }))).toEqual([
      128, 127, 126.5,
    ]);
    const ported: Json = {
      ...original,
      model_type: 'janus',
      vision_config: {},
      text_config: original['language_config'],
    };
    expect(
      rows(await modelOf(ported, { preprocessor: { size: { height: 384, width: 384 }, ...half } })),
    ).toEqual([128, 128, 126.5]);
  });

  it('refuses towers that were never published', async () => {
    const other = { ...original, vision_config: { params: { model_name: 'siglip_so400m_patch14_384' } } };
    await expect(modelOf(other)).rejects.toThrow(ConfigError);
    await expect(
      modelOf({ model_type: 'janus', text_config: {}, vision_config: { use_qk_norm: true } }),
    ).rejects.toThrow(/use_qk_norm true/);
  });
});
