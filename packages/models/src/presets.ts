import { ariaPresets, ariaSection } from '@weft/backbone-aria';
import { clipPresets } from '@weft/encoder-clip';
import { llamaPresets, llamaSection, type LlamaConfig } from '@weft/backbone-llama';
import { olmoPresets, olmoSection, type OlmoConfig } from '@weft/backbone-olmo';
import { persimmonPresets, persimmonSection } from '@weft/backbone-persimmon';
import { phi3Presets, phi3Section, phiPresets, phiSection } from '@weft/backbone-phi';
import { ConfigError } from '@weft/errors';
import { siglipPresets } from '@weft/encoder-siglip';
import { internVitPresets } from '@weft/encoder-intern-vit';
import { mllamaVisionPresets } from '@weft/encoder-mllama';
import { pixtralVisionPresets } from '@weft/encoder-pixtral';
import { qwen2VisionPresets } from '@weft/encoder-qwen2-vl';
import { qwen2Presets, qwen2Section, type Qwen2Config } from '@weft/backbone-qwen2';
import type { VisionTransformerConfig } from '@weft/nn';
import type { Json, Model } from '@weft/spec';
import type { RecipeFiles } from './recipe.js';
import { modelOf } from './recipes.js';

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

/** Fuyu: Persimmon with raw patches of 30 x 30 pixels. */
const fuyu = (): Preset => ({
  config: {
    model_type: 'fuyu',
    patch_size: 30,
    text_config: persimmonSection(persimmonPresets['persimmon-8b'])!,
    image_token_id: 71011,
  },
  preprocessor: { size: { height: 1080, width: 1920 }, padding_value: 1, resample: 2 },
});

/** Aria: a SigLIP for tiles of 980 pixels, and a decoder of its own. */
const aria = (): Preset => ({
  config: {
    model_type: 'aria',
    vision_config: {
      ...visionSection('idefics3_vision', { ...siglipPresets['so400m-patch14-384'], imageSize: 980 }),
    },
    text_config: ariaSection(ariaPresets['aria-text'])!,
    projector_patch_to_query_dict: { 1225: 128, 4900: 256 },
    image_token_index: 9,
  },
  preprocessor: { max_image_size: 980, min_image_size: 336, split_image: false, resample: 3 },
});

/** Janus without the parts that draw: SigLIP large and a DeepSeek-LLM. */
const janus = (backbone: LlamaConfig): Preset => ({
  config: {
    model_type: 'janus',
    vision_config: {},
    text_config: llamaSection(backbone),
    image_token_id: 100581,
    tie_word_embeddings: false,
  },
  preprocessor: {
    size: { height: 384, width: 384 },
    min_size: 14,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  },
});

/** Llama 3.2 Vision: a Llama 3.1 with a cross-attention layer before every fourth of its layers. */
const llamaVision = (backbone: LlamaConfig): Preset => {
  const c = mllamaVisionPresets['llama-3.2-vision'];
  const crossLayers = Array.from({ length: backbone.numHiddenLayers / 4 }, (_, i) => 3 + 5 * i);
  return {
    config: {
      model_type: 'mllama',
      vision_config: {
        hidden_size: c.hiddenSize,
        intermediate_size: c.intermediateSize,
        num_hidden_layers: c.numHiddenLayers,
        num_global_layers: c.numGlobalLayers,
        attention_heads: c.numAttentionHeads,
        image_size: c.imageSize,
        patch_size: c.patchSize,
        max_num_tiles: c.maxNumTiles,
        intermediate_layers_indices: c.intermediateLayersIndices,
        hidden_act: c.hiddenAct,
        norm_eps: c.normEps,
      },
      text_config: {
        ...llamaSection(backbone),
        num_hidden_layers: backbone.numHiddenLayers + crossLayers.length,
        cross_attention_layers: crossLayers,
      },
      image_token_index: 128256,
    },
    preprocessor: {
      size: { height: 560, width: 560 },
      max_image_tiles: 4,
      resample: 2,
      image_mean: [0.48145466, 0.4578275, 0.40821073],
      image_std: [0.26862954, 0.26130258, 0.27577711],
    },
  };
};

/**
 * NVLM on Qwen2-72B, or on Yi-34B in the smaller experiments of the paper. Only D has weights; its tower has seven heads
 * of zeros. The paper's ten cross-attention layers are one before every eighth layer, or every sixth.
 */
