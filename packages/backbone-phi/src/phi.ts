import { ConfigError } from '@weft/errors';
import { add, module, repeat, type Value } from '@weft/graph';
import {
  decoderFields,
  assembleDecoder,
  decoderSection,
  layerNorm,
  linear,
  mlp,
  readDecoderStack,
  rotaryAttention,
  splitHeads,
  windowOf,
  type DecoderSectionConfig,
  type SelfAttention,
} from '@weft/nn';
import {
  checkConfig,
  configReader,
  resolvePreset,
  type Backbone,
  type DecoderContext,
  type DecoderLayer,
  type Json,
  type PartDefinition,
  type Source,
  type TakeNotice,
} from '@weft/spec';

/** Phi 1, 1.5 and 2. */
export interface PhiConfig extends DecoderSectionConfig {
  readonly layerNormEps: number;
  /** Layer norms of queries and keys, head by head, with weights that all heads share. */
  readonly qkLayernorm: boolean;
}

const common = {
  numHiddenLayers: 24,
  numAttentionHeads: 32,
  numKeyValueHeads: 32,
  vocabSize: 51200,
  rotaryDim: 32,
  ropeTheta: 10000,
  hiddenAct: 'gelu_new',
  layerNormEps: 1e-5,
  qkLayernorm: false,
  tieWordEmbeddings: false,
} as const;

/** Published sizes. */
export const phiPresets = {
  'phi-1.5': { ...common, hiddenSize: 2048, intermediateSize: 8192, headDim: 64 },
  'phi-2': { ...common, hiddenSize: 2560, intermediateSize: 10240, numHiddenLayers: 32, headDim: 80 },
} as const satisfies Record<string, PhiConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2309.05463',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/phi/modeling_phi.py',
};

/**
 * Phi's decoder: attention and MLP read one layer norm side by side, positions turn a part of each head, and
 * everything has a bias, the head too.
 *
 * @param config preset name or full configuration
 * @param changes fields that differ from the preset
 * @throws ConfigError for a tied head, which could not have its bias
 */
export function phi(config: keyof typeof phiPresets | PhiConfig, changes: Partial<PhiConfig> = {}): Backbone {
  const c = checkConfig(phiPart, {
    ...resolvePreset<PhiConfig>('backbone-phi', phiPresets, config),
    ...changes,
  });
  if (c.tieWordEmbeddings)
    throw new ConfigError({
      message: 'A tied head has no bias, but the head of Phi has one.',
      hint: 'Set tie_word_embeddings to false.',
    });
  return assembleDecoder(c, {
    id: 'backbone-phi',
    source,
    layers: repeat(c.numHiddenLayers, (i) => parallelLayer(c, i)),
    norm: layerNorm(c.hiddenSize, c.layerNormEps),
    normEps: c.layerNormEps,
    normName: 'final_layernorm',
    headBias: true,
  });
}

/** `x + attention(norm(x)) + mlp(norm(x))`, one norm for both. */
const parallelLayer = (c: PhiConfig, index: number): DecoderLayer =>
  module(
    'ParallelLayer',
    { input_layernorm: layerNorm(c.hiddenSize, c.layerNormEps), self_attn: attention(c, index), mlp: mlp(c) },
    (m, x: Value, context: DecoderContext) => {
      const h = m.input_layernorm(x);
      return add(add(m.self_attn(h, context), m.mlp(h)), x);
    },
  );

function attention(c: PhiConfig, index: number): SelfAttention {
  const headNorm = () => (c.qkLayernorm ? layerNorm(c.headDim, c.layerNormEps) : null);
  return module(
    'Attention',
    {
      q_proj: linear(c.hiddenSize, c.numAttentionHeads * c.headDim),
      k_proj: linear(c.hiddenSize, c.numKeyValueHeads * c.headDim),
      v_proj: linear(c.hiddenSize, c.numKeyValueHeads * c.headDim),
      q_layernorm: headNorm(),
      k_layernorm: headNorm(),
      dense: linear(c.numAttentionHeads * c.headDim, c.hiddenSize),
    },
    (m, x: Value, context: DecoderContext) => {
      const q = splitHeads(m.q_proj(x), c.numAttentionHeads);
      const k = splitHeads(m.k_proj(x), c.numKeyValueHeads);
      const v = splitHeads(m.v_proj(x), c.numKeyValueHeads);
      const queries = m.q_layernorm ? m.q_layernorm(q) : q;
      const keys = m.k_layernorm ? m.k_layernorm(k) : k;
      return m.dense(rotaryAttention(queries, keys, v, context, windowOf(c, index)));
    },
  );
}

/** Reads the text section of a `config.json` of model type `phi`. */
export function readPhiConfig(section: Json, notice?: TakeNotice): PhiConfig {
  const read = configReader(section, 'text_config');
  return {
    ...readDecoderStack(
      section,
      {
        hiddenSize: 2048,
        intermediateSize: 8192,
        numHiddenLayers: 24,
        numAttentionHeads: 32,
        vocabSize: 51200,
        hiddenAct: 'gelu_new',
        partialRotaryFactor: 0.5,
        maxPositionEmbeddings: 2048,
      },
      notice,
    ),
    layerNormEps: read.number('layer_norm_eps', 1e-5),
    qkLayernorm: read.boolean('qk_layernorm', false),
  };
}

/** The text section of a `config.json`, or `undefined` if transformers' Phi has no such windows. */
export function phiSection(c: PhiConfig): Json | undefined {
  const stack = decoderSection(c, { turnsPart: true });
  if (!stack || c.slidingWindow !== undefined) return undefined;
  return {
    model_type: 'phi',
    ...stack,
    layer_norm_eps: c.layerNormEps,
    qk_layernorm: c.qkLayernorm,
    rope_parameters: { partial_rotary_factor: 1, ...(stack['rope_parameters'] as Json) },
  };
}

/** Phi's decoder, by its name. */
export const phiPart: PartDefinition<'backbone', PhiConfig> = {
  id: 'backbone-phi',
  kind: 'backbone',
  create: (config) => phi(config),
  fields: {
    ...decoderFields,
    layerNormEps: 'positive',
    qkLayernorm: 'flag',
  },
  presets: phiPresets,
  source,
  types: ['phi'],
  read: readPhiConfig,
  write: phiSection,
};
