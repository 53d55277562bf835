import { initialWeights, modelOf } from '@weft/models';
import type { Initializer, Parameter } from '@weft/graph';
import type { Json, Model } from '@weft/spec';
import { tinyTokens, vocabulary } from './tokenizer.js';

/** Side of the input, pixels; pictures of any size are resized to it. */
export const inputSize = 64;

const vision = {
  model_type: 'siglip_vision_model',
  hidden_size: 128,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_channels: 3,
  image_size: inputSize,
  patch_size: 8,
  hidden_act: 'gelu_pytorch_tanh',
  layer_norm_eps: 1e-6,
  vision_use_head: false,
};

const text = {
  model_type: 'llama',
  hidden_size: 192,
  intermediate_size: 384,
  num_hidden_layers: 4,
  num_attention_heads: 6,
  num_key_value_heads: 3,
  head_dim: 32,
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  attention_bias: false,
  mlp_bias: false,
  max_position_embeddings: 1024,
  rope_parameters: { rope_type: 'default', rope_theta: 10000 },
  tie_word_embeddings: true,
};

/** `config.json` of the embedded model: a LLaVA of SigLIP, MLP and Llama that transformers loads as it is. */
export function tinyConfig(): Json {
  const ids = tinyTokens();
  return {
    model_type: 'llava',
    architectures: ['LlavaForConditionalGeneration'],
    dtype: 'float16',
    vision_config: vision,
    text_config: {
      ...text,
      vocab_size: vocabulary().length,
      bos_token_id: null,
      eos_token_id: ids.end,
      pad_token_id: ids.pad,
    },
    image_token_index: ids.image,
    image_seq_length: (inputSize / vision.patch_size) ** 2,
    vision_feature_layer: -1,
    vision_feature_select_strategy: 'full',
    projector_hidden_act: 'gelu',
    multimodal_projector_bias: true,
    tie_word_embeddings: true,
  };
}

/** `preprocessor_config.json`: SigLIP's steps. */
export const tinyPreprocessor = (): Json => ({
  image_processor_type: 'SiglipImageProcessor',
  do_resize: true,
  size: { height: inputSize, width: inputSize },
  resample: 3,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
});

/** The embedded model without weights. */
export const tinyModel = async (): Promise<Model> =>
  modelOf(tinyConfig(), { preprocessor: tinyPreprocessor() });

/**
 * First values for training from nothing: products keep their scale (0.8 / sqrt(in)), and the last layer of every
 * residual branch is smaller, so that depth does not add up.
 */
export function tinyInitialWeights(model: Model, seed: number): Map<string, Float32Array> {
  const branches = { vision_tower: vision.num_hidden_layers, language_model: text.num_hidden_layers };
  const choose = (path: string, parameter: Parameter): Initializer => {
    if (parameter.initializer.kind !== 'normal') return parameter.initializer;
    if (path.includes('embed_tokens')) return { kind: 'normal', std: 1 / Math.sqrt(text.hidden_size) };
    const fan = parameter.elements / parameter.shape[0]!;
    const last = /\.(out_proj|fc2|o_proj|down_proj)\.weight$/.test(path);
    const depth = branches[path.split('.')[0] as keyof typeof branches];
    return { kind: 'normal', std: (0.8 / Math.sqrt(fan)) * (last ? 1 / Math.sqrt(2 * depth) : 1) };
  };
  const weights = initialWeights(model.module, seed, choose);
  for (const [path, values] of weights)
    if (path.endsWith('position_embedding.weight'))
      values.set(sinusoidalPositions(inputSize / vision.patch_size, vision.hidden_size));
  return weights;
}

/**
 * Sines and cosines of row and column, `[side², size]`: places are told apart from the first step. Noise as small as
 * usual (0.02) would drown in the patches, and where things are would be learnt late.
 */
function sinusoidalPositions(side: number, size: number): Float32Array {
  const quarter = size / 4;
  const values = new Float32Array(side * side * size);
  for (let cell = 0; cell < side * side; cell++)
    for (const [axis, at] of [Math.floor(cell / side), cell % side].entries())
      for (let i = 0; i < quarter; i++) {
        const angle = at / (side / 2) ** (i / quarter);
        values[cell * size + axis * 2 * quarter + i] = Math.sin(angle) / 2;
        values[cell * size + axis * 2 * quarter + quarter + i] = Math.cos(angle) / 2;
      }
  return values;
}