const nvlm = (type: 'NVLM_D' | 'nvlm_x' | 'nvlm_h', text: Json, layers: number): Preset => {
  const c = internVitPresets['internvit-6b'];
  return {
    config: {
      model_type: type,
      force_image_size: c.imageSize,
      max_dynamic_patch: 6,
      use_thumbnail: true,
      vision_config: {
        hidden_size: c.hiddenSize,
        intermediate_size: c.intermediateSize,
        num_hidden_layers: c.numHiddenLayers,
        num_attention_heads: c.numAttentionHeads,
        image_size: c.imageSize,
        ...(type === 'NVLM_D' ? { num_dummy_heads: 7 } : {}),
      },
      llm_config: text,
      ...(type === 'NVLM_D' ? {} : { cross_attention_every: layers / 10 }),
      // Yi has no such token; a vocabulary's last row stands for one that would be added.
      ...(text['model_type'] === 'llama' ? { image_token_id: Number(text['vocab_size']) - 1 } : {}),
    },
  };
};

/** InternVL 2.5 and 3: nine tokens more than the language model has of its own. */
const internvl = (tower: keyof typeof internVitPresets, text: Json): Preset => {
  const c = internVitPresets[tower];
  const vocabSize = Number(text['vocab_size']);
  return {
    config: {
      model_type: 'internvl',
      vision_config: {
        ...visionSection('internvl_vision', c),
        norm_type: c.norm === 'rms' ? 'rms_norm' : 'layer_norm',
        attention_bias: c.qkvBias,
        use_qk_norm: c.qkNorm,
      },
      text_config: text,
      tie_word_embeddings: false,
      image_token_id: vocabSize - 7,
    },
    preprocessor: {
      image_processor_type: 'GotOcr2ImageProcessor',
      size: { height: c.imageSize, width: c.imageSize },
      max_patches: 12,
      image_mean: [0.485, 0.456, 0.406],
      image_std: [0.229, 0.224, 0.225],
    },
  };
};

/** A Qwen2.5 of InternVL, whose table has no rows to spare. */
const internvlQwen = (backbone: Qwen2Config): Json => ({
  ...qwen2Section(backbone),
  vocab_size: 151674,
  tie_word_embeddings: false,
});

/** Qwen2.5-32B: the heads of 72B's kind, in 40 of width 128. */
const qwen32b: Qwen2Config = {
  ...qwen2Presets['qwen2-72b'],
  hiddenSize: 5120,
  intermediateSize: 27648,
  numHiddenLayers: 64,
  numAttentionHeads: 40,
};

/** InternLM2.5-7B, which is a Llama in the layout of transformers. */
const internlm7b: LlamaConfig = {
  ...llamaPresets['mistral-7b-v0.1'],
  slidingWindow: undefined,
  vocabSize: 92553,
  ropeTheta: 1e6,
};

/**
 * MM1.5: the tower that is published as DFN5B-CLIP-ViT-H-14-378, with a table for tiles of 672 pixels, and Honeybee's
 * C-Abstractor. Apple's language models are not public; a Llama of the same nominal size stands for each.
 */
