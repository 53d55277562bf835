import { ConfigError } from '@weft/errors';
import {
  add,
  attend,
  concat,
  expand,
  module,
  mul,
  Parameter,
  repeat,
  rmsNorm as rmsNormOp,
  slice,
  type AnyModule,
  type Value,
} from '@weft/graph';
import {
  captureLayers,
  isLastLayer,
  layerNorm,
  linear,
  mergeHeads,
  mlp,
  patchEmbedding,
  readVisionTransformer,
  rmsNorm,
  splitHeads,
  visionSection,
  type Norm,
  type VisionTransformerConfig,
} from '@weft/nn';
import {
  checkConfig,
  configReader,
  resolvePreset,
  type Json,
  type PartDefinition,
  type Source,
  type VisionEncoder,
} from '@weft/spec';

/** InternViT, small or large. */
export interface InternVitConfig extends VisionTransformerConfig {
  readonly norm: 'layer' | 'rms';
  /** Biases of q, k and v. */
  readonly qkvBias: boolean;
  /** Whether queries and keys are normed, all heads together. */
  readonly qkNorm: boolean;
  /** Heads of zeros that some checkpoints have for tensor parallelism; norms do not count them. None unless given. */
  readonly numDummyHeads?: number | undefined;
}

const common = {
  numChannels: 3,
  imageSize: 448,
  patchSize: 14,
  hiddenAct: 'gelu',
  layerNormEps: 1e-6,
} as const;

/** Published sizes. */
export const internVitPresets = {
  'internvit-300m': {
    ...common,
    hiddenSize: 1024,
    intermediateSize: 4096,
    numHiddenLayers: 24,
    numAttentionHeads: 16,
    norm: 'layer',
    qkvBias: true,
    qkNorm: false,
  },
  'internvit-6b': {
    ...common,
    hiddenSize: 3200,
    intermediateSize: 12800,
    numHiddenLayers: 45,
    numAttentionHeads: 25,
    norm: 'rms',
    qkvBias: false,
    qkNorm: true,
  },
} as const satisfies Record<string, InternVitConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2312.14238',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/internvl/modeling_internvl.py',
};

/** The reference leaves the norms of queries and keys at this. */
const qkNormEps = 1e-6;

export interface InternVitOptions {
  /**
   * States to return, joined along the channels: 0 is the embedding, `i + 1` the output of layer `i`, negative numbers
   * count from the end. Default -1.
   */
  readonly featureLayers?: readonly number[];
  /** Whether the class token's state, the first, is returned. Default `drop`. */
  readonly classToken?: 'drop' | 'keep';
}

/**
 * InternViT: a vision transformer with a class token, whose layers are weighed channel by channel. The large one has
 * RMS norms, queries and keys normed over all heads, and no biases of q, k and v. No norm follows the last layer.
 *
 * @param config preset name or full configuration
 * @returns encoder with features `[numTiles, (imageSize / patchSize)², hiddenSize * featureLayers.length]`
 */
