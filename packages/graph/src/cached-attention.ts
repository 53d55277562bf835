import { addDims, multiplyDims, printShape, sameShape, type Dim } from './dim.js';
import { fail } from './fail.js';
import type { CachedAttentionAttributes, CacheLayout } from './op-table.js';
import {
  add,
  and,
  constant,
  dimSize,
  equal,
  iota,
  less,
  lessOrEqual,
  mostNegative,
  reshape,
  sub,
  transpose,
  where,
} from './ops.js';
import { makeNode, type Value } from './value.js';

/** What {@link cachedAttend} attends with and to. */
export interface CachedAttentionInputs {
  /** Of the new tokens, `[B, L, N, H]`. */
  readonly q: Value;
  /** Of the new tokens, `[B, L, K, H]`. */
  readonly k: Value;
  /** Of the new tokens, `[B, L, K, Hv]`. */
  readonly v: Value;
  /** Of earlier tokens, in the layout of the cache. */
  readonly pastKeys: Value;
  /** Of earlier tokens, in the layout of the cache. */
  readonly pastValues: Value;
  /** int64 `[B, P + L]`: 1 for tokens that count. */
  readonly attentionMask: Value;
  /** Added to the scores; broadcasts to `[B, N, L, P + L]`. */
  readonly bias?: Value | undefined;
}

/**
 * Attention of new tokens to earlier ones, whose keys and values lie in a cache, and to each other. A query whose keys are
 * all blocked gets the mean of all values, see `attend`.
 *
 * @returns `[B, L, N, Hv]`
 * @throws ShapeError if the tensors do not belong together
 */
export function cachedAttend(
  { q, k, v, pastKeys, pastValues, attentionMask, bias }: CachedAttentionInputs,
  attributes: CachedAttentionAttributes,
): Value {
  const { layout } = attributes;
  const [batch, length, heads, size] = q.shape;
  const [, , keyHeads] = k.shape;
  const earlier = layoutOf(pastKeys, layout);
  const fits =
    [q, k, v, pastKeys, pastValues].every((x) => x.rank === 4) &&
    sameShape(k.shape, [batch!, length!, keyHeads!, size!]) &&
    sameShape(v.shape.slice(0, 3), k.shape.slice(0, 3)) &&
    sameShape([earlier.batch, earlier.heads, earlier.size], [batch!, keyHeads!, size!]) &&
    sameShape(pastValues.shape, cacheShape(layout, { ...earlier, size: v.shape[3]! })) &&
    sameShape(attentionMask.shape, [batch!, addDims(earlier.count, length!)]) &&
    Number(heads) % Number(keyHeads) === 0;
  if (!fits)
    fail(
      `cachedAttend takes q [B, L, N, H], k and v [B, L, K, H], a past of the same heads (${layout}) and a mask [B, P + L], but got ${[q, k, v, pastKeys, pastValues, attentionMask].map((x) => printShape(x.shape)).join(', ')}.`,
    );
  const inputs = [q, k, v, pastKeys, pastValues, attentionMask, ...(bias ? [bias] : [])];
  const type = { dtype: q.dtype, shape: [batch!, length!, heads!, v.shape[3]!] };
  return makeNode('CachedAttention', attributes, inputs, [type])[0]!;
}

/**
 * Attention to keys and values that lie in a cache and do not grow, such as those of images. All are seen.
 *
 * @param q `[B, L, N, H]`
 * @param keys in the layout of the cache, as are the values
 * @param bias added to the scores; broadcasts to `[B, N, L, S]`
 * @returns `[B, L, N, Hv]`
 * @throws ShapeError if the tensors do not belong together
 */
export function heldAttend(
  q: Value,
  keys: Value,
  values: Value,
  { scale, layout, bias }: { scale: number; layout: CacheLayout; bias?: Value | undefined },
): Value {
  const [batch, length, heads, size] = q.shape;
  const held = layoutOf(keys, layout);
  const valueSize = layoutOf(values, layout).size;
  if (
    [q, keys, values].some((x) => x.rank !== 4) ||
    !sameShape([held.batch, held.size], [batch!, size!]) ||
    !sameShape(values.shape, cacheShape(layout, { ...held, size: valueSize })) ||
    Number(heads) % Number(held.heads) !== 0
  )
    fail(
      `heldAttend takes q [B, L, N, H], and keys and values of the same heads (${layout}), but got ${[q, keys, values].map((x) => printShape(x.shape)).join(', ')}.`,
    );
  const type = { dtype: q.dtype, shape: [batch!, length!, heads!, valueSize] };
  const inputs = bias ? [q, keys, values, bias] : [q, keys, values];
  return makeNode('HeldAttention', { scale, layout }, inputs, [type])[0]!;
}

/** Sizes of keys or values in a cache. */
export interface CacheSizes {
  /** Tokens. */
  readonly count: Dim;
  readonly batch: Dim;
  readonly heads: Dim;
  readonly size: Dim;
}

/** The shape that keys or values have in a cache. */
export const cacheShape = (layout: CacheLayout, { count, batch, heads, size }: CacheSizes): Dim[] =>
  layout === 'time-major' ? [count, batch, heads, size] : [batch, heads, count, size];

function layoutOf({ shape }: Value, layout: CacheLayout): CacheSizes {
  const [count, batch, heads] = layout === 'time-major' ? [0, 1, 2] : [2, 0, 1];
  return { count: shape[count]!, batch: shape[batch]!, heads: shape[heads]!, size: shape[3]! };
}

/** Keys or values `[B, S, K, H]` in the layout of a cache. */
export const toCache = (value: Value, layout: CacheLayout): Value =>
  transpose(value, layout === 'time-major' ? [1, 0, 2, 3] : [0, 2, 1, 3]);

/** Keys or values of a cache as `[B, S, K, H]`. Both orders of axes are their own inverses. */
export const fromCache = toCache;

/**
 * `[B, 1, L, P + L]`, or `[B, 1, 1, P + L]` where every query sees the same: 0 where one of the last `length` tokens
 * sees a token, else the most negative float32.
 *
 * @param attentionMask int64 `[B, P + L]`: 1 for tokens that count
 */
export function cacheBias(
  attentionMask: Value,
  length: Dim,
  { mask, window }: Pick<CachedAttentionAttributes, 'mask' | 'window'>,
): Value {
  const [batch, total] = attentionMask.shape as readonly [Dim, Dim];
  const past = addDims(total, multiplyDims(-1, length));
  let visible = reshape(equal(attentionMask, 1), [batch, 1, 1, total]);
  const query = add(reshape(iota(length), [1, 1, length, 1]), dimSize(past));
  const keys = reshape(iota(total), [1, 1, 1, total]);
  if (mask === 'causal') visible = and(visible, lessOrEqual(keys, query));
  if (window !== undefined) visible = and(visible, less(sub(query, keys), window));
  return where(visible, constant(0, 'float32'), constant(mostNegative, 'float32'));
}
