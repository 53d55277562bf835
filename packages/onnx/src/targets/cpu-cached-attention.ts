import {
  add,
  cacheBias,
  concat,
  joinBlocks,
  matmul,
  multiplyDims,
  onnx,
  reshape,
  slice,
  softmax,
  splitHeads,
  transpose,
  withBlocks,
  type CacheLayout,
  type CachedAttentionAttributes,
  type Dim,
  type Node,
  type Value,
} from '@weft/graph';
import type { Expansions } from '../target.js';
import { microsoft } from './fused.js';

/** `[B, L, N, H]` to `[B, L, K, H]` and so on. */
type Sizes = readonly [batch: Dim, length: Dim, heads: number, size: Dim];

const perHead = [0, 2, 1, 3];

/**
 * Attention to a cache by plain products. The past is read where it lies and never joined with the new keys, which
 * would copy it in every step; query heads of one key head are stacked along the length, so keys are never repeated.
 */
export function cpuCachedAttention(): Expansions {
  const biases = new Map<Value, Map<string, Value>>();
  /** Layers of one graph see alike, so that the bias is computed once. */
  const sharedBias = (attentionMask: Value, length: Dim, attributes: CachedAttentionAttributes): Value => {
    const known = biases.get(attentionMask) ?? new Map<string, Value>();
    biases.set(attentionMask, known);
    const key = `${length} ${attributes.mask} ${attributes.window}`;
    const bias = known.get(key) ?? cacheBias(attentionMask, length, attributes);
    known.set(key, bias);
    return bias;
  };
  const withoutInfinity = new Map<Value, Value>();
  const blocks = (bias: Value): Value => {
    const known = withoutInfinity.get(bias) ?? withBlocks(bias);
    withoutInfinity.set(bias, known);
    return known;
  };
  return {
    CachedAttention: (node, inputs) => cachedAttention(node, inputs, sharedBias),
    HeldAttention: (node, inputs) => heldAttention(node, inputs, blocks),
  };
}

function cachedAttention(
  { attributes }: Node<'CachedAttention'>,
  [q, k, v, pastKeys, pastValues, attentionMask, bias]: readonly Value[],
  sharedBias: (attentionMask: Value, length: Dim, attributes: CachedAttentionAttributes) => Value,
): readonly Value[] {
  const { scale, layout } = attributes;
  const [batch, length, heads] = q!.shape as Sizes;
  const [keyHeads, valueSize] = [Number(k!.shape[2]), v!.shape[3]!];
  const group = heads / keyHeads;
  const past = pastKeys!.shape[layout === 'time-major' ? 0 : 2]!;
  const total = attentionMask!.shape[1]!;
  const stacked = [batch, keyHeads, multiplyDims(group, length)];
  const split = [batch, keyHeads, group, length];
  const queries = stackHeads(q!, keyHeads);
  const pastScores = overCache(queries, pastKeys!, [...stacked, past], layout, { transposeB: true, scale });
  const newScores = matmul(queries, transpose(k!, perHead), { transposeB: true, alpha: scale });
  let scores = reshape(concat([pastScores, newScores], 3), [...split, total]);
  const seen = sharedBias(attentionMask!, length, attributes);
  const visible = reshape(seen, [batch, 1, 1, seen.shape[2]!, total]);
  scores = add(scores, bias ? joinBlocks(visible, splitHeads(bias, keyHeads, group)) : visible);
  const weights = reshape(softmax(scores), [...stacked, total]);
  const context = add(
    overCache(slice(weights, 3, 0, past), pastValues!, [...stacked, valueSize], layout),
    matmul(slice(weights, 3, past, total), transpose(v!, perHead)),
  );
  return [unstackHeads(context, q!, valueSize)];
}

function heldAttention(
  { attributes: { scale, layout } }: Node<'HeldAttention'>,
  [q, keys, values, bias]: readonly Value[],
  blocks: (bias: Value) => Value,
): readonly Value[] {
  const [batch, length, heads] = q!.shape as Sizes;
  const [countAxis, headAxis] = layout === 'time-major' ? [0, 2] : [2, 1];
  const [count, keyHeads] = [keys!.shape[countAxis]!, Number(keys!.shape[headAxis])];
  const valueSize = values!.shape[3]!;
  const group = heads / keyHeads;
  const stacked = [batch, keyHeads, multiplyDims(group, length)];
  const queries = stackHeads(q!, keyHeads);
  let scores = overCache(queries, keys!, [...stacked, count], layout, { transposeB: true, scale });
  if (bias) {
    const split = reshape(scores, [batch, keyHeads, group, length, count]);
    scores = reshape(add(split, splitHeads(blocks(bias), keyHeads, group)), [...stacked, count]);
  }
  const context = overCache(softmax(scores), values!, [...stacked, valueSize], layout);
  return [unstackHeads(context, q!, valueSize)];
}

/** Queries `[B, L, N, H]` as `[B, K, N / K * L, H]`. */
function stackHeads(q: Value, keyHeads: number): Value {
  const [batch, length, heads, size] = q.shape as Sizes;
  const group = heads / keyHeads;
  const apart = reshape(q, [batch, length, keyHeads, group, size]);
  return reshape(transpose(apart, [0, 2, 3, 1, 4]), [batch, keyHeads, multiplyDims(group, length), size]);
}

/** Results `[B, K, N / K * L, Hv]` as `[B, L, N, Hv]`, for the queries that they are of. */
function unstackHeads(context: Value, q: Value, valueSize: Dim): Value {
  const [batch, length, heads] = q.shape as Sizes;
  const keyHeads = Number(context.shape[1]);
  const apart = reshape(context, [batch, keyHeads, heads / keyHeads, length, valueSize]);
  return reshape(transpose(apart, [0, 3, 1, 2, 4]), [batch, length, heads, valueSize]);
}

/** Product with keys or values of a cache, without a copy of them: time-major ones are read as `[B, K, S, H]`. */
function overCache(
  a: Value,
  cache: Value,
  shape: readonly Dim[],
  layout: CacheLayout,
  { transposeB = false, scale }: { transposeB?: boolean; scale?: number } = {},
): Value {
  if (layout === 'head-major') return matmul(a, cache, { transposeB, alpha: scale ?? 1 });
  const flags = {
    ...(transposeB ? { transB: 1 } : {}),
    ...(scale === undefined ? {} : { alpha: { float: scale } }),
    transBatchB: 1,
  };
  return onnx('FusedMatMul', [a, cache], [{ dtype: 'float32', shape }], flags, microsoft)[0]!;
}
