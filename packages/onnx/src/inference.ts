import { ConfigError } from '@weft/errors';
import {
  addDims,
  cachedAttend,
  cacheShape,
  concat,
  expand,
  fromCache,
  heldAttend,
  input,
  makeGraph,
  rewrite,
  toCache,
  transpose,
  type CacheLayout,
  type CacheSizes,
  type Dim,
  type Graph,
  type Node,
  type Value,
} from '@weft/graph';

export interface InferenceOptions {
  /** Name of the axis of earlier tokens in the graph that results. */
  readonly past?: string;
  /** The cache's axes, by which a target reads it: its `cacheLayout`; time-major unless given. */
  readonly layout?: CacheLayout;
}

/** Keys, values or biases of one attention layer that a cache must keep. */
export interface CacheSlot {
  readonly past: string;
  readonly present: string;
  readonly heads: number;
  readonly size: number;
}

/** Keys or values of one cross-attention layer, which images determine and text does not. */
export interface HeldSlot {
  /** Input of the text graph and output of the graph of images, `[keys, batch, heads, size]`. */
  readonly name: string;
  readonly heads: number;
  readonly size: number;
}

/** What cross-attention layers need of images: computed once, and given to every step. */
export interface HeldGraph {
  /** From what the keys and values depend on to all of them, under their names. */
  readonly graph: Graph;
  readonly slots: readonly HeldSlot[];
}

export interface InferenceGraph {
  readonly graph: Graph;
  readonly cache: readonly CacheSlot[];
  /** Absent where no layer attends to what does not depend on the text. */
  readonly held: HeldGraph | null;
}

/** Inputs that the text determines; no held key or value may come from them. */
const textInputs = /^(input_ids|position_ids|attention_mask|past_key_values\..*)$/;

/**
 * The graph for generation: every attention whose keys may be appended to gains the keys and values of earlier
 * tokens as inputs `past_key_values.{i}.key|value` `[past, batch, K, H]` and those of the new tokens as outputs
 * `present.{i}.key|value` `[sequence, batch, K, H]`, numbered in graph order. Time is the outer axis, so appending
 * is one contiguous write; a target with a head-major cache has `[batch, K, past, H]` and `[batch, K, sequence, H]`.
 * An input `attention_mask` int64 `[batch, past + sequence]` says which tokens count.
 *
 * A bias that depends on keys alone, as in ALiBi, is appended to the cache like them, as
 * `past_key_values.{i}.bias` `[past, batch, N, 1]`.
 *
 * Attention whose keys are held takes its keys and values as inputs `cross_key_values.{i}.key|value`
 * `[keys, batch, K, H]`, numbered on their own; what computes them becomes the graph `held`. There must be one key at
 * least.
 *
 * The past must hold at least one token: ONNX Runtime's batched product divides by an empty size. Callers keep a
 * masked row at the start, which adds exact zeros.
 *
 * @throws ConfigError if keys that are held depend on the text or are seen in an order, or if the bias of a cached
 * attention depends on pairs of tokens
 */
