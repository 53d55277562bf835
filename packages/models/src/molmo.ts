import { olmo, type OlmoConfig } from '@weft/backbone-olmo';
import { qwen2, type Qwen2Config } from '@weft/backbone-qwen2';
import { attentionPoolConnector, cropArranger } from '@weft/connector-attention-pool';
import { clip, clipPresets, type ClipConfig } from '@weft/encoder-clip';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { namedParameters } from '@weft/graph';
import { overlapCrops, readOverlapCrops } from '@weft/processors';
import { readActivation } from '@weft/nn';
import {
  configReader,
  type Backbone,
  type CheckpointNames,
  type Json,
  type Model,
  type TensorSlice,
} from '@weft/spec';
import { compose } from './compose.js';
import type { RecipeFiles } from './recipes.js';

const placeholder = '<im_patch>';

/** What Molmo's processor and its trainer write; the template among the published files is not Molmo's. */
export const molmoTemplate = (): string =>
  [
    '{{ bos_token or eos_token }}',
    "{% for message in messages %}{% for part in message.content %}{% if part.type == 'image' %}",
    placeholder,
    '{% endif %}{% endfor %}{% endfor %}',
    '{% for message in messages %}',
    "{{ ' ' if message.role == 'assistant' else ' User: ' }}",
    "{% for part in message.content %}{% if part.type == 'text' %}",
    "{{ part.text | trim if message.role == 'assistant' else part.text }}",
    '{% endif %}{% endfor %}',
    "{{ eos_token if message.role == 'assistant' else ' Assistant:' }}",
    '{% endfor %}',
  ].join('');

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
export function molmoRecipe(config: Json, { preprocessor = {} }: RecipeFiles = {}): Model {
  requireKnown(config);
  const read = configReader(config, 'config');
  const vision = readMolmoTower(config);
  const layers = (config['vit_layers'] ?? [-2, -9]) as readonly number[];
  const language = readLanguage(config);
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
    placeholder,
    prompt: { chatTemplate: molmoTemplate() },
    processor: overlapCrops(readOverlapCrops(preprocessor)),
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

/**
 * Molmo's vision tower: OpenAI's CLIP without its last block, which the dense models' files do not mention, unless
 * `vision_backbone` says otherwise.
 *
 * @throws ConfigError for a tower that no published model has
 */
export function readMolmoTower(config: Json): ClipConfig {
  const section = configReader(config, 'config').section('vision_backbone', {});
  const read = configReader(section, 'vision_backbone');
  const usual = clipPresets['large-patch14-336'];
  const size = (section['image_default_input_size'] ?? [
    usual.imageSize,
    usual.imageSize,
  ]) as readonly number[];
  const tower = {
    ...usual,
    hiddenSize: read.number('image_emb_dim', usual.hiddenSize),
    intermediateSize: read.number('image_mlp_dim', usual.intermediateSize),
    numHiddenLayers: read.number('image_num_layers', 23),
    numAttentionHeads: read.number('image_num_heads', usual.numAttentionHeads),
    imageSize: size[0]!,
    patchSize: read.number('image_patch_size', usual.patchSize),
    hiddenAct: readActivation(read, usual.hiddenAct, 'image_mlp_activations'),
    layerNormEps: read.number('image_norm_eps', usual.layerNormEps),
  };
  const positions = Math.floor(tower.imageSize / tower.patchSize) ** 2 + 1;
  const heads = [
    read.number('image_num_key_value_heads', tower.numAttentionHeads),
    tower.hiddenSize / read.number('image_head_dim', tower.hiddenSize / tower.numAttentionHeads),
  ];
  if (
    size[0] !== size[1] ||
    read.number('image_num_pos', positions) !== positions ||
    heads.some((count) => count !== tower.numAttentionHeads)
  )
    throw new ConfigError({
      message: `config.json: a vision_backbone of ${size.join(' x ')} pixels with ${read.raw('image_num_pos') ?? positions} positions and ${tower.numAttentionHeads} heads, ${heads[0]} of keys, is not known.`,
      hint: `Published ones take squares with a position for each patch and one for the class token, and as many heads of keys.`,
    });
  return tower;
}

/** The language model, and the width of its MLP, which the connector has too. */
interface Language {
  readonly backbone: Backbone;
  readonly intermediateSize: number;
}

/** The decoder of the dense models or of MolmoE, which name their fields differently. */
function readLanguage(config: Json): Language {
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
    return { backbone: qwen2(c), intermediateSize: stack.intermediateSize };
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
  return { backbone: olmo(c), intermediateSize: stack.intermediateSize };
}

/** The parts' own names, from those of Molmo's checkpoints, in which q, k and v are one tensor, as are up and gate. */
export function molmoNames(backbone: Backbone): CheckpointNames {
  const { hiddenSize, numKeyValueHeads, headDim } = backbone.shape;
  const paths = [...namedParameters(backbone).keys()];
  const norms = paths.some((path) => path.includes('.post_feedforward_layernorm.'))
    ? { attn: 'post_attention_layernorm', ff: 'post_feedforward_layernorm' }
    : { attn: 'input_layernorm', ff: 'post_attention_layernorm' };
  const split = (name: string, [rows = 0, ...rest]: readonly number[]): TensorSlice[] | undefined => {
    const [, path, kind] = /^(.*)\.(?:att|ff)_proj\.(weight|bias)$/.exec(name) ?? [];
    if (path === undefined) return undefined;
    const keys = numKeyValueHeads * headDim;
    const pieces = name.includes('.att_proj.')
      ? { q_proj: hiddenSize, k_proj: keys, v_proj: keys }
      : { up_proj: rows / 2, gate_proj: rows / 2 };
    let start = 0;
    return Object.entries(pieces).map(([piece, height]) => {
      const shape = [height, ...rest];
      const slice = { name: `${path}.${piece}.${kind}`, start, shape };
      start += shape.reduce((product, side) => product * side, 1);
      return slice;
    });
  };
  return {
    split,
    rename: (name) =>
      name.startsWith('model.vision_backbone.image_vit.')
        ? towerName(name)
        : name
            .replace(/^model\.transformer\.wte\.embedding$/, 'model.embed_tokens.weight')
            .replace(/^model\.transformer\.wte\./, 'model.embed_tokens.')
            .replace(/^model\.transformer\.ln_f\./, 'model.norm.')
            .replace(/^model\.transformer\.ff_out\./, 'lm_head.')
            .replace(/^model\.transformer\.blocks\./, 'model.layers.')
            .replace(/^(model\.layers\.\d+)\.attn\.(?=\w+\.)/, '$1.')
            .replace(/^(model\.layers\.\d+)\.mlp\.(?=ff_norm\.)/, '$1.')
            .replace(/^(model\.layers\.\d+)\.attn_norm\./, `$1.${norms.attn}.`)
            .replace(/^(model\.layers\.\d+)\.ff_norm\./, `$1.${norms.ff}.`)
            .replace(/^(model\.layers\.\d+)\.([qk]_norm|[qkv]_proj)\./, '$1.self_attn.$2.')
            .replace(/^(model\.layers\.\d+)\.attn_out\./, '$1.self_attn.o_proj.')
            .replace(/^(model\.layers\.\d+)\.(up|gate)_proj\./, '$1.mlp.$2_proj.')
            .replace(/^(model\.layers\.\d+)\.ff_out\./, '$1.mlp.down_proj.'),
  };
}

const towerName = (name: string): string =>
  name
    .replace(/(?<=image_vit)\.class_embedding$/, '.embeddings.class_embedding')
    .replace(/(?<=image_vit)\.positional_embedding$/, '.embeddings.position_embedding.weight')
    .replace(/(?<=image_vit)\.patch_embedding\./, '.embeddings.patch_embedding.')
    .replace(/\.pre_ln\./, '.pre_layrnorm.')
    .replace(/\.transformer\.resblocks\./, '.encoder.layers.')
    .replace(/\.attention\.w([qkv])\./, '.self_attn.$1_proj.')
    .replace(/\.attention\.wo\./, '.self_attn.out_proj.')
    .replace(/\.attention_norm\./, '.layer_norm1.')
    .replace(/\.ffn_norm\./, '.layer_norm2.')
    .replace(/\.feed_forward\.w([12])\./, '.mlp.fc$1.');
