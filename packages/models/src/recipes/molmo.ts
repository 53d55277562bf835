import type { OlmoConfig } from '@weft/backbone-olmo';
import type { Qwen2Config } from '@weft/backbone-qwen2';
import { attentionPoolConnector, cropArranger } from '@weft/connector-attention-pool';
import { clip, clipPresets } from '@weft/encoder-clip';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { overlapCrops, readOverlapCrops } from '@weft/processors';
import { configReader, type Backbone, type Json, type Model } from '@weft/spec';
import { compose } from '../compose.js';
import { imageSection } from '../processor-files.js';
import { molmoNames, molmoTemplate, molmoTower } from '../molmo-files.js';
import { sizeOf } from '../part-sizes.js';
import { findDefinition, type PartSources } from '../parts.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';

/**
 * Molmo (Deitke et al. 2024): CLIP sees a picture whole and in crops that overlap, attention pools two by two patches, and
 * what comes out is added to the embeddings of `<im_patch>`. Qwen2, OLMo or OLMoE answers, also with points.
 *
 *   image ──► whole + crops ──► CLIP, two layers ──► attention pooling, gated MLP ──┐
 *                                                                                   ├─ added ─► decoder ──► text
 *   prompt ──────────────────────────────────────────────────────────► embeddings ──┘
 *
 * Reads the fields and names of the dense models and those of MolmoE.
 */
async function readMolmo(config: Json, files: RecipeFiles = {}): Promise<Model> {
  requireKnown(config);
  const read = configReader(config, 'config');
  // OpenAI's CLIP without its last block, which the dense models' files do not mention.
  const vision = molmoTower(config, { ...clipPresets['large-patch14-336'], numHiddenLayers: 23 });
  const layers = (config['vit_layers'] ?? [-2, -9]) as readonly number[];
  const language = await readLanguage(config, files);
  const { backbone } = language;
  const encoder = clip(vision, {
    // Counted from the output of the first block on; the encoder counts the embedding too.
    featureLayers: layers.map((layer) => (layer < 0 ? layer : layer + 1)),
    postNorm: false,
    patchWeight: 'matrix',
  });

  return compose({
    name: 'molmo',
    source: {
      paper: 'https://arxiv.org/abs/2409.17146',
      code: 'https://github.com/allenai/molmo/blob/793fa387edfd6fd0f5b21eb8e0a7620a1f3799e1/olmo/model.py',
    },
    encoder,
    connector: attentionPoolConnector({
      hiddenSize: vision.hiddenSize,
      numHeads: vision.numAttentionHeads,
      intermediateSize: language.intermediateSize,
      padEmbed: true,
    }),
    arranger: cropArranger({ masks: true }),
    backbone,
    fusion: unifiedFusion({ mode: 'add' }),
    // The tokens of pictures follow the vocabulary: start, end, patch, column.
    imageTokenId: read.number('vocab_size') + 2,
    placeholder: '<im_patch>',
    prompt: { chatTemplate: molmoTemplate() },
    processor: overlapCrops(
      readOverlapCrops(imageSection(config, files, { classes: ['MolmoImageProcessor'] })),
    ),
    paths: {
      encoder: 'model.vision_backbone.image_vit',
      connector: 'model.vision_backbone',
      backbone: '',
    },
    checkpoint: molmoNames(backbone),
    config,
  });
}

/** What all published models have in common where a file says it; the code has no other way for most of it. */
const known: Readonly<Record<string, readonly unknown[]>> = {
  layer_norm_type: ['rms'],
  activation_type: ['swiglu'],
  block_type: ['sequential', 'moe'],
  image_pooling_2d: ['attention-meanq', 'attention_meanq'],
  image_pooling_h: [2],
  image_pooling_w: [2],
  image_projector: ['mlp'],
  image_padding_embed: ['pad_and_partial_pad'],
  rope: [true],
  rope_impl: ['llama'],
  clip_qkv: [null],
  include_bias: [false],
  weight_tying: [false],
  use_cls_feature: [false],
  normalize_input_embeds: [false],
  scale_logits: [false],
  moe_shared_expert: [false],
  moe_interleave: [false],
};

function requireKnown(config: Json): void {
  for (const [name, values] of Object.entries(known))
    if (config[name] !== undefined && !values.includes(config[name]))
      throw new ConfigError({
        message: `config.json: ${name} is ${JSON.stringify(config[name])}.`,
        hint: `Published Molmos have ${values.map((value) => JSON.stringify(value)).join(' or ')}.`,
      });
}

/** The language model, and the width of its MLP, which the connector has too. */
interface Language {
  readonly backbone: Backbone;
  readonly intermediateSize: number;
}

