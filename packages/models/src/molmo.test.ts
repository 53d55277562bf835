import { readFileSync } from 'node:fs';
import { ConfigError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { part, senseOf, type Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { trainingGraph, visionGraph } from './graphs.js';
import { partOf } from './part-of.js';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';

const read = (name: string, file: string): Json =>
  JSON.parse(readFileSync(new URL(`../__fixtures__/${name}/${file}.json`, import.meta.url), 'utf8')) as Json;
const fixture = (name: string) => ({
  config: read(name, 'config'),
  files: { preprocessor: read(name, 'preprocessor_config') },
});
const dense = fixture('molmo-portrait');
const after = fixture('molmo-olmo-batch');
const mixture = fixture('molmoe-odd');
const modelOfFixture = async ({ config, files }: typeof dense, changes: Json = {}) =>
  modelOf({ ...config, ...changes }, files);

/** Paths of the parameters that a tensor of a file becomes. */
const placesOf = async (
  of: typeof dense,
  name: string,
  shape: readonly number[],
): Promise<(string | undefined)[]> => {
  const { checkpoint, module } = await modelOfFixture(of);
  const known = namedParameters(module);
  const pieces = checkpoint.split?.(name, shape) ?? [{ name, shape }];
  return pieces.map((piece) => {
    const path = checkpoint.rename!(piece.name);
    return known.get(path)?.shape.join() === piece.shape.join() ? path : undefined;
  });
};

describe('the recipe of Molmo', () => {
  it.each([
    ['molmo-7b-d', 8_021_025_280, 7_616_075_264],
    ['molmo-7b-o', 7_665_032_192, 7_299_141_632],
    ['molmo-72b', 73_308_285_952, 72_707_252_224],
    ['molmoe-1b', 7_221_875_712, 6_919_424_000],
  ])('adds up to the published parameters of %s', async (name, all, language) => {
    const total = (tree: Parameters<typeof namedParameters>[0]) =>
      [...namedParameters(tree).values()].reduce((sum, { elements }) => sum + elements, 0);
    const model = await presetModel(name);
    const parts = [model.module, part(model, 'backbone'), part(model, 'encoder')];
    expect(parts.map(total)).toEqual([all, language, 290_909_184]);
  });

  it('says where the tokens of pictures are', async () => {
    expect(
      await Promise.all(
        ['molmo-7b-d', 'molmo-7b-o', 'molmoe-1b'].map(
          async (name) => senseOf(await presetModel(name), 'image')!.tokenId,
        ),
      ),
    ).toEqual([152066, 100280, 50282]);
  });

  it('takes fused projections apart: queries, keys and values, and the value before the gate', async () => {
    const block = 'model.transformer.blocks.1';
    const [size, heads, keys, fused] = [
      'hidden_size',
      'num_attention_heads',
      'num_key_value_heads',
      'intermediate_size',
    ].map((name) => Number(dense.config[name])) as [number, number, number, number];
    const rows = size + (2 * size * keys) / heads;
    const attention = (kind: string) =>
      ['q', 'k', 'v'].map((letter) => `model.layers.1.self_attn.${letter}_proj.${kind}`);
    expect(await placesOf(dense, `${block}.att_proj.weight`, [rows, size])).toEqual(attention('weight'));
    expect(await placesOf(dense, `${block}.att_proj.bias`, [rows])).toEqual(attention('bias'));
    const mlp = ['up', 'gate'].map((name) => `model.layers.1.mlp.${name}_proj.weight`);
    expect(await placesOf(dense, `${block}.ff_proj.weight`, [fused, size])).toEqual(mlp);
    const { checkpoint } = await modelOfFixture(dense);
    expect(checkpoint.split!(`${block}.ff_proj.weight`, [fused, size])!.map(({ start }) => start)).toEqual([
      0,
      (fused / 2) * size,
    ]);
  });

  it.each([
    [dense, 'blocks.0.attn_norm.weight', 'input_layernorm.weight'],
    [dense, 'blocks.0.ff_norm.weight', 'post_attention_layernorm.weight'],
    [after, 'blocks.0.attn_norm.weight', 'post_attention_layernorm.weight'],
    [after, 'blocks.0.ff_norm.weight', 'post_feedforward_layernorm.weight'],
    [after, 'blocks.0.q_norm.weight', 'self_attn.q_norm.weight'],
    [mixture, 'blocks.0.attn.attn_norm.weight', 'input_layernorm.weight'],
    [mixture, 'blocks.0.attn.k_norm.weight', 'self_attn.k_norm.weight'],
    [mixture, 'blocks.0.mlp.ff_norm.weight', 'post_attention_layernorm.weight'],
    [mixture, 'blocks.0.mlp.gate.weight', 'mlp.gate.weight'],
    [mixture, 'blocks.0.mlp.experts.3.up_proj.weight', 'mlp.experts.3.up_proj.weight'],
  ])('finds tensors of a layer (%#)', async (of, name, path) => {
    const { checkpoint, module } = await modelOfFixture(of);
    expect(checkpoint.rename!(`model.transformer.${name}`)).toBe(`model.layers.0.${path}`);
    expect(namedParameters(module).has(`model.layers.0.${path}`)).toBe(true);
  });

  it('leaves names as they are that it gave itself, so that what was trained is read again', async () => {
    for (const one of [dense, after, mixture]) {
      const { checkpoint, module } = await modelOfFixture(one);
      for (const path of namedParameters(module).keys()) {
        expect(checkpoint.rename!(path)).toBe(path);
        expect(checkpoint.split!(path, [4, 4])).toBeUndefined();
      }
    }
  });

  it('keeps the extra tokens in a table of their own, and predicts none of them', async () => {
    const all = namedParameters((await presetModel('molmo-7b-d')).module);
    expect(all.get('model.embed_tokens.weight')!.shape).toEqual([152064, 3584]);
    expect(all.get('model.embed_tokens.new_embedding')!.shape).toEqual([128, 3584]);
    expect(all.get('lm_head.weight')!.shape).toEqual([152064, 3584]);
  });

  it('counts layers of the tower from the output of its first block', async () => {
    const layersOf = async (vit_layers: readonly number[]) =>
      part(await modelOfFixture(dense, { vit_layers }), 'encoder').config['featureLayers'];
    expect(await layersOf([-2, -9])).toEqual([-2, -9]);
    expect(await layersOf([0, 4])).toEqual([1, 5]);
  });

  it('gives its graphs what the arranger prepares, and adds where others replace', async () => {
    const model = await modelOfFixture(mixture);
    const arranger = part(model, 'arranger');
    const { processor } = senseOf(model, 'image')!;
    const picture = { width: 50, height: 40, channels: 3, data: new Uint8Array(6000) } as const;
    const prepared = arranger!.prepare(processor.process([picture]).inputs)!;
    const names = ['image_masks', 'pixel_values', 'row_index'];
    expect(Object.keys(prepared).toSorted()).toEqual(names);
    expect([...visionGraph(model).inputs.keys()].toSorted()).toEqual(names);
    const training = trainingGraph(model, { images: true });
    expect([...training.inputs.keys()]).toEqual(expect.arrayContaining(names));
    expect(training.parameters.has('model.vision_backbone.pad_embed')).toBe(true);
    expect(prepared['row_index']!.shape[0]).toBe(processor.place(picture).tokens);
    expect(model.fusion.config).toEqual({ mode: 'add' });
  });

  it('lends its parts to compositions', async () => {
    const { part, path, rename } = await partOf(dense.config, 'encoder', dense.files);
    expect([part.id, path]).toEqual(['encoder-clip', 'model.vision_backbone.image_vit']);
    expect(rename('model.vision_backbone.image_vit.transformer.resblocks.9.attention.wo.bias')).toBe(
      'model.vision_backbone.image_vit.encoder.layers.9.self_attn.out_proj.bias',
    );
  });

  it.each([
    [{ clip_qkv: 8 }, /clip_qkv is 8/],
    [{ image_pooling_2d: 'stack' }, /image_pooling_2d is "stack"/],
    [{ layer_norm_type: 'default' }, /layer_norm_type is "default"/],
    [{ attention_layer_norm: true }, /qkv_bias is true, with norms/],
    [
      { vision_backbone: { image_default_input_size: [24, 36], image_patch_size: 3 } },
      /vision_backbone of 24 x 36 pixels/,
    ],
    [{ vision_backbone: { image_default_input_size: '336' } }, /is "336", expected \[height, width\]/],
    [{ vision_backbone: { image_default_input_size: 336 } }, /is 336, expected/],
    [{ vision_backbone: { image_default_input_size: [336] } }, /is \[336\], expected/],
    [{ vision_backbone: { image_num_pos: 50 } }, /with 50 positions/],
    [{ vision_backbone: { image_num_key_value_heads: 4 } }, /16 heads, 4 of keys/],
    [{ hidden_size: undefined }, /hidden_size is undefined, expected a number/],
  ])('refuses what the published code cannot be: %j', async (changes, message) => {
    await expect(modelOfFixture(dense, changes)).rejects.toThrow(ConfigError);
    await expect(modelOfFixture(dense, changes)).rejects.toThrow(message);
  });
});
