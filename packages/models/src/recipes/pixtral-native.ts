import { llama } from '@weft/backbone-llama';
import { ConfigError } from '@weft/errors';
import { configReader, type Json, type Model } from '@weft/spec';
import { composePixtral } from './pixtral-parts.js';
import type { RecipeFiles } from '../recipe.js';

/**
 * Pixtral from Mistral's own files. Queries and keys keep their order there: neighbouring channels turn together,
 * where transformers turns channels half a head apart. Scores are the same, so no weight is moved.
 */
export function readNative(config: Json, { preprocessor = {} }: RecipeFiles = {}): Model {
  const read = configReader(config, 'params');
  const section = read.section('vision_encoder');
  const vision = configReader(section, 'params.vision_encoder');
  const hiddenSize = read.number('dim');
  const headDim = read.number('head_dim', hiddenSize / read.number('n_heads'));
  const unsupported = ['moe', 'mm_projector_id', 'add_pre_mm_projector_layer_norm'].find(
    (key) => config[key] || section[key],
  );
  if (unsupported)
    throw new ConfigError({
      message: `params.json: '${unsupported}' is not supported.`,
      hint: 'Pixtral 12B and Pixtral Large do without it.',
    });
  const bias = vision.boolean('adapter_bias', true);

  return composePixtral({
    vision: {
      hiddenSize: vision.number('hidden_size'),
      intermediateSize: vision.number('intermediate_size'),
      numHiddenLayers: vision.number('num_hidden_layers'),
      numAttentionHeads: vision.number('num_attention_heads'),
      numChannels: vision.number('num_channels', 3),
      patchSize: vision.number('patch_size'),
      imageSize: vision.number('image_size'),
      hiddenAct: 'silu',
      ropeTheta: vision.number('rope_theta', 10000),
    },
    visionOptions: { ropeInterleaved: true },
    connector: { hiddenAct: 'gelu', bias },
    backbone: llama({
      hiddenSize,
      intermediateSize: read.number('hidden_dim'),
      numHiddenLayers: read.number('n_layers'),
      numAttentionHeads: read.number('n_heads'),
      numKeyValueHeads: read.number('n_kv_heads', read.number('n_heads')),
      headDim,
      rotaryDim: headDim,
      vocabSize: read.number('vocab_size'),
      hiddenAct: 'silu',
      rmsNormEps: read.number('norm_eps'),
      ropeTheta: read.number('rope_theta', 10000),
      ropeInterleaved: true,
      tieWordEmbeddings: false,
      qkvBias: false,
      outputBias: false,
      mlpBias: false,
    }),
    imageTokenId: vision.number('image_token_id', 10),
    checkpoint: { rename: transformersName },
    config,
    preprocessor,
  });
}

const layerNames: readonly (readonly [RegExp, string])[] = [
  [/\.attention\.w([qkvo])\./, '.self_attn.$1_proj.'],
  [/\.feed_forward\.w1\./, '.mlp.gate_proj.'],
  [/\.feed_forward\.w2\./, '.mlp.down_proj.'],
  [/\.feed_forward\.w3\./, '.mlp.up_proj.'],
  [/\.attention_norm\./, '.input_layernorm.'],
  [/\.ffn_norm\./, '.post_attention_layernorm.'],
];
const visionNames: readonly (readonly [RegExp, string])[] = [
  [/\.attention\.w([qkvo])\./, '.attention.$1_proj.'],
  [/\.w1\./, '.gate_proj.'],
  [/\.w2\./, '.down_proj.'],
  [/\.w3\./, '.up_proj.'],
];
const otherNames: Readonly<Record<string, string>> = {
  'tok_embeddings.weight': 'language_model.model.embed_tokens.weight',
  'norm.weight': 'language_model.model.norm.weight',
  'output.weight': 'language_model.lm_head.weight',
};

/** The path in transformers' layout of a tensor in Mistral's. */
function transformersName(name: string): string {
  const replaced = (rules: typeof layerNames, text: string): string =>
    rules.reduce((result, [from, to]) => result.replace(from, to), text);
  if (name.startsWith('vision_encoder.'))
    return replaced(visionNames, name.replace('vision_encoder.', 'vision_tower.'));
  if (name.startsWith('vision_language_adapter.'))
    return name
      .replace('vision_language_adapter.w_in.', 'multi_modal_projector.linear_1.')
      .replace('vision_language_adapter.w_out.', 'multi_modal_projector.linear_2.');
  if (name.startsWith('layers.')) return `language_model.model.${replaced(layerNames, name)}`;
  return otherNames[name] ?? name;
}
