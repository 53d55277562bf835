import { ConfigError } from '@weft/errors';
import {
  addDims,
  and,
  concat,
  constant,
  add,
  dimSize,
  equal,
  input,
  iota,
  less,
  lessOrEqual,
  mostNegative,
  makeGraph,
  matmul,
  multiplyDims,
  onnx,
  reshape,
  rewrite,
  slice,
  softmax,
  sub,
  transpose,
  where,
  type AttentionAttributes,
  type Dim,
  type Graph,
  type Node,
  type Value,
} from '@weft/graph';

export interface InferenceOptions {
  /** Name of the axis of earlier tokens in the graph that results. */
  readonly past?: string;
}

/** Keys or values of one attention layer that a cache must keep. */
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
 * is one contiguous write. An input `attention_mask` int64 `[batch, past + sequence]` says which tokens count.
 *
 * Attention whose keys are held takes its keys and values as inputs `cross_key_values.{i}.key|value`
 * `[keys, batch, K, H]`, numbered on their own; what computes them becomes the graph `held`. There must be one key at
 * least.
 *
 * The past must hold at least one token: ONNX Runtime's batched product divides by an empty size. Callers keep a
 * masked row at the start, which adds exact zeros.
 *
 * @throws ConfigError if keys that are held depend on the text
 */
