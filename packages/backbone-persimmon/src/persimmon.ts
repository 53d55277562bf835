import { module, repeat, reshape, slice, type Value } from '@weft/graph';
import {
  decoderFields,
  assembleDecoder,
  decoderSection,
  layerNorm,
  linear,
  mlp,
  preNormLayer,
  readDecoderStack,
  rotaryAttention,
  windowOf,
  type DecoderSectionConfig,
  type Mlp,
  type SelfAttention,
} from '@weft/nn';
import {
  checkConfig,
  configReader,
  resolvePreset,
  type Backbone,
  type DecoderContext,
  type Json,
  type PartDefinition,
  type Source,
  type TakeNotice,
} from '@weft/spec';

/** Persimmon, the decoder of Fuyu. Every head has its own keys and values. */
export interface PersimmonConfig extends DecoderSectionConfig {
  readonly layerNormEps: number;
  /** Layer norms of queries and keys, head by head, with weights that all heads share. */
  readonly qkLayernorm: boolean;
}

/** Published sizes. */
export const persimmonPresets = {
  'persimmon-8b': {
    hiddenSize: 4096,
    intermediateSize: 16384,
    numHiddenLayers: 36,
    numAttentionHeads: 64,
    numKeyValueHeads: 64,
    headDim: 64,
    rotaryDim: 32,
    ropeTheta: 25000,
    vocabSize: 262144,
    hiddenAct: 'relu2',
    layerNormEps: 1e-5,
    qkLayernorm: true,
    tieWordEmbeddings: false,
  },
} as const satisfies Record<string, PersimmonConfig>;

const source: Source = {
  paper: 'https://www.adept.ai/blog/persimmon-8b',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/persimmon/modeling_persimmon.py',
};

/**
 * Persimmon's decoder: pre-norm with layer norms, one projection for queries, keys and values, positions that turn
 * half of each head, and a squared ReLU.
 *
 * @param config preset name or full configuration
 * @param changes fields that differ from the preset
 */
export function persimmon(
  config: keyof typeof persimmonPresets | PersimmonConfig,
  changes: Partial<PersimmonConfig> = {},
): Backbone {
  const c = checkConfig(persimmonPart, {
    ...resolvePreset<PersimmonConfig>('backbone-persimmon', persimmonPresets, config),
    ...changes,
  });
  const norm = () => layerNorm(c.hiddenSize, c.layerNormEps);
  return assembleDecoder(c, {
    id: 'backbone-persimmon',
    source,
    layers: repeat(c.numHiddenLayers, (i) =>
      preNormLayer({
        input_layernorm: norm(),
        self_attn: attention(c, i),
        post_attention_layernorm: norm(),
        mlp: mlp(c).withPaths({ fc1: 'dense_h_to_4h', fc2: 'dense_4h_to_h' }) as Mlp,
      }),
    ),
    norm: norm(),
    normEps: c.layerNormEps,
    normName: 'final_layernorm',
  });
}

function attention(c: PersimmonConfig, index: number): SelfAttention {
  const [heads, size] = [c.numAttentionHeads, c.headDim];
  const headNorm = () => (c.qkLayernorm ? layerNorm(size, c.layerNormEps) : null);
  return module(
    'Attention',
    {
      query_key_value: linear(c.hiddenSize, 3 * heads * size),
      q_layernorm: headNorm(),
      k_layernorm: headNorm(),
      dense: linear(heads * size, c.hiddenSize),
    },
    (m, x: Value, context: DecoderContext) => {
      // Each head's query, key and value lie side by side.
      const [batch, length] = x.shape;
      const fused = reshape(m.query_key_value(x), [batch!, length!, heads, 3, size]);
      const [q, k, v] = [0, 1, 2].map((i) =>
        reshape(slice(fused, 3, i, i + 1), [batch!, length!, heads, size]),
      );
      const queries = m.q_layernorm ? m.q_layernorm(q!) : q!;
      const keys = m.k_layernorm ? m.k_layernorm(k!) : k!;
      return m.dense(rotaryAttention(queries, keys, v!, context, windowOf(c, index)));
    },
  );
}

/** Reads the text section of a `config.json` of model type `persimmon`. */
export function readPersimmonConfig(section: Json, notice?: TakeNotice): PersimmonConfig {
  const read = configReader(section, 'text_config');
  // The class knows neither grouped heads nor heads of another size.
  const known = { ...section, head_dim: undefined, num_key_value_heads: undefined };
  return {
    ...readDecoderStack(
      known,
      {
        hiddenSize: 4096,
        intermediateSize: 16384,
        numHiddenLayers: 36,
        numAttentionHeads: 64,
        vocabSize: 262144,
        hiddenAct: 'relu2',
        partialRotaryFactor: 0.5,
        maxPositionEmbeddings: 16384,
      },
      notice,
    ),
    layerNormEps: read.number('layer_norm_eps', 1e-5),
    qkLayernorm: read.boolean('qk_layernorm', true),
  };
}

/** The text section of a `config.json`, or `undefined` if transformers' Persimmon cannot have these sizes. */
export function persimmonSection(c: PersimmonConfig): Json | undefined {
  const fits =
    c.numKeyValueHeads === c.numAttentionHeads &&
    c.headDim * c.numAttentionHeads === c.hiddenSize &&
    c.slidingWindow === undefined;
  const stack = decoderSection(c, { turnsPart: true });
  if (!fits || !stack) return undefined;
  const { head_dim, num_key_value_heads, rope_parameters, ...known } = stack;
  return {
    model_type: 'persimmon',
    ...known,
    layer_norm_eps: c.layerNormEps,
    qk_layernorm: c.qkLayernorm,
    rope_parameters: { partial_rotary_factor: 1, ...(rope_parameters as Json) },
  };
}

/** Persimmon's decoder, by its name. */
export const persimmonPart: PartDefinition<'backbone', PersimmonConfig> = {
  id: 'backbone-persimmon',
  kind: 'backbone',
  create: (config) => persimmon(config),
  fields: {
    ...decoderFields,
    layerNormEps: 'positive',
    qkLayernorm: 'flag',
  },
  presets: persimmonPresets,
  source,
  types: ['persimmon'],
  read: readPersimmonConfig,
  write: persimmonSection,
};