/** The decoder of the dense models or of MolmoE, which name their fields differently. */
async function readLanguage(config: Json, sources: PartSources): Promise<Language> {
  const read = configReader(config, 'config');
  const isMixture = 'd_model' in config;
  const [sizeName, headsName, keysName, layersName] = isMixture
    ? (['d_model', 'n_heads', 'n_kv_heads', 'n_layers'] as const)
    : (['hidden_size', 'num_attention_heads', 'num_key_value_heads', 'num_hidden_layers'] as const);
  const hiddenSize = read.number(sizeName);
  const numAttentionHeads = read.number(headsName);
  const fused = isMixture
    ? read.number('mlp_hidden_size', read.number('mlp_ratio', 4) * hiddenSize)
    : read.number('intermediate_size');
  const normAfter = read.boolean('norm_after', false);
  const qkNorm = read.boolean('attention_layer_norm', false);
  const qkvBias = read.boolean('qkv_bias', false);
  const vocabSize = read.number('embedding_size', read.number('vocab_size'));
  const eps = read.number('layer_norm_eps', 1e-5);
  const stack = {
    hiddenSize,
    // Up and gate are one tensor, and this its height.
    intermediateSize: fused / 2,
    numHiddenLayers: read.number(layersName),
    numAttentionHeads,
    numKeyValueHeads: read.number(keysName, numAttentionHeads),
    headDim: hiddenSize / numAttentionHeads,
    rotaryDim: hiddenSize / numAttentionHeads,
    ropeTheta: read.number('rope_theta', 10000),
    vocabSize,
    extraTokens: read.number('additional_vocab_size', 128),
    extraTable: true,
    hiddenAct: 'silu' as const,
    tieWordEmbeddings: false,
  };
  if (!qkNorm && !normAfter && !isMixture) {
    const c: Qwen2Config = { ...stack, rmsNormEps: eps, qkvBias, outputBias: false, mlpBias: false };
    const { create } = await findDefinition('backbone', 'backbone-qwen2', sources);
    return { backbone: create({ ...c }), intermediateSize: stack.intermediateSize };
  }
  if (qkvBias)
    throw new ConfigError({
      message:
        'config.json: qkv_bias is true, with norms of queries and keys, norms after the layers or experts.',
      hint: 'Published Molmos have biases on Qwen2 only.',
    });
  const c: OlmoConfig = {
    ...stack,
    normType: 'rms',
    normEps: eps,
    normPlacement: normAfter ? 'after' : 'before',
    qkNorm,
    attentionBias: false,
    experts: isMixture
      ? {
          numExperts: read.number('moe_num_experts', 8),
          numExpertsPerTok: read.number('moe_top_k', 2),
          normTopkProb: false,
        }
      : undefined,
  };
  const { create } = await findDefinition('backbone', 'backbone-olmo', sources);
  return { backbone: create({ ...c }), intermediateSize: stack.intermediateSize };
}

/** Molmo: the tower is fixed by the code, the height of the fused MLP is given, and 128 tokens are added. */
const molmo =
  (id: 'backbone-qwen2' | 'backbone-olmo', preset: string, vocabSize: number, changes: object = {}) =>
  async (): Promise<PresetFiles> => {
    const backbone = { ...(await sizeOf<Qwen2Config | OlmoConfig>('backbone', id, preset)), ...changes };
    return {
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
    };
  };

/** MolmoE, whose files have other fields. */
const molmoe = async (): Promise<PresetFiles> => {
  const backbone = await sizeOf<OlmoConfig>('backbone', 'backbone-olmo', 'olmoe-1b-7b');
  return {
    config: {
      model_type: 'molmo',
      d_model: backbone.hiddenSize,
      mlp_ratio: (2 * backbone.intermediateSize) / backbone.hiddenSize,
      n_layers: backbone.numHiddenLayers,
      n_heads: backbone.numAttentionHeads,
      attention_layer_norm: true,
      moe_num_experts: backbone.experts!.numExperts,
      moe_top_k: backbone.experts!.numExpertsPerTok,
      layer_norm_eps: backbone.normEps,
      rope_theta: backbone.ropeTheta,
      vocab_size: 50280,
      embedding_size: backbone.vocabSize,
    },
  };
};

export const molmoRecipe: RecipeDefinition = {
  name: 'molmo',
  types: ['molmo'],
  presets: {
    'molmo-7b-d': molmo('backbone-qwen2', 'qwen2-7b', 152064),
    'molmo-7b-o': molmo('backbone-olmo', 'olmo-7b-1024', 100278),
    'molmo-72b': molmo('backbone-qwen2', 'qwen2-72b', 152064, { rmsNormEps: 1e-5 }),
    'molmoe-1b': molmoe,
  },
  read: readMolmo,
};