export function inference(
  graph: Graph,
  { past = 'past', layout = 'time-major' }: InferenceOptions = {},
): InferenceGraph {
  const cache: CacheSlot[] = [];
  const presents: Record<string, Value> = {};
  let layers = 0;
  let attentionMask: Value | undefined;

  const slots: HeldSlot[] = [];
  const computed: Record<string, Value> = {};
  const held = ({ attributes, path }: Node<'Attention'>, [q, k, v, bias]: readonly Value[]): Value => {
    const { mask, scale } = attributes;
    if (mask !== 'none')
      throw new ConfigError({
        message: 'Keys that are held have no order, so nothing can be causal.',
        where: path,
      });
    const index = slots.length / 2;
    const hold = (part: 'key' | 'value', value: Value): Value => {
      const name = `cross_key_values.${index}.${part}`;
      const sizes = sizesOf(value);
      slots.push({ name, heads: sizes.heads, size: sizes.size });
      computed[name] = toCache(value, layout);
      return input(name, { dtype: 'float32', shape: cacheShape(layout, sizes) });
    };
    const [keys, values] = [hold('key', k!), hold('value', v!)];
    return heldAttend(q!, keys, values, { scale, layout, bias });
  };

  const appended = ({ attributes, path }: Node<'Attention'>, [q, k, v, bias]: readonly Value[]): Value => {
    const { mask, scale, window } = attributes;
    const [batch, length] = q!.shape as [Dim, Dim];
    const index = layers++;
    const slot = (part: 'key' | 'value' | 'bias', value: Value): Value => {
      const names = { past: `past_key_values.${index}.${part}`, present: `present.${index}.${part}` };
      const { heads, size } = sizesOf(value);
      cache.push({ ...names, heads, size });
      presents[names.present] = toCache(value, layout);
      const shape = cacheShape(layout, { count: past, batch, heads, size });
      return input(names.past, { dtype: 'float32', shape });
    };
    const [pastKeys, pastValues] = [slot('key', k!), slot('value', v!)];
    const extended =
      bias && overPast(bias, [batch, length], path, (own) => fromCache(slot('bias', own), layout));
    attentionMask ??= input('attention_mask', { dtype: 'int64', shape: [batch, addDims(past, length)] });
    return cachedAttend(
      { q: q!, k: k!, v: v!, pastKeys, pastValues, attentionMask, bias: extended },
      { mask, scale, layout, ...(window === undefined ? {} : { window }) },
    );
  };

  const rewritten = rewrite(graph, {
    Attention: (node, inputs) => {
      const { cache: kind } = node.attributes;
      if (kind === 'none') return undefined;
      return [(kind === 'hold' ? held : appended)(node, inputs)];
    },
  });
  return {
    graph: makeGraph({ ...rewritten.outputs, ...presents }),
    cache,
    held: slots.length === 0 ? null : { graph: heldGraph(computed), slots },
  };
}

/** Sizes of keys or values `[B, S, K, H]`. */
function sizesOf({ shape }: Value): CacheSizes & { readonly heads: number; readonly size: number } {
  const [batch, count, heads, size] = shape as [Dim, Dim, number, number];
  return { batch, count, heads, size };
}

/**
 * A bias over new keys as one over earlier and new ones.
 *
 * @param bias broadcasts to `[B, N, L, L]`
 * @param earlier that of earlier keys `[B, P, N, 1]`, given that of the new ones `[B, L, N, 1]`
 */
function overPast(
  bias: Value,
  [batch, length]: readonly [Dim, Dim],
  where: string,
  earlier: (own: Value) => Value,
): Value {
  const [, heads, queries, keys] = [
    ...Array.from({ length: 4 - bias.rank }, () => 1),
    ...bias.shape,
  ] as Dim[];
  if (keys === 1) return bias;
  if (queries !== 1 || keys !== length)
    throw new ConfigError({
      message: `The bias [${bias.shape.join(', ')}] of a cached attention depends on pairs of tokens, so that it cannot be kept with the keys.`,
      where,
      hint: "Write it as a bias of keys [B, N, 1, L]: what all keys of a query have in common does not matter, so ALiBi's slope * (key - query) is slope * key.",
    });
  const own = transpose(expand(bias, [batch, heads!, 1, length]), [0, 3, 1, 2]);
  const byKey = [0, 2, 3, 1];
  return concat([transpose(earlier(own), byKey), transpose(own, byKey)], 3);
}

function heldGraph(computed: Readonly<Record<string, Value>>): Graph {
  const graph = makeGraph(computed);
  const wrong = [...graph.inputs.keys()].find((name) => textInputs.test(name));
  if (wrong !== undefined)
    throw new ConfigError({
      message: `Keys that are held depend on the text, by its input '${wrong}'.`,
      hint: "Say cache: 'hold' only of keys and values that come from images alone.",
    });
  return graph;
}
