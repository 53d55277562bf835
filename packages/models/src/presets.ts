import { clipPresets } from '@weft/encoder-clip';
import { llamaPresets, llamaSection, type LlamaConfig } from '@weft/backbone-llama';
import { olmoPresets, olmoSection } from '@weft/backbone-olmo';
import { persimmonPresets, persimmonSection } from '@weft/backbone-persimmon';
import { phi3Presets, phi3Section, phiPresets, phiSection } from '@weft/backbone-phi';
import { ConfigError } from '@weft/errors';
import { siglipPresets } from '@weft/encoder-siglip';
import { pixtralVisionPresets } from '@weft/encoder-pixtral';
import { qwen2VisionPresets } from '@weft/encoder-qwen2-vl';
import { qwen2Presets, qwen2Section, type Qwen2Config } from '@weft/backbone-qwen2';
import type { VisionTransformerConfig } from '@weft/nn';
import type { Json, Model } from '@weft/spec';
import { modelOf, type RecipeFiles } from './recipes.js';

/** A published size: its `config.json` and the processor's. */
interface Preset extends RecipeFiles {
  readonly config: Json;
}

const visionSection = (type: string, c: VisionTransformerConfig): Json => ({
  model_type: type,
  hidden_size: c.hiddenSize,
  intermediate_size: c.intermediateSize,
  num_hidden_layers: c.numHiddenLayers,
  num_attention_heads: c.numAttentionHeads,
  image_size: c.imageSize,
  patch_size: c.patchSize,
  hidden_act: c.hiddenAct,
  layer_norm_eps: c.layerNormEps,
});

/** LLaVA-1.5: the tokenizer gains `<image>` and `<pad>`, and the table is rounded up to 32064 rows. */
const llava15 = (backbone: LlamaConfig): Preset => ({
  config: {
    model_type: 'llava',
    vision_config: visionSection('clip_vision_model', clipPresets['large-patch14-336']),
    text_config: { ...llamaSection(backbone), vocab_size: 32064 },
    image_token_index: 32000,
    vision_feature_layer: -2,
    vision_feature_select_strategy: 'default',
    projector_hidden_act: 'gelu',
  },
  preprocessor: { size: { shortest_edge: 336 }, crop_size: { height: 336, width: 336 }, resample: 3 },
});

/** LLaVA-NeXT on Mistral 7B, with LLaVA-1.5's tower and table. */
const llavaNext = (): Preset => {
  const { config, preprocessor } = llava15({
    ...llamaPresets['mistral-7b-v0.1'],
    ropeTheta: 1e6,
    slidingWindow: undefined,
  });
  return { config: { ...config, model_type: 'llava_next' }, preprocessor: preprocessor! };
};

/** LLaVA-OneVision: SigLIP without its last layer and its pooling, and a Qwen2 whose table has two tokens more, in whole 64s. */
const llavaOnevision = (backbone: Qwen2Config): Preset => ({
  config: {
    model_type: 'llava_onevision',
    vision_config: {
      ...visionSection('siglip_vision_model', {
        ...siglipPresets['so400m-patch14-384'],
        numHiddenLayers: 26,
      }),
      vision_use_head: false,
    },
    text_config: { ...qwen2Section(backbone), vocab_size: Math.ceil((backbone.vocabSize + 2) / 64) * 64 },
    image_token_index: 151646,
    vision_aspect_ratio: 'anyres_max_9',
  },
  preprocessor: {
    size: { height: 384, width: 384 },
    resample: 3,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  },
});

/** SmolVLM: SigLIP base at 512 pixels and an untied head, unlike SmolLM2 itself. */
const smolvlm = (backbone: LlamaConfig): Preset => ({
  config: {
    model_type: 'idefics3',
    scale_factor: 4,
    image_token_id: 49190,
    tie_word_embeddings: false,
    vision_config: { hidden_size: 768, num_attention_heads: 12, image_size: 512, patch_size: 16 },
    text_config: { ...llamaSection(backbone), vocab_size: 49280 },
  },
  preprocessor: { size: { longest_edge: 2048 }, max_image_size: { longest_edge: 512 }, resample: 1 },
});

