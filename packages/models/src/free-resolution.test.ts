import { namedParameters, type Graph } from '@weft/graph';
import { senseOf, type Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { textGraph, trainingGraph, visionGraph } from './graphs.js';
import { configOfParams } from './config-of-params.js';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';
import { configOf } from './config-of.js';

const tinyQwen = (type: 'qwen2_vl' | 'qwen2_5_vl', changes: object = {}) => ({
  model_type: type,
  vision_config: {
    depth: 2,
    embed_dim: 16,
    hidden_size: 16,
    intermediate_size: 20,
    num_heads: 2,
    patch_size: 4,
    window_size: 16,
    fullatt_block_indexes: [1],
  },
  text_config: {
    vocab_size: 40,
    hidden_size: 32,
    intermediate_size: 20,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    rope_parameters: { mrope_section: [1, 1, 2] },
  },
  image_token_id: 36,
  video_token_id: 37,
  ...changes,
});

describe('a preset', () => {
  it.each([
    ['qwen2-vl-2b', 2_208_985_600, 665_271_296],
    ['qwen2-vl-7b', 8_291_375_616, 675_759_104],
    ['qwen2-vl-72b', 73_405_560_320, 699_356_672],
    ['qwen2.5-vl-3b', 3_754_622_976, 668_684_288],
    ['qwen2.5-vl-7b', 8_292_166_656, 676_550_144],
  ])('%s has %i parameters, %i of them for seeing', async (name, total, visual) => {
    const named = [...namedParameters((await presetModel(name)).module)];
    const count = (prefix: string) =>
      named.reduce((sum, [path, { elements }]) => sum + (path.startsWith(prefix) ? elements : 0), 0);
    expect([count(''), count('visual.')]).toEqual([total, visual]);
  });

  it('pixtral-12b has 12,682,739,712 parameters in 585 tensors', async () => {
    const named = [...namedParameters((await presetModel('pixtral-12b')).module).values()];
    expect([named.reduce((sum, { elements }) => sum + elements, 0), named.length]).toEqual([
      12_682_739_712, 585,
    ]);
  });

  it.each([
    ['qwen2-vl-2b', [391, 1196, 2691, 4]],
    ['pixtral-12b', [1200, 2304, 2304, 4]],
  ])('%s counts the tokens of published examples', async (name, expected) => {
    const { processor } = senseOf(await presetModel(name), 'image')!;
    const sizes = [
      [640, 480],
      [1280, 720],
      [1920, 1080],
      [30, 30],
    ] as const;
    expect(sizes.map(([width, height]) => processor.place({ width, height }).tokens)).toEqual(expected);
  });
});

describe('the recipe of Qwen2-VL', () => {
  it.each(['qwen2_vl', 'qwen2_5_vl'] as const)(
    'traces graphs whose positions have three axes (%s)',
    async (type) => {
      const model = await modelOf(tinyQwen(type));
      expect(model.positions?.axes).toBe(3);
      expect(textGraph(model).inputs.get('position_ids')?.shape).toEqual([3, 'batch', 'sequence']);
      expect(trainingGraph(model, { images: true }).inputs.get('position_ids')?.shape).toEqual([
        3,
        'batch',
        'sequence',
      ]);
      expect(visionGraph(model).outputs['image_embeds']?.shape).toEqual(['blocks*frames', 32]);
    },
  );

  it('reads published files, whose text fields are at the top, and the names of both generations', async () => {
    const { text_config: text, ...rest } = tinyQwen('qwen2_vl');
    const { rope_parameters: rope, ...fields } = text;
    const model = await modelOf({
      ...rest,
      ...fields,
      rope_theta: 1e6,
      rope_scaling: { type: 'mrope', ...rope },
    });
    const paths = [...namedParameters(model.module).keys()];
    expect(paths).toEqual([...namedParameters((await modelOf(tinyQwen('qwen2_vl'))).module).keys()]);
    expect(paths).toEqual(
      expect.arrayContaining([
        'visual.blocks.0.attn.qkv.weight',
        'visual.merger.mlp.2.bias',
        'model.layers.0.self_attn.q_proj.bias',
        'lm_head.weight',
      ]),
    );
    const { rename } = model.checkpoint;
    expect(
      [
        'model.visual.merger.ln_q.weight',
        'model.language_model.norm.weight',
        'model.norm.weight',
        'lm_head.weight',
      ].map((name) => rename!(name)),
    ).toEqual(['visual.merger.ln_q.weight', 'model.norm.weight', 'model.norm.weight', 'lm_head.weight']);
  });

  it('takes the limits of videos from their own file', async () => {
    const place = async (files: object) =>
      senseOf(await modelOf(tinyQwen('qwen2_vl'), files), 'video')!.processor.place({
        width: 800,
        height: 800,
        frames: 2,
        fps: 2,
      }).tokens;
    const preprocessor = { size: { shortest_edge: 64, longest_edge: 640 } };
    expect(await place({ preprocessor })).toBe(9);
    expect(
      await place({ preprocessor, videoPreprocessor: { size: { shortest_edge: 64, longest_edge: 1600 } } }),
    ).toBe(25);
  });

  it('is saved as a composition with its rule for positions and its way with videos', async () => {
    const model = await modelOf(tinyQwen('qwen2_5_vl'), { options: { positionRule: 'side' } });
    const again = await modelOf(JSON.parse(JSON.stringify(await configOf(model))) as Json);
    expect(again.positions!.config).toEqual(model.positions!.config);
    expect(again.positions!.config['advance']).toBe('side');
    const [video, own] = [again, model].map((one) => senseOf(one, 'video')!);
    const size = { width: 300, height: 200, frames: 3, fps: 2 };
    expect(video!.processor.place(size)).toEqual(own!.processor.place(size));
    expect([video!.tokenId, video!.placeholder]).toEqual([own!.tokenId, own!.placeholder]);
  });

  it('refuses a rule for positions that there is not, and sections that do not fit', async () => {
    await expect(modelOf(tinyQwen('qwen2_vl'), { options: { positionRule: 'longest' } })).rejects.toThrow(
      /positionRule is "longest"[^]*'largest' or 'side'/,
    );
    const wrong = tinyQwen('qwen2_vl');
    await expect(
      modelOf({
        ...wrong,
        text_config: { ...wrong.text_config, rope_parameters: { mrope_section: [1, 1, 1] } },
      }),
    ).rejects.toThrow(/mrope_section is \[1,1,1\], expected sizes that add up to 4/);
  });
});

describe('the recipe of Pixtral', () => {
  const params = {
    dim: 24,
    n_layers: 1,
    head_dim: 16,
    hidden_dim: 20,
    n_heads: 2,
    n_kv_heads: 1,
    rope_theta: 1e9,
    norm_eps: 1e-5,
    vocab_size: 40,
    vision_encoder: {
      hidden_size: 16,
      num_channels: 3,
      image_size: 64,
      patch_size: 16,
      rope_theta: 10000,
      intermediate_size: 20,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      image_token_id: 10,
    },
  };

  it('is another one than LLaVA, by the tower', async () => {
    const config = {
      model_type: 'llava',
      vision_config: {
        model_type: 'pixtral',
        hidden_size: 16,
        intermediate_size: 20,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        patch_size: 16,
        hidden_act: 'silu',
      },
      text_config: {
        model_type: 'mistral',
        hidden_size: 24,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 16,
        num_hidden_layers: 1,
        intermediate_size: 20,
        vocab_size: 40,
        sliding_window: null,
      },
      image_token_index: 10,
      vision_feature_layer: -1,
      vision_feature_select_strategy: 'full',
    };
    const [layout, native] = [await modelOf(config), await modelOf(configOfParams(params))];
    expect([layout.name, native.name]).toEqual(['pixtral', 'pixtral']);
    expect([...namedParameters(layout.module)].map(([path, { shape }]) => [path, shape])).toEqual(
      [...namedParameters(native.module)].map(([path, { shape }]) => [path, shape]),
    );
    await expect(modelOf({ ...config, vision_feature_select_strategy: 'default' })).rejects.toThrow(
      /Pixtral has no class token/,
    );
  });

  it("finds the parameter of each of Mistral's names", async () => {
    const { rename } = (await modelOf(configOfParams(params))).checkpoint;
    const names = [
      'layers.0.attention.wq.weight',
      'layers.3.feed_forward.w2.weight',
      'layers.1.ffn_norm.weight',
      'vision_encoder.transformer.layers.2.feed_forward.w3.weight',
      'vision_encoder.transformer.layers.0.ffn_norm.weight',
      'vision_language_adapter.w_out.bias',
      'output.weight',
      'norm.weight',
    ];
    expect(names.map((name) => rename!(name))).toEqual([
      'language_model.model.layers.0.self_attn.q_proj.weight',
      'language_model.model.layers.3.mlp.down_proj.weight',
      'language_model.model.layers.1.post_attention_layernorm.weight',
      'vision_tower.transformer.layers.2.feed_forward.up_proj.weight',
      'vision_tower.transformer.layers.0.ffn_norm.weight',
      'multi_modal_projector.linear_2.bias',
      'language_model.lm_head.weight',
      'language_model.model.norm.weight',
    ]);
  });

  it("turns neighbouring channels where the files are Mistral's own, in tower and text", async () => {
    const model = await modelOf(configOfParams(params));
    const turned = (graph: Graph) =>
      graph.nodes
        .filter(({ op }) => op === 'Rope')
        .map(({ attributes }) => (attributes as { interleaved: boolean }).interleaved);
    expect([...turned(visionGraph(model)), ...turned(textGraph(model))]).toEqual([true, true, true, true]);
  });

  it('refuses native files of models that it does not know', async () => {
    expect(() => configOfParams({ dim: 24 })).toThrow(/without a vision encoder/);
    await expect(modelOf(configOfParams({ ...params, moe: { num_experts: 8 } }))).rejects.toThrow(
      /'moe' is not supported/,
    );
  });
});