export function inference(graph: Graph, { past = 'past' }: InferenceOptions = {}): InferenceGraph {
  const cache: CacheSlot[] = [];
  const presents: Record<string, Value> = {};
  const masks = new Map<string, Value>();
  let attentionMask: Value | undefined;

  const visibility = (batch: Dim, length: Dim, causal: boolean, window: number | undefined): Value => {
    const key = `${causal} ${window}`;
    const known = masks.get(key);
    if (known) return known;
    const total = addDims(past, length);
    attentionMask ??= input('attention_mask', { dtype: 'int64', shape: [batch, total] });
    let visible = reshape(equal(attentionMask, 1), [batch, 1, 1, total]);
    const query = add(reshape(iota(length), [1, 1, length, 1]), dimSize(past));
    const keys = reshape(iota(total), [1, 1, 1, total]);
    if (causal) visible = and(visible, lessOrEqual(keys, query));
    if (window !== undefined) visible = and(visible, less(sub(query, keys), window));
    const bias = where(visible, constant(0, 'float32'), constant(mostNegative, 'float32'));
    masks.set(key, bias);
    return bias;
  };

  const slots: HeldSlot[] = [];
  const computed: Record<string, Value> = {};
  const held = (node: Node<'Attention'>, [q, k, v, bias]: readonly Value[]): readonly Value[] => {
    const index = slots.length / 2;
    const hold = (part: 'key' | 'value', value: Value): Value => {
      const [batch, keys, heads, size] = value.shape as [Dim, Dim, number, number];
      const name = `cross_key_values.${index}.${part}`;
      slots.push({ name, heads, size });
      computed[name] = transpose(value, [1, 0, 2, 3]);
      return input(name, { dtype: 'float32', shape: [keys, batch, heads, size] });
    };
    const [keys, values] = [hold('key', k!), hold('value', v!)];
    return overHeld(q!, keys, values, node.attributes, bias);
  };

  const cached = (node: Node<'Attention'>, inputs: readonly Value[]): readonly Value[] | undefined => {
    const { cache: kind, mask, scale, window } = node.attributes;
    if (kind === 'hold') return held(node, inputs);
    if (kind !== 'append') return undefined;
    const [q, k, v, bias] = inputs;
    const [batch, length, heads, size] = q!.shape;
    const [keyHeads, valueSize] = [k!.shape[2]!, v!.shape[3]!];
    const group = Number(heads) / Number(keyHeads);
    const total = addDims(past, length!);
    const index = cache.length / 2;

    const slot = (name: 'key' | 'value', value: Value): Value => {
      const names = { past: `past_key_values.${index}.${name}`, present: `present.${index}.${name}` };
      cache.push({ ...names, heads: Number(keyHeads), size: Number(value.shape[3]) });
      presents[names.present] = transpose(value, [1, 0, 2, 3]);
      return input(names.past, { dtype: 'float32', shape: [past, batch!, keyHeads, value.shape[3]!] });
    };
    const [pastKeys, pastValues] = [slot('key', k!), slot('value', v!)];
    const stacked = [batch!, keyHeads, multiplyDims(group, length!)];
    const split = [batch!, keyHeads, group, length!];
    const perHead = [0, 2, 1, 3];
    const queries = reshape(
      transpose(reshape(q!, [batch!, length!, keyHeads, group, size!]), [0, 2, 3, 1, 4]),
      [...stacked, size!],
    );
    const pastScores = overPast(queries, pastKeys, [...stacked, past], {
      transB: 1,
      alpha: { float: scale },
    });
    const newScores = matmul(queries, transpose(k!, perHead), { transposeB: true, alpha: scale });
    let scores = reshape(concat([pastScores, newScores], 3), [...split, total]);
    scores = add(
      scores,
      reshape(visibility(batch!, length!, mask === 'causal', window), [batch!, 1, 1, length!, total]),
    );
    if (bias) scores = add(scores, bias);
    const weights = reshape(softmax(scores), [...stacked, total]);
    const context = add(
      overPast(slice(weights, 3, 0, past), pastValues, [...stacked, valueSize], {}),
      matmul(slice(weights, 3, past, total), transpose(v!, perHead)),
    );
    const byToken = transpose(reshape(context, [...split, valueSize]), [0, 3, 1, 2, 4]);
    return [reshape(byToken, [batch!, length!, heads!, valueSize])];
  };

  const rewritten = rewrite(graph, { Attention: cached });
  return {
    graph: makeGraph({ ...rewritten.outputs, ...presents }),
    cache,
    held: slots.length === 0 ? null : { graph: heldGraph(computed), slots },
  };
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

/**
 * Attention over all of the held keys.
 *
 * @param q `[B, L, N, H]`
 * @param keys `[S, B, K, H]`
 * @param values `[S, B, K, Hv]`
 * @param bias broadcasts to `[B, N, L, S]`
 */
function overHeld(
  q: Value,
  keys: Value,
  values: Value,
  { scale }: AttentionAttributes,
  bias?: Value,
): readonly Value[] {
  const [batch, length, heads, size] = q.shape as [Dim, Dim, number, number];
  const [count, , keyHeads] = keys.shape as [Dim, Dim, number];
  const valueSize = values.shape[3]!;
  const group = heads / keyHeads;
  const stacked = [batch, keyHeads, multiplyDims(group, length)];
  const queries = reshape(transpose(reshape(q, [batch, length, keyHeads, group, size]), [0, 2, 3, 1, 4]), [
    ...stacked,
    size,
  ]);
  let scores = overPast(queries, keys, [...stacked, count], { transB: 1, alpha: { float: scale } });
  if (bias) {
    const [rows, biasHeads, ...rest] = [
      ...Array.from({ length: 4 - bias.rank }, () => 1),
      ...bias.shape,
    ] as Dim[];
    const split = reshape(bias, [
      rows!,
      biasHeads === 1 ? 1 : keyHeads,
      biasHeads === 1 ? 1 : group,
      ...rest,
    ]);
    scores = reshape(add(reshape(scores, [batch, keyHeads, group, length, count]), split), [
      ...stacked,
      count,
    ]);
  }
  const context = reshape(overPast(softmax(scores), values, [...stacked, valueSize], {}), [
    batch,
    keyHeads,
    group,
    length,
    valueSize,
  ]);
  return [reshape(transpose(context, [0, 3, 1, 2, 4]), [batch, length, heads, valueSize])];
}

/** Product with a cache `[past, batch, K, H]`, read as `[batch, K, past, H]` without a copy. */
const overPast = (
  a: Value,
  cache: Value,
  shape: readonly Dim[],
  attributes: Record<string, number | { float: number }>,
): Value =>
  onnx(
    'FusedMatMul',
    [a, cache],
    [{ dtype: 'float32', shape }],
    { ...attributes, transBatchB: 1 },
    'com.microsoft',
  )[0]!;
