import {
  add,
  groupedLinear,
  module,
  mul,
  multiplyDims,
  Parameter,
  repeat,
  reshape,
  silu,
  slice,
  softmax,
  topK,
  type Value,
} from '@weft/graph';
import {
  decoderFields,
  assembleDecoder,
  decoderAttention,
  gatedMlp,
  linear,
  mixExperts,
  preNormLayer,
  rmsNorm,
  type Mlp,
} from '@weft/nn';
import { checkConfig, resolvePreset, type Backbone, type PartDefinition, type Source } from '@weft/spec';
import { ariaPresets, ariaSection, readAriaConfig, type AriaConfig } from './config.js';
import { storedAriaExperts, splitAriaExperts } from './split-experts.js';

const source: Source = {
  paper: 'https://arxiv.org/abs/2410.05993',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/aria/modeling_aria.py',
};

/**
 * Aria's decoder: pre-norm, rotary positions, and in every layer a mixture of fine experts alongside shared ones.
 *
 * @param config preset name or full configuration
 * @param changes fields that differ from the preset
 */
export function aria(
  config: keyof typeof ariaPresets | AriaConfig,
  changes: Partial<AriaConfig> = {},
): Backbone {
  const c = checkConfig(ariaPart, {
    ...resolvePreset<AriaConfig>('backbone-aria', ariaPresets, config),
    ...changes,
  });
  return assembleDecoder(c, {
    id: 'backbone-aria',
    source,
    layers: repeat(c.numHiddenLayers, (i) =>
      preNormLayer({
        input_layernorm: rmsNorm(c.hiddenSize, c.rmsNormEps),
        self_attn: decoderAttention(c, i),
        post_attention_layernorm: rmsNorm(c.hiddenSize, c.rmsNormEps),
        mlp: sharedAndRouted(c),
      }),
    ),
    norm: rmsNorm(c.hiddenSize, c.rmsNormEps),
    normEps: c.rmsNormEps,
  });
}

/** Matrices of experts are stored transposed, gate and up side by side. */
const matrix = (inSize: number, outSize: number) => ({ weight: new Parameter([inSize, outSize]) });

/**
 * The router takes the experts of the largest logits, and the softmax over these alone. Routed experts are gated by SiLU,
 * whatever `hiddenAct` of the shared ones is.
 */
function sharedAndRouted(c: AriaConfig): Mlp {
  const { hiddenSize, intermediateSize: inner, numExperts, numExpertsPerTok } = c;
  return module(
    'SharedAndRoutedExperts',
    {
      router: linear(hiddenSize, numExperts, { bias: false }),
      experts: repeat(numExperts, () => ({
        fc1: matrix(hiddenSize, 2 * inner),
        fc2: matrix(inner, hiddenSize),
      })),
      shared_experts: gatedMlp({ ...c, intermediateSize: inner * c.numSharedExperts }),
    },
    (m, x: Value) => {
      const [batch, length, size] = x.shape;
      const tokens = reshape(x, [multiplyDims(batch!, length!), size!]);
      const [logits, experts] = topK(m.router(tokens), numExpertsPerTok);
      const through = (name: 'fc1' | 'fc2', rows: Value, own: Value): Value =>
        groupedLinear(
          rows,
          own,
          m.experts.map((expert) => expert[name].weight),
          'in-out',
        );
      const routed = mixExperts(tokens, { experts, weights: softmax(logits) }, (rows, own) => {
        const both = through('fc1', rows, own);
        const gate = silu(slice(both, 1, 0, inner));
        return through('fc2', mul(gate, slice(both, 1, inner, 2 * inner)), own);
      });
      return add(reshape(routed, x.shape), m.shared_experts(x));
    },
  );
}

/** Aria's decoder, by its name. */
export const ariaPart: PartDefinition<'backbone', AriaConfig> = {
  id: 'backbone-aria',
  kind: 'backbone',
  create: (config) => aria(config),
  fields: {
    ...decoderFields,
    numExperts: 'count',
    numExpertsPerTok: 'count',
    numSharedExperts: 'amount',
    rmsNormEps: 'positive',
    qkvBias: 'flag',
    outputBias: 'flag',
    mlpBias: 'flag',
  },
  presets: ariaPresets,
  source,
  types: ['aria_text'],
  read: readAriaConfig,
  write: ariaSection,
  split: splitAriaExperts,
  stored: storedAriaExperts,
};
