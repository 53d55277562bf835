import { ConfigError } from '@weft/errors';
import {
  add,
  and,
  attend,
  cast,
  concat,
  constant,
  dimsOf,
  equal,
  expand,
  gather,
  less,
  module,
  mostNegative,
  mul,
  multiplyDims,
  or,
  Parameter,
  reduceMax,
  reshape,
  tanh,
  where,
  type AnyModule,
  type Value,
} from '@weft/graph';
import type {
  AttachedBackbone,
  Backbone,
  DecoderContext,
  DecoderLayer,
  SeenTiles,
  VisionContext,
} from '@weft/spec';
import { mergeHeads, splitHeads } from './heads.js';
import { linear } from './linear.js';
import { gatedMlp, type MlpConfig } from './mlp.js';
import { rmsNorm } from './norm.js';

/** A gated cross-attention layer. */
export interface CrossAttentionConfig extends MlpConfig {
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly eps: number;
  /**
   * What is kept from a token that sees no image: `attention-and-mlp`, so that the layer leaves it as it is (Meta's
   * code), or the `mlp` only, while its attention goes to all images (transformers).
   */
  readonly unseen: 'attention-and-mlp' | 'mlp';
}

/** Arranges tiles by row, and turns who sees them into what is added to the scores. */
export function visionContext({ embeds, tiles, mask, tags }: SeenTiles): VisionContext {
  const [batch, length, count] = dimsOf(mask, 3);
  const chosen = gather(embeds, tiles);
  const units = tags ? concat([tags, chosen], 2) : chosen;
  const [, , rows, size] = dimsOf(units, 4);
  const keys = multiplyDims(count, rows);

  const seen = equal(mask, 1);
  const sees = reduceMax(cast(seen, 'float32'), [2], true);
  const open = or(seen, and(less(sees, 0.5), less(-1, mask)));
  const bias = where(open, constant(0, 'float32'), constant(mostNegative, 'float32'));
  const byKey = expand(reshape(bias, [batch, length, count, 1]), [batch, length, count, rows]);
  return {
    states: reshape(units, [batch, keys, size]),
    bias: reshape(byKey, [batch, 1, length, keys]),
    sees,
  };
}

/** Attention from text to images, its queries and keys normed per head: `[B, L, D]` to `[B, L, D]`. */
const crossAttention = (
  c: CrossAttentionConfig,
): AnyModule & ((x: Value, vision: VisionContext) => Value) => {
  const project = (heads: number) => linear(c.hiddenSize, heads * c.headDim, { bias: false });
  return module(
    'CrossAttention',
    {
      q_proj: project(c.numAttentionHeads),
      k_proj: project(c.numKeyValueHeads),
      v_proj: project(c.numKeyValueHeads),
      o_proj: linear(c.numAttentionHeads * c.headDim, c.hiddenSize, { bias: false }),
      q_norm: rmsNorm(c.headDim, c.eps),
      k_norm: rmsNorm(c.headDim, c.eps),
    },
    (m, x: Value, { states, bias }: VisionContext) => {
      const q = m.q_norm(splitHeads(m.q_proj(x), c.numAttentionHeads));
      const k = m.k_norm(splitHeads(m.k_proj(states), c.numKeyValueHeads));
      const v = splitHeads(m.v_proj(states), c.numKeyValueHeads);
      return m.o_proj(mergeHeads(attend(q, k, v, { cache: 'hold', bias })));
    },
  );
};

const gate = (): Parameter => new Parameter([1], { kind: 'zeros' });

/**
 * Gated cross-attention layer of Llama 3.2 Vision: `h = x + tanh(g) attention(norm(x), images)`, then
 * `h + tanh(g') mlp(norm(h))`. Both gates begin at 0, where the layer does nothing. Without images it is skipped.
 */
export const crossAttentionLayer = (c: CrossAttentionConfig): DecoderLayer =>
  module(
    'CrossAttentionLayer',
    {
      input_layernorm: rmsNorm(c.hiddenSize, c.eps),
      cross_attn: crossAttention(c),
      cross_attn_attn_gate: gate(),
      post_attention_layernorm: rmsNorm(c.hiddenSize, c.eps),
      mlp: gatedMlp(c),
      cross_attn_mlp_gate: gate(),
    },
    (m, x: Value, { vision }: DecoderContext) => {
      if (!vision) return x;
      const attention = m.cross_attn(m.input_layernorm(x), vision);
      const seen = c.unseen === 'mlp' ? attention : mul(attention, vision.sees);
      const h = add(x, mul(seen, tanh(m.cross_attn_attn_gate)));
      return add(h, mul(mul(m.mlp(m.post_attention_layernorm(h)), vision.sees), tanh(m.cross_attn_mlp_gate)));
    },
  );

/** What is kept from a token that sees no image, unless the options say so. */
export const usualUnseen = 'attention-and-mlp';

/** Which cross-attention layers a backbone gains, and where; as data. */
export interface CrossAttentionOptions extends Partial<CrossAttentionConfig> {
  /** Before which of the backbone's layers they stand; its number of layers means after the last. Give this or `every`. */
  readonly at?: readonly number[] | undefined;
  /** Before every nth layer: 4 means layers 3, 7, 11 and so on. */
  readonly every?: number | undefined;
  /**
   * Where their parameters are: `separate`, `cross_attn_layers.{i}` before layer `i`, so that the backbone's keep their
   * names; or `merged`, in one list with the backbone's layers, as in the checkpoints of Llama 3.2 Vision. Default
   * `separate`.
   */
  readonly naming?: 'separate' | 'merged' | undefined;
}

/**
 * A backbone with cross-attention layers. Their sizes are those of its own layers unless given.
 *
 * @param who name of the fusion, for messages
 * @throws ConfigError if the places are not layers of the backbone in ascending order
 */
export function withCrossAttention(
  backbone: Backbone,
  { at, every, naming = 'separate', ...sizes }: CrossAttentionOptions,
  who: string,
): AttachedBackbone {
  const { layers, shape } = backbone;
  const places = at ?? layers.flatMap((_, i) => ((i + 1) % (every ?? Infinity) === 0 ? [i] : []));
  const isOrdered = places.every(
    (place, i) => Number.isInteger(place) && place > (places[i - 1] ?? -1) && place <= layers.length,
  );
  if ((at === undefined) === (every === undefined) || places.length === 0 || !isOrdered)
    throw new ConfigError({
      message: `Cross-attention layers cannot stand ${at ? `at [${at.join(', ')}]` : `before every ${every ?? '?'} layers`}: the backbone has ${layers.length}.`,
      where: who,
      hint: 'Give { at } with ascending numbers of layers, or { every }.',
    });
  const { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim, hiddenAct } = shape;
  const c: CrossAttentionConfig = {
    hiddenSize,
    intermediateSize,
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    hiddenAct,
    eps: shape.normEps,
    unseen: usualUnseen,
    ...sizes,
  };
  const stack: DecoderLayer[] = [];
  const paths: string[] = [];
  const added: number[] = [];
  for (let i = 0; i <= layers.length; i++) {
    if (places.includes(i)) {
      added.push(stack.length);
      stack.push(crossAttentionLayer(c));
      paths.push(`cross_attn_layers.${i}`);
    }
    if (i < layers.length) {
      stack.push(layers[i]!);
      paths.push(`layers.${i}`);
    }
  }
  return {
    backbone: naming === 'merged' ? backbone.withLayers(stack) : backbone.withLayers(stack, paths),
    added,
  };
}
