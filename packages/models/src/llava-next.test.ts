import { ConfigError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { part, senseOf, type Json, type Model, type Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { trainingGraph, visionGraph } from './graphs.js';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';
import { configOf } from './config-of.js';

const total = (model: Model): number =>
  [...namedParameters(model.module).values()].reduce((sum, { elements }) => sum + elements, 0);
const picture = (width: number, height: number, byte: number): Picture => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(width * height * 3).fill(byte),
});

const tiny = {
  vision_config: {
    hidden_size: 8,
    intermediate_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    image_size: 4,
    patch_size: 2,
  },
  text_config: {
    vocab_size: 40,
    hidden_size: 8,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
  },
  image_token_index: 30,
  image_grid_pinpoints: [
    [4, 8],
    [8, 4],
    [8, 8],
  ],
} as const;
const next: Json = { ...tiny, model_type: 'llava_next' };
const onevision: Json = { ...tiny, model_type: 'llava_onevision', vision_aspect_ratio: 'anyres_max_2' };
const plain = { image_mean: [0, 0, 0], image_std: [1, 1, 1], rescale_factor: 1 };

describe('the recipe of LLaVA-NeXT and LLaVA-OneVision', () => {
  it.each([
    ['llava-1.6-mistral-7b', 7_566_747_648],
    ['llava-onevision-0.5b', 893_675_552],
  ])('adds up to the published parameters of %s', async (name, parameters) => {
    expect(total(await presetModel(name))).toBe(parameters);
  });

  it.each([
    ['llava-1.6-mistral-7b', 640, 480, 5, 2340],
    ['llava-1.6-mistral-7b', 300, 1000, 4, 2232],
    ['llava-onevision-0.5b', 1280, 720, 9, 5967],
    ['llava-onevision-0.5b', 2304, 2304, 37, 7371],
  ])(
    'announces the published tokens of %s for %i x %i pixels',
    async (name, width, height, tiles, tokens) => {
      const placement = senseOf(await presetModel(name), 'image')!.processor.place({ width, height });
      expect(placement).toMatchObject({ tiles, tokens });
      expect(placement.prompt).toBe('<image>'.repeat(tokens));
    },
  );

  it('sees the whole first, then tiles row by row, on a black frame', async () => {
    const { inputs } = senseOf(await modelOf(next, { preprocessor: plain }), 'image')!.processor.process([
      picture(8, 4, 9),
      picture(2, 2, 5),
    ]);
    expect(inputs['image_sizes']!.data).toEqual(BigInt64Array.from([4n, 8n, 2n, 2n]));
    expect(inputs['pixel_values']!.shape).toEqual([6, 3, 4, 4]);
    // The first picture fills its two tiles; the second, enlarged, stands in the middle of two.
    const values = Array.from({ length: 6 }, (_, view) => [
      ...(inputs['pixel_values']!.data as Float32Array).subarray(view * 48, view * 48 + 4),
    ]);
    expect(values).toEqual([
      [9, 9, 9, 9],
      [9, 9, 9, 9],
      [9, 9, 9, 9],
      [5, 5, 5, 5],
      [0, 0, 5, 5],
      [5, 5, 0, 0],
    ]);
  });

  it.each([
    ['llava_next', next, ['pixel_values', 'row_index']],
    ['llava_onevision', onevision, ['pixel_values', 'row_index', 'row_weights']],
  ])('gives its graphs the inputs that its arranger prepares (%s)', async (_, config, names) => {
    const model = await modelOf(config, { preprocessor: plain });
    const arranger = part(model, 'arranger');
    const { processor } = senseOf(model, 'image')!;
    const prepared = arranger!.prepare(processor.process([picture(9, 7, 1)]).inputs)!;
    expect(Object.keys(prepared)).toEqual(names);
    expect([...visionGraph(model).inputs.keys()].toSorted()).toEqual(names.toSorted());
    expect([...trainingGraph(model, { images: true }).inputs.keys()]).toEqual(expect.arrayContaining(names));
    expect(trainingGraph(model, { images: true }).parameters.has('image_newline')).toBe(true);
    expect(prepared['row_index']!.shape[0]).toBe(processor.place({ width: 9, height: 7 }).tokens);
  });

  it('keeps the newline at the root, under both generations of names', async () => {
    const { module, checkpoint } = await modelOf(next);
    expect(namedParameters(module).get('image_newline')!.shape).toEqual([8]);
    expect(checkpoint.rename!('model.image_newline')).toBe('image_newline');
    expect(checkpoint.rename!('model.vision_tower.post_layernorm.bias')).toBe(
      'vision_tower.vision_model.post_layernorm.bias',
    );
  });

  it.each([
    [
      'lists that differ',
      next,
      { image_grid_pinpoints: [[8, 8]] },
      /image_grid_pinpoints of preprocessor_config\.json and config\.json differ/,
    ],
    [
      'tiles of another size',
      next,
      { size: { shortest_edge: 6 } },
      /makes tiles of 6 x 6 pixels, but the encoder of config.json takes 4 x 4/,
    ],
    [
      "CLIP's class token",
      { ...next, vision_feature_select_strategy: 'full' },
      {},
      /keeps CLIP's class token/,
    ],
    [
      'an aspect without a number',
      { ...onevision, vision_aspect_ratio: 'pad' },
      {},
      /vision_aspect_ratio is 'pad', expected anyres_max_/,
    ],
  ])('refuses %s', async (_, config, preprocessor, message) => {
    await expect(modelOf(config, { preprocessor })).rejects.toThrow(ConfigError);
    await expect(modelOf(config, { preprocessor })).rejects.toThrow(message);
  });

  it('is saved as a composition with its arranger, which has the newline', async () => {
    const config = await configOf(await modelOf(next));
    expect([config['model_type'], config['arranger']]).toMatchObject(['weft', { id: 'arranger-anyres' }]);
    const again = await modelOf(JSON.parse(JSON.stringify(config)) as Json);
    expect([...namedParameters(again.module).keys()]).toContain('image_newline');
  });
});