export function internVit(
  config: keyof typeof internVitPresets | InternVitConfig,
  options: InternVitOptions = {},
): VisionEncoder {
  const c = resolvePreset<InternVitConfig>('encoder-intern-vit', internVitPresets, config);
  checkConfig(internVitPart, { ...c, ...options });
  const { featureLayers = [-1], classToken = 'drop' } = options;
  const side = Math.floor(c.imageSize / c.patchSize);
  const patches = side * side;
  const grid = classToken === 'keep' ? ([1, patches + 1] as const) : ([side, side] as const);

  return module(
    'InternVit',
    {
      embeddings: {
        cls_token: new Parameter([1, 1, c.hiddenSize]),
        position_embeddings: new Parameter([1, patches + 1, c.hiddenSize]),
        patch_embeddings: { projection: patchEmbedding(c, { bias: true }) },
      },
      encoder: { layer: repeat(c.numHiddenLayers, () => visionLayer(c)) },
    },
    {
      encode: ({ embeddings, encoder }, { pixel_values }: Readonly<Record<string, Value>>) => {
        const x = embeddings.patch_embeddings.projection(pixel_values!);
        const classRow = expand(embeddings.cls_token, [x.shape[0]!, 1, c.hiddenSize]);
        const tokens = add(concat([classRow, x], 1), embeddings.position_embeddings);
        const states = concat(captureLayers(encoder.layer, tokens, featureLayers), 2);
        return {
          hiddenStates: classToken === 'keep' ? states : slice(states, 1, 1, patches + 1),
          grid,
        };
      },
    },
    {
      facts: () => ({
        id: 'encoder-intern-vit',
        source,
        config: { ...c, featureLayers, classToken },
        hiddenSize: c.hiddenSize * featureLayers.length,
        grid,
        pixels: { patchSize: c.patchSize, tileSize: c.imageSize },
        inputs: {
          pixel_values: {
            dtype: 'float32' as const,
            shape: ['tiles', c.numChannels, c.imageSize, c.imageSize],
          },
        },
      }),
    },
  );
}

type Layer = AnyModule & ((x: Value) => Value);

const visionLayer = (c: InternVitConfig): Layer => {
  const norm = c.norm === 'rms' ? rmsNorm : layerNorm;
  // Trained from 0.1; as near as the kinds of initialisers come.
  const scale = () => new Parameter([c.hiddenSize], { kind: 'ones' });
  return module(
    'InternVitLayer',
    {
      layernorm_before: norm(c.hiddenSize, c.layerNormEps),
      attention: visionAttention(c),
      lambda_1: scale(),
      layernorm_after: norm(c.hiddenSize, c.layerNormEps),
      mlp: mlp(c),
      lambda_2: scale(),
    },
    (m, x: Value) => {
      const h = add(x, mul(m.attention(m.layernorm_before(x)), m.lambda_1));
      return add(h, mul(m.mlp(m.layernorm_after(h)), m.lambda_2));
    },
  );
};

const visionAttention = (c: InternVitConfig): Layer => {
  const headDim = c.hiddenSize / c.numAttentionHeads;
  const heads = c.numAttentionHeads + (c.numDummyHeads ?? 0);
  const projection = () => linear(c.hiddenSize, heads * headDim, { bias: c.qkvBias });
  const norm = () => (c.qkNorm ? wideNorm(heads * headDim, c.hiddenSize) : null);
  return module(
    'InternVitAttention',
    {
      q_proj: projection(),
      k_proj: projection(),
      v_proj: projection(),
      q_norm: norm(),
      k_norm: norm(),
      projection_layer: linear(heads * headDim, c.hiddenSize),
    },
    (m, x: Value) => {
      const normed = (own: Norm | null, value: Value): Value => (own ? own(value) : value);
      const [q, k] = [normed(m.q_norm, m.q_proj(x)), normed(m.k_norm, m.k_proj(x))];
      const [queries, keys, values] = [q, k, m.v_proj(x)].map((value) => splitHeads(value, heads));
      return m.projection_layer(mergeHeads(attend(queries!, keys!, values!)));
    },
  );
};

/** RMS norm of `size` channels that takes their mean over the first `counted`, the others being zero. */
const wideNorm = (size: number, counted: number): Norm =>
  size === counted
    ? rmsNorm(size, qkNormEps)
    : module('WideRmsNorm', { weight: new Parameter([size], { kind: 'ones' }) }, (m, x: Value) => {
        const share = counted / size;
        return mul(rmsNormOp(x, m.weight, qkNormEps * share), Math.sqrt(share));
      });

