import {
  add,
  constant,
  layerNorm as layerNormOp,
  maximum,
  minimum,
  module,
  repeat,
  type Value,
} from '@weft/graph';
import {
  decoderFields,
  assembleDecoder,
  expertsMlp,
  gatedMlp,
  linear,
  preNormLayer,
  rmsNorm,
  rotaryAttention,
  splitExperts,
  splitHeads,
  windowOf,
  type Norm,
  type SelfAttention,
} from '@weft/nn';
import {
  checkConfig,
  resolvePreset,
  type Backbone,
  type DecoderContext,
  type DecoderLayer,
  type PartDefinition,
  type Source,
} from '@weft/spec';
import { olmoPresets, olmoSection, readOlmoConfig, type OlmoConfig } from './config.js';

/** Paper and code of each member of the family. */
const sources = {
  olmo: {
    paper: 'https://arxiv.org/abs/2402.00838',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/olmo/modeling_olmo.py',
  },
  olmo2: {
    paper: 'https://arxiv.org/abs/2501.00656',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/olmo2/modeling_olmo2.py',
  },
  olmoe: {
    paper: 'https://arxiv.org/abs/2409.02060',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/olmoe/modeling_olmoe.py',
  },
} as const satisfies Record<string, Source>;

function sourceOf(c: OlmoConfig): Source {
  if (c.experts) return sources.olmoe;
  return c.normType === 'layer' ? sources.olmo : sources.olmo2;
}

/**
 * OLMo's decoder: rotary positions and a gated MLP, like Llama's; norms, query and key norms and experts as the
 * configuration says.
 *
 * @param config preset name or full configuration
 * @param changes fields that differ from the preset
 */
export function olmo(
  config: keyof typeof olmoPresets | OlmoConfig,
  changes: Partial<OlmoConfig> = {},
): Backbone {
  const c = checkConfig(olmoPart, {
    ...resolvePreset<OlmoConfig>('backbone-olmo', olmoPresets, config),
    ...changes,
  });
  return assembleDecoder(c, {
    id: 'backbone-olmo',
    source: sourceOf(c),
    layers: repeat(c.numHiddenLayers, (i) => olmoLayer(c, i)),
    norm: norm(c),
    normEps: c.normEps,
  });
}

const norm = ({ normType, hiddenSize, normEps }: OlmoConfig): Norm =>
  normType === 'rms' ? rmsNorm(hiddenSize, normEps) : plainLayerNorm(hiddenSize, normEps);

/** Layer norm over the last axis without weight and bias. */
const plainLayerNorm = (size: number, eps: number): Norm =>
  module('LayerNorm', {}, (_, x: Value) =>
    layerNormOp(
      x,
      constant(new Float32Array(size).fill(1), 'float32'),
      constant(new Float32Array(size), 'float32'),
      eps,
    ),
  );

function olmoLayer(c: OlmoConfig, index: number): DecoderLayer {
  const self_attn = attention(c, index);
  const mlp = c.experts ? expertsMlp(c, c.experts) : gatedMlp(c);
  if (c.normPlacement === 'before')
    return preNormLayer({ input_layernorm: norm(c), self_attn, post_attention_layernorm: norm(c), mlp });
  return module(
    'PostNormLayer',
    { self_attn, post_attention_layernorm: norm(c), mlp, post_feedforward_layernorm: norm(c) },
    (m, x: Value, context: DecoderContext) => {
      const h = add(x, m.post_attention_layernorm(m.self_attn(x, context)));
      return add(h, m.post_feedforward_layernorm(m.mlp(h)));
    },
  );
}

/** Queries and keys are normed before they are split into heads, so a norm spans all heads. */
function attention(c: OlmoConfig, index: number): SelfAttention {
  const [querySize, keySize] = [c.numAttentionHeads * c.headDim, c.numKeyValueHeads * c.headDim];
  const bias = c.attentionBias;
  const clip = (x: Value): Value =>
    c.clipQkv === undefined ? x : minimum(maximum(x, -c.clipQkv), c.clipQkv);
  return module(
    'Attention',
    {
      q_proj: linear(c.hiddenSize, querySize, { bias }),
      k_proj: linear(c.hiddenSize, keySize, { bias }),
      v_proj: linear(c.hiddenSize, keySize, { bias }),
      o_proj: linear(querySize, c.hiddenSize, { bias }),
      q_norm: c.qkNorm ? rmsNorm(querySize, c.normEps) : null,
      k_norm: c.qkNorm ? rmsNorm(keySize, c.normEps) : null,
    },
    (m, x: Value, context: DecoderContext) => {
      const [queries, keys] = [m.q_proj(x), m.k_proj(x)];
      const q = splitHeads(clip(m.q_norm ? m.q_norm(queries) : queries), c.numAttentionHeads);
      const k = splitHeads(clip(m.k_norm ? m.k_norm(keys) : keys), c.numKeyValueHeads);
      const v = splitHeads(clip(m.v_proj(x)), c.numKeyValueHeads);
      return m.o_proj(rotaryAttention(q, k, v, context, windowOf(c, index)));
    },
  );
}

/** OLMo's decoder, by its name. */
export const olmoPart: PartDefinition<'backbone', OlmoConfig> = {
  id: 'backbone-olmo',
  kind: 'backbone',
  create: (config) => olmo(config),
  fields: {
    ...decoderFields,
    normType: { oneOf: ['layer', 'rms'] },
    normEps: 'positive',
    normPlacement: { oneOf: ['before', 'after'] },
    qkNorm: 'flag',
    attentionBias: 'flag',
    clipQkv: { optional: 'positive' },
    experts: {
      optional: { section: { numExperts: 'count', numExpertsPerTok: 'count', normTopkProb: 'flag' } },
    },
  },
  presets: olmoPresets,
  source: sources.olmo2,
  types: ['olmo', 'olmo2', 'olmoe'],
  read: readOlmoConfig,
  write: olmoSection,
  split: splitExperts,
};