const mm15 = (backbone: LlamaConfig, hasExperts = false): Preset => ({
  config: {
    model_type: 'mm1_5',
    vision_config: visionSection('clip_vision_model', {
      ...clipPresets['dfn-huge-patch14-378'],
      imageSize: 672,
    }),
    projector_config: {
      projector_type: 'c-abs',
      num_query_tokens: 144,
      hidden_size: 1024,
      depth: 3,
      mlp_depth: 2,
      pos_emb: true,
      num_eos_tokens: 0,
    },
    text_config: {
      ...llamaSection(backbone),
      ...(hasExperts ? { num_experts: 64, num_experts_per_tok: 2, expert_layer_period: 2 } : {}),
    },
    // A vocabulary's last row stands for a token that would be added.
    image_token_id: backbone.vocabSize - 1,
  },
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

/** Molmo: the tower is fixed by the code, the height of the fused MLP is given, and 128 tokens are added. */
const molmo = (backbone: Qwen2Config | OlmoConfig, vocabSize: number): Preset => ({
  config: {
    model_type: 'molmo',
    hidden_size: backbone.hiddenSize,
    intermediate_size: 2 * backbone.intermediateSize,
    num_hidden_layers: backbone.numHiddenLayers,
    num_attention_heads: backbone.numAttentionHeads,
    num_key_value_heads: backbone.numKeyValueHeads,
    attention_layer_norm: 'qkNorm' in backbone,
    norm_after: 'qkNorm' in backbone,
    qkv_bias: 'qkvBias' in backbone,
    layer_norm_eps: 'qkNorm' in backbone ? backbone.normEps : backbone.rmsNormEps,
    rope_theta: backbone.ropeTheta,
    vocab_size: vocabSize,
    embedding_size: backbone.vocabSize,
  },
});

/** MolmoE, whose files have other fields. */
const molmoe = (): Preset => {
  const backbone = olmoPresets['olmoe-1b-7b'];
  return {
    config: {
      model_type: 'molmo',
      d_model: backbone.hiddenSize,
      mlp_ratio: (2 * backbone.intermediateSize) / backbone.hiddenSize,
      n_layers: backbone.numHiddenLayers,
      n_heads: backbone.numAttentionHeads,
      attention_layer_norm: true,
      moe_num_experts: backbone.experts.numExperts,
      moe_top_k: backbone.experts.numExpertsPerTok,
      layer_norm_eps: backbone.normEps,
      rope_theta: backbone.ropeTheta,
      vocab_size: 50280,
      embedding_size: backbone.vocabSize,
    },
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
    'fuyu-8b': fuyu,
    aria,
    'janus-1.3b': () => janus(llamaPresets['deepseek-llm-1.3b']),
    'janus-pro-1b': () => janus(llamaPresets['deepseek-llm-1.3b']),
    'janus-pro-7b': () => janus(llamaPresets['deepseek-llm-7b']),
    'llama-3.2-11b-vision': () => llamaVision(llamaPresets['llama-3.1-8b']),
    'llama-3.2-90b-vision': () => llamaVision(llamaPresets['llama-3.1-70b']),
    'internvl2.5-1b': () => internvl('internvit-300m', internvlQwen(qwen2Presets['qwen2-0.5b'])),
    'internvl2.5-4b': () => internvl('internvit-300m', internvlQwen(qwen2Presets['qwen2.5-3b'])),
    'internvl2.5-8b': () => internvl('internvit-300m', llamaSection(internlm7b)!),
    'internvl2.5-38b': () => internvl('internvit-6b', internvlQwen(qwen32b)),
    'internvl3-8b': () => internvl('internvit-300m', internvlQwen(qwen2Presets['qwen2-7b'])),
    'molmo-7b-d': () => molmo(qwen2Presets['qwen2-7b'], 152064),
    'molmo-7b-o': () => molmo(olmoPresets['olmo-7b-1024'], 100278),
    'molmo-72b': () => molmo({ ...qwen2Presets['qwen2-72b'], rmsNormEps: 1e-5 }, 152064),
    'molmoe-1b': molmoe,
    'mm1.5-1b': () => mm15(llamaPresets['llama-3.2-1b']),
    'mm1.5-3b': () => mm15(llamaPresets['llama-3.2-3b']),
    'mm1.5-7b': () => mm15(llamaPresets['llama-2-7b']),
    'mm1.5-30b': () => mm15(llamaPresets['llama-30b']),
    'mm1.5-1b-moe': () => mm15(llamaPresets['llama-3.2-1b'], true),
    'mm1.5-3b-moe': () => mm15(llamaPresets['llama-3.2-3b'], true),
    'nvlm-d-72b': () => nvlm('NVLM_D', qwen2Section(qwen2Presets['qwen2-72b'])!, 80),
    'nvlm-x-72b': () => nvlm('nvlm_x', qwen2Section(qwen2Presets['qwen2-72b'])!, 80),
    'nvlm-h-72b': () => nvlm('nvlm_h', qwen2Section(qwen2Presets['qwen2-72b'])!, 80),
    'nvlm-x-34b': () => nvlm('nvlm_x', llamaSection(llamaPresets['yi-34b'])!, 60),
    'nvlm-h-34b': () => nvlm('nvlm_h', llamaSection(llamaPresets['yi-34b'])!, 60),
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
    ...text(ariaPresets, ariaSection),
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
