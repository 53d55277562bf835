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

export interface InferenceGraph {
  readonly graph: Graph;
  readonly cache: readonly CacheSlot[];
}

/** The most negative finite float32: a fully masked row stays finite, as in the reference implementations. */
const blocked = -3.4028234663852886e38;

/**
 * The graph for generation: every attention whose keys may be appended to gains the keys and values of earlier
 * tokens as inputs `past_key_values.{i}.key|value` `[past, batch, K, H]` and those of the new tokens as outputs
 * `present.{i}.key|value` `[sequence, batch, K, H]`, numbered in graph order. Time is the outer axis, so appending
 * is one contiguous write. An input `attention_mask` int64 `[batch, past + sequence]` says which tokens count.
 *
 * The past must hold at least one token: ONNX Runtime's batched product divides by an empty size. Callers keep a
 * masked row at the start, which adds exact zeros.
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
    const bias = where(visible, constant(0, 'float32'), constant(blocked, 'float32'));
    masks.set(key, bias);
    return bias;
  };

  const cached = (node: Node<'Attention'>, [q, k, v, bias]: readonly Value[]): readonly Value[] | undefined => {
    const { cache: kind, mask, scale, window } = node.attributes;
    if (kind !== 'append') return undefined;
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
    const pastScores = overPast(queries, pastKeys, [...stacked, past], { transB: 1, alpha: { float: scale } });
    const newScores = matmul(queries, transpose(k!, perHead), { transposeB: true, alpha: scale });
    let scores = reshape(concat([pastScores, newScores], 3), [...split, total]);
    scores = add(scores, reshape(visibility(batch!, length!, mask === 'causal', window), [batch!, 1, 1, length!, total]));
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
  return { graph: makeGraph({ ...rewritten.outputs, ...presents }), cache };
}

/** Product with a cache `[past, batch, K, H]`, read as `[batch, K, past, H]` without a copy. */
const overPast = (a: Value, cache: Value, shape: readonly Dim[], attributes: Record<string, number | { float: number }>): Value =>
  onnx('FusedMatMul', [a, cache], [{ dtype: 'float32', shape }], { ...attributes, transBatchB: 1 }, 'com.microsoft')[0]!;