/** Qwen2-VL and Qwen2.5-VL: one tower for all sizes, and a Qwen2 whose positions have a time, a row and a column. */
const qwen2Vl = (type: 'qwen2_vl' | 'qwen2_5_vl', backbone: Qwen2Config): Preset => {
  const c = qwen2VisionPresets[type === 'qwen2_vl' ? 'qwen2-vl' : 'qwen2.5-vl'];
  const common = {
    depth: c.numHiddenLayers,
    num_heads: c.numAttentionHeads,
    patch_size: c.patchSize,
    hidden_act: c.hiddenAct,
  };
  const tower =
    type === 'qwen2_vl'
      ? {
          embed_dim: c.hiddenSize,
          mlp_ratio: c.intermediateSize / c.hiddenSize,
          hidden_size: backbone.hiddenSize,
        }
      : {
          hidden_size: c.hiddenSize,
          intermediate_size: c.intermediateSize,
          out_hidden_size: backbone.hiddenSize,
          window_size: c.windowSize,
          fullatt_block_indexes: c.fullAttentionLayers,
          tokens_per_second: 2,
        };
  return {
    config: {
      model_type: type,
      vision_config: { ...common, ...tower },
      text_config: qwen2Section({ ...backbone, mropeSection: [16, 24, 24] }),
      tie_word_embeddings: backbone.tieWordEmbeddings,
      image_token_id: 151655,
      video_token_id: 151656,
    },
    preprocessor: { min_pixels: 3136, max_pixels: 12845056 },
  };
};

/** Pixtral: a tower for 1024 pixels, and a Mistral NeMo of longer waves. */
const pixtral = (): Preset => {
  const c = pixtralVisionPresets['pixtral-12b'];
  return {
    config: {
      model_type: 'llava',
      vision_config: {
        model_type: 'pixtral',
        hidden_size: c.hiddenSize,
        intermediate_size: c.intermediateSize,
        num_hidden_layers: c.numHiddenLayers,
        num_attention_heads: c.numAttentionHeads,
        image_size: c.imageSize,
        patch_size: c.patchSize,
        hidden_act: c.hiddenAct,
      },
      text_config: mistralSection({ ...llamaPresets['mistral-nemo-12b'], ropeTheta: 1e9 }),
      image_token_index: 10,
      vision_feature_layer: -1,
      vision_feature_select_strategy: 'full',
      projector_hidden_act: 'gelu',
    },
    preprocessor: { size: { longest_edge: 1024 }, resample: 3 },
  };
};

/** A family's presets as text models. */
const text = <C>(
  presets: Readonly<Record<string, C>>,
  section: (config: C) => Json | undefined,
): Record<string, () => Preset> =>
  Object.fromEntries(
    Object.entries(presets).map(([name, c]) => [name, () => ({ config: section(c) ?? {} })]),
  );

const mistralSection = (c: LlamaConfig): Json => ({
  ...llamaSection(c),
  model_type: 'mistral',
  sliding_window: c.slidingWindow ?? null,
});

/** Published models by name. */
const presets = (): Readonly<Record<string, () => Preset>> => {
  const mistral = Object.fromEntries(
    Object.entries(llamaPresets).filter(([name]) => name.startsWith('mistral')),
  );
  return {
    'llava-1.5-7b': () => llava15(llamaPresets['llama-2-7b']),
    'llava-1.5-13b': () => llava15(llamaPresets['llama-2-13b']),
    'llava-1.6-mistral-7b': llavaNext,
    'llava-onevision-0.5b': () => llavaOnevision(qwen2Presets['qwen2-0.5b']),
    'llava-onevision-7b': () => llavaOnevision(qwen2Presets['qwen2-7b']),
    'smolvlm-256m': () => smolvlm(llamaPresets['smollm2-135m']),
    'smolvlm-500m': () => smolvlm(llamaPresets['smollm2-360m']),
    'qwen2-vl-2b': () => qwen2Vl('qwen2_vl', qwen2Presets['qwen2-1.5b']),
    'qwen2-vl-7b': () => qwen2Vl('qwen2_vl', qwen2Presets['qwen2-7b']),
    'qwen2-vl-72b': () => qwen2Vl('qwen2_vl', qwen2Presets['qwen2-72b']),
    'qwen2.5-vl-3b': () => qwen2Vl('qwen2_5_vl', qwen2Presets['qwen2.5-3b']),
    'qwen2.5-vl-7b': () => qwen2Vl('qwen2_5_vl', qwen2Presets['qwen2-7b']),
    'pixtral-12b': pixtral,
    ...text(llamaPresets, llamaSection),
    ...text(mistral, mistralSection),
    ...text(qwen2Presets, qwen2Section),
    ...text(olmoPresets, olmoSection),
    ...text(persimmonPresets, persimmonSection),
    ...text(phiPresets, phiSection),
    ...text(phi3Presets, phi3Section),
  };
};

/** Names of the published models that `presetModel` knows. */
export const presetNames = (): string[] => Object.keys(presets());

/**
 * A published model by name, without weights: for counting, drawing and composing.
 *
 * @throws ConfigError that lists the names
 */
export function presetModel(name: string): Model {
  const known = presets();
  const preset = Object.hasOwn(known, name) ? known[name] : undefined;
  if (!preset)
    throw new ConfigError({
      message: `There is no preset '${name}'.`,
      hint: `Known: ${Object.keys(known).join(', ')}.`,
    });
  const { config, ...files } = preset();
  return modelOf(config, files);
}