/** Reads the vision section of a `config.json` of model type `internvl`; class defaults are those of transformers. */
export function readInternVitConfig(section: Json): InternVitConfig {
  const read = configReader(section, 'vision_config');
  const required = { use_mean_pooling: true, use_absolute_position_embeddings: true };
  for (const [key, value] of Object.entries(required))
    if (read.boolean(key, value) !== value)
      throw new ConfigError({
        message: `config.json: ${key} of vision_config is ${!value}.`,
        hint: `Published checkpoints have ${value}: no norm follows the last layer, and positions are learnt.`,
      });
  const side = (key: string): unknown => {
    const value = read.raw(key);
    return Array.isArray(value) ? value[0] : value;
  };
  const sides = { image_size: side('image_size'), patch_size: side('patch_size') };
  return {
    ...readVisionTransformer(
      { ...section, ...sides },
      {
        hiddenSize: 1024,
        intermediateSize: 4096,
        numHiddenLayers: 24,
        numAttentionHeads: 16,
        numChannels: 3,
        imageSize: 448,
        patchSize: 14,
        hiddenAct: 'gelu',
        layerNormEps: 1e-6,
      },
    ),
    norm: read.string('norm_type', 'layer_norm') === 'rms_norm' ? 'rms' : 'layer',
    qkvBias: read.boolean('attention_bias', false),
    qkNorm: read.boolean('use_qk_norm', false),
  };
}

/** Reads the vision section of the original repositories, whose fields and defaults are those of the large model. */
export function readOriginalInternVitConfig(section: Json): InternVitConfig {
  const read = configReader(section, 'vision_config');
  const dummies = read.number('num_dummy_heads', 0);
  return {
    ...readVisionTransformer(section, {
      hiddenSize: 3200,
      intermediateSize: 12800,
      numHiddenLayers: 48,
      numAttentionHeads: 25,
      numChannels: 3,
      imageSize: 224,
      patchSize: 14,
      hiddenAct: 'gelu',
      layerNormEps: 1e-6,
    }),
    norm: read.string('norm_type', 'rms_norm') === 'rms_norm' ? 'rms' : 'layer',
    qkvBias: read.boolean('qkv_bias', false),
    qkNorm: read.boolean('qk_normalization', true),
    ...(dummies > 0 ? { numDummyHeads: dummies } : {}),
  };
}

/**
 * The vision section of a `config.json` of model type `internvl_vision`, or `undefined` for a tower that the class does
 * not know, or that is read in another way.
 */
export function internVitSection(c: InternVitConfig & InternVitOptions): Json | undefined {
  if (c.numDummyHeads || !isLastLayer(c.featureLayers) || (c.classToken ?? 'drop') !== 'drop')
    return undefined;
  return {
    model_type: 'internvl_vision',
    ...visionSection(c),
    norm_type: c.norm === 'rms' ? 'rms_norm' : 'layer_norm',
    attention_bias: c.qkvBias,
    use_qk_norm: c.qkNorm,
  };
}

/** InternViT, by its name. */
export const internVitPart: PartDefinition<'encoder', InternVitConfig & InternVitOptions> = {
  id: 'encoder-intern-vit',
  kind: 'encoder',
  create: (config) => internVit(config, config),
  fields: {
    norm: { oneOf: ['layer', 'rms'] },
    qkvBias: 'flag',
    qkNorm: 'flag',
    numDummyHeads: { optional: 'amount' },
    numHiddenLayers: 'layers',
    numAttentionHeads: 'count',
    numChannels: 'count',
    imageSize: 'count',
    patchSize: 'count',
    layerNormEps: 'positive',
    hiddenSize: 'count',
    intermediateSize: 'count',
    hiddenAct: 'activation',
    featureLayers: { optional: { list: 'whole' } },
    classToken: { optional: { oneOf: ['drop', 'keep'] } },
  },
  presets: internVitPresets,
  source,
  types: ['internvl_vision', 'intern_vit_6b'],
  read: (section) =>
    section['model_type'] === 'intern_vit_6b'
      ? readOriginalInternVitConfig(section)
      : readInternVitConfig(section),
  write: internVitSection,
};
