import {
  add,
  attend,
  embedding,
  linear as linearOp,
  module,
  Parameter,
  repeat,
  rope,
  type Value,
} from '@weft/graph';
import type { Backbone, DecoderContext, DecoderInputs, DecoderLayer, DecoderShape, Source } from '@weft/spec';
import { mergeHeads, splitHeads } from './heads.js';
import { linear } from './linear.js';
import { gatedMlp } from './mlp.js';
import { rmsNorm, type Norm } from './norm.js';
import { rotary, type RopeConfig } from './rotary.js';

/** A Llama-like decoder; names as in `config.json`. */
export interface DecoderConfig extends DecoderShape, RopeConfig {
  readonly hiddenAct: string;
  readonly rmsNormEps: number;
  /** Whether the head is the token table. */
  readonly tieWordEmbeddings: boolean;
  /** Biases of q, k and v. */
  readonly qkvBias: boolean;
  /** Bias of the output projection. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Keys at this distance or more are not seen. */
  readonly slidingWindow?: number | undefined;
}

/** Table of token embeddings `[V, D]`. */
export const tokenEmbedding = (vocabSize: number, hiddenSize: number) =>
  module('Embedding', { weight: new Parameter([vocabSize, hiddenSize]) }, {
    lookUp: (m, ids: Value) => embedding(ids, m.weight),
    unembed: (m, hiddenStates: Value) => linearOp(hiddenStates, m.weight),
  });

/** Causal self-attention with rotary positions and grouped key/value heads. */
export const decoderAttention = (c: DecoderConfig) =>
  module(
    'Attention',
    {
      q_proj: linear(c.hiddenSize, c.numAttentionHeads * c.headDim, { bias: c.qkvBias }),
      k_proj: linear(c.hiddenSize, c.numKeyValueHeads * c.headDim, { bias: c.qkvBias }),
      v_proj: linear(c.hiddenSize, c.numKeyValueHeads * c.headDim, { bias: c.qkvBias }),
      o_proj: linear(c.numAttentionHeads * c.headDim, c.hiddenSize, { bias: c.outputBias }),
    },
    (m, x: Value, { cos, sin }: DecoderContext) => {
      const q = rope(splitHeads(m.q_proj(x), c.numAttentionHeads), cos, sin);
      const k = rope(splitHeads(m.k_proj(x), c.numKeyValueHeads), cos, sin);
      const v = splitHeads(m.v_proj(x), c.numKeyValueHeads);
      const window = c.slidingWindow === undefined ? {} : { window: c.slidingWindow };
      return m.o_proj(mergeHeads(attend(q, k, v, { mask: 'causal', cache: 'append', ...window })));
    },
  );

/** Pre-norm layer of Llama, Mistral and Qwen2. */
export const decoderLayer = (c: DecoderConfig): DecoderLayer =>
  module(
    'DecoderLayer',
    {
      input_layernorm: rmsNorm(c.hiddenSize, c.rmsNormEps),
      self_attn: decoderAttention(c),
      post_attention_layernorm: rmsNorm(c.hiddenSize, c.rmsNormEps),
      mlp: gatedMlp(c),
    },
    (m, x: Value, context: DecoderContext) => {
      const h = add(x, m.self_attn(m.input_layernorm(x), context));
      return add(h, m.mlp(m.post_attention_layernorm(h)));
    },
  );

/** What differs between families of decoders beside their sizes. */
export interface DecoderFamily {
  readonly id: string;
  readonly source: Source;
  readonly layer?: (c: DecoderConfig, index: number) => DecoderLayer;
  readonly norm?: (c: DecoderConfig) => Norm;
}

/**
 * Token embeddings, a stack of layers, a final norm and a head, under the names of `LlamaForCausalLM`:
 * `model.embed_tokens`, `model.layers.{i}`, `model.norm`, `lm_head`.
 */
export function decoder(c: DecoderConfig, family: DecoderFamily): Backbone {
  const layer = family.layer ?? decoderLayer;
  return assemble(c, family, repeat(c.numHiddenLayers, (i) => layer(c, i)));
}

function assemble(c: DecoderConfig, family: DecoderFamily, layers: readonly DecoderLayer[]): Backbone {
  const parts = {
    model: {
      embed_tokens: tokenEmbedding(c.vocabSize, c.hiddenSize),
      layers,
      norm: family.norm?.(c) ?? rmsNorm(c.hiddenSize, c.rmsNormEps),
    },
    lm_head: c.tieWordEmbeddings ? null : linear(c.hiddenSize, c.vocabSize, { bias: false }),
  };
  const backbone = module(
    'Decoder',
    parts,
    {
      embed: ({ model }, inputIds: Value) => model.embed_tokens.lookUp(inputIds),
      decode: ({ model }, { hiddenStates, positionIds, visionStates }: DecoderInputs) => {
        const context = { ...rotary(positionIds, c), visionStates };
        return model.norm(model.layers.reduce((x, layer) => layer(x, context), hiddenStates));
      },
      head: ({ model, lm_head }, hiddenStates: Value) =>
        lm_head ? lm_head(hiddenStates) : model.embed_tokens.unembed(hiddenStates),
    },
    {
      facts: ({ model, lm_head }) => ({
        id: family.id,
        source: family.source,
        config: c as unknown as Readonly<Record<string, unknown>>,
        shape: c as DecoderShape,
        layers: model.layers,
        withLayers: (next: readonly DecoderLayer[]): Backbone =>
          backbone.withParts({ model: { ...model, layers: next }, lm_head }) as unknown as Backbone,
      }),
    },
  );
  return backbone as unknown as Backbone;
}
