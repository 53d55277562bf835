import { add, attend, module, rope, type AnyModule, type Value } from '@weft/graph';
import type { DecoderContext, DecoderLayer, DecoderShape } from '@weft/spec';
import { expertsMlp, type ExpertsConfig } from './experts-mlp.js';
import { mergeHeads, splitHeads } from './heads.js';
import { linear } from './linear.js';
import { gatedMlp, type Mlp } from './mlp.js';
import { rmsNorm, type Norm } from './norm.js';
import type { RopeConfig } from './rotary.js';

/** Sizes, positions and window that every decoder has; names as in `config.json`. */
export interface DecoderStackConfig extends Omit<DecoderShape, 'normEps'>, RopeConfig {
  /** Whether the extra tokens have a table of their own, `new_embedding`; not unless given. */
  readonly extraTable?: boolean | undefined;
  /** Whether the head is the token table. */
  readonly tieWordEmbeddings: boolean;
  /** Keys at this distance or more are not seen. */
  readonly slidingWindow?: number | undefined;
  /** Which layers the window is for; all of them unless given. */
  readonly layerTypes?: readonly LayerType[] | undefined;
}

export type LayerType = 'full_attention' | 'sliding_attention';

/** A Llama-like decoder. */
export interface DecoderConfig extends DecoderStackConfig {
  readonly rmsNormEps: number;
  /** Biases of q, k and v. */
  readonly qkvBias: boolean;
  /** Bias of the output projection. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** A mixture of experts, each as wide as the MLP, in place of the MLP of every nth layer. */
  readonly experts?: (ExpertsConfig & { readonly every: number }) | undefined;
}

/** Self-attention of one layer: `[B, L, D]` to `[B, L, D]`. */
export type SelfAttention = AnyModule & ((x: Value, context: DecoderContext) => Value);

/** The window of a layer, if it has one. */
export const windowOf = (
  { slidingWindow, layerTypes }: DecoderStackConfig,
  index: number,
): number | undefined =>
  layerTypes === undefined || layerTypes[index] === 'sliding_attention' ? slidingWindow : undefined;

/**
 * Causal attention whose queries and keys turn with their positions.
 *
 * @param q `[B, L, N, H]`
 * @param k `[B, L, K, H]`
 * @param v `[B, L, K, H]`
 * @returns heads merged, `[B, L, N * H]`
 */
export function rotaryAttention(
  q: Value,
  k: Value,
  v: Value,
  { cos, sin, interleaved }: DecoderContext,
  window?: number,
): Value {
  const limit = window === undefined ? {} : { window };
  const [turnedQ, turnedK] = [q, k].map((x) => rope(x, cos, sin, { interleaved })) as [Value, Value];
  return mergeHeads(attend(turnedQ, turnedK, v, { mask: 'causal', cache: 'append', ...limit }));
}

/** Causal self-attention with rotary positions and grouped key/value heads. */
export const decoderAttention = (c: DecoderConfig, index: number): SelfAttention =>
  module(
    'Attention',
    {
      q_proj: linear(c.hiddenSize, c.numAttentionHeads * c.headDim, { bias: c.qkvBias }),
      k_proj: linear(c.hiddenSize, c.numKeyValueHeads * c.headDim, { bias: c.qkvBias }),
      v_proj: linear(c.hiddenSize, c.numKeyValueHeads * c.headDim, { bias: c.qkvBias }),
      o_proj: linear(c.numAttentionHeads * c.headDim, c.hiddenSize, { bias: c.outputBias }),
    },
    (m, x: Value, context: DecoderContext) => {
      const q = splitHeads(m.q_proj(x), c.numAttentionHeads);
      const k = splitHeads(m.k_proj(x), c.numKeyValueHeads);
      const v = splitHeads(m.v_proj(x), c.numKeyValueHeads);
      return m.o_proj(rotaryAttention(q, k, v, context, windowOf(c, index)));
    },
  );

/** What a pre-norm layer is made of. */
export interface PreNormParts {
  readonly input_layernorm: Norm;
  readonly self_attn: SelfAttention;
  readonly post_attention_layernorm: Norm;
  readonly mlp: Mlp;
}

/** Pre-norm layer: `h = x + attention(norm(x))`, then `h + mlp(norm(h))`. */
export const preNormLayer = (parts: PreNormParts): DecoderLayer =>
  module('DecoderLayer', { ...parts }, (m, x: Value, context: DecoderContext) => {
    const h = add(x, m.self_attn(m.input_layernorm(x), context));
    return add(h, m.mlp(m.post_attention_layernorm(h)));
  });

/** Layer of Llama, Mistral and Qwen2. */
export const decoderLayer = (c: DecoderConfig, index: number): DecoderLayer =>
  preNormLayer({
    input_layernorm: rmsNorm(c.hiddenSize, c.rmsNormEps),
    self_attn: decoderAttention(c, index),
    post_attention_layernorm: rmsNorm(c.hiddenSize, c.rmsNormEps),
    mlp: c.experts && (index + 1) % c.experts.every === 0 ? expertsMlp(c, c.experts) : gatedMlp(c),
  });
