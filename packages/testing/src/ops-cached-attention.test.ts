import * as g from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { checkOp, type OpCheck } from './check-op.js';
import { assertClose } from './compare.js';
import { interpret } from './interpret.js';
import { randomTensor } from './random.js';
import type { TensorLike } from './tensor.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });

/** Attention of 3 new tokens of two rows to 4 earlier ones, of which one row has only 2. */
const cached = (
  layout: g.CacheLayout,
  {
    heads = 4,
    keyHeads = 2,
    valueSize = 5,
    bias,
    ...options
  }: Partial<g.CachedAttentionAttributes> & {
    heads?: number;
    keyHeads?: number;
    valueSize?: number;
    bias?: readonly g.Dim[];
  } = {},
): OpCheck => {
  const past = (size: number) =>
    f32(...g.cacheShape(layout, { count: 'past', batch: 'batch', heads: keyHeads, size }));
  return {
    inputs: {
      q: f32('batch', 'length', heads, 6),
      k: f32('batch', 'length', keyHeads, 6),
      v: f32('batch', 'length', keyHeads, valueSize),
      pastKeys: past(6),
      pastValues: past(valueSize),
      attentionMask: { dtype: 'int64', shape: ['batch', g.addDims('past', 'length')] },
      ...(bias ? { bias: f32(...bias) } : {}),
    },
    sizes: { batch: 2, length: 3, past: 4 },
    feeds: {
      attentionMask: { shape: [2, 7], data: [0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1] },
      ...(bias
        ? {
            bias: randomTensor(
              bias.map((dim) => (typeof dim === 'number' ? dim : dim === 'batch' ? 2 : 7)),
              9,
            ),
          }
        : {}),
    },
    entries: 6,
    build: ({ q, k, v, pastKeys, pastValues, attentionMask, bias: added }) =>
      g.cachedAttend(
        {
          q: q!,
          k: k!,
          v: v!,
          pastKeys: pastKeys!,
          pastValues: pastValues!,
          attentionMask: attentionMask!,
          bias: added,
        },
        { mask: 'causal', scale: 0.4, layout, ...options },
      ),
  };
};

describe.each(['time-major', 'head-major'] as const)('cachedAttend (%s)', (layout) => {
  it('sees what counts of earlier tokens, and new ones up to its own', async () => {
    await checkOp(cached(layout));
    await checkOp(cached(layout, { keyHeads: 4, valueSize: 6 }));
  });

  it('sees all new tokens without a mask', async () => {
    await checkOp(cached(layout, { mask: 'none' }));
  });

  it('hides keys beyond a window', async () => {
    await checkOp(cached(layout, { window: 2 }));
  });

  it.each([
    ['keys', [1, 1, 1, 'total']],
    ['heads and keys', [1, 4, 1, 'total']],
    ['rows, heads and keys', ['batch', 4, 1, 'total']],
  ] as const)('adds a bias of %s', async (_name, shape) => {
    const total = g.addDims('past', 'length');
    await checkOp(cached(layout, { bias: shape.map((dim) => (dim === 'total' ? total : dim)) }));
  });

  it('is attention to the earlier and the new keys in one line', () => {
    const past = { count: 'past', batch: 'batch', heads: 2, size: 6 };
    const [q, k, v] = [
      f32('batch', 'length', 4, 6),
      f32('batch', 'length', 2, 6),
      f32('batch', 'length', 2, 6),
    ].map((type, i) => g.input('qkv'[i]!, type));
    const [pastKeys, pastValues] = ['pastKeys', 'pastValues'].map((name) =>
      g.input(name, f32(...g.cacheShape(layout, past))),
    );
    const attentionMask = g.input('attentionMask', {
      dtype: 'int64',
      shape: ['batch', g.addDims('past', 'length')],
    });
    const [keys, values] = [
      g.concat([g.fromCache(pastKeys!, layout), k!], 1),
      g.concat([g.fromCache(pastValues!, layout), v!], 1),
    ];
    const facts = { mask: 'causal', scale: 0.4, window: 3 } as const;
    const inputs = { q: q!, k: k!, v: v!, pastKeys: pastKeys!, pastValues: pastValues!, attentionMask };
    const graph = g.makeGraph({
      cached: g.cachedAttend(inputs, { ...facts, layout }),
      whole: g.attend(q!, keys, values, facts),
    });
    const feeds: Record<string, TensorLike> = {
      attentionMask: { shape: [2, 7], data: Array.from({ length: 14 }, () => 1) },
    };
    for (const [i, [name, { shape }]] of [...graph.inputs].entries())
      feeds[name] ??= randomTensor(
        shape.map((dim) => (typeof dim === 'number' ? dim : { batch: 2, length: 3, past: 4 }[dim]!)),
        30 + i,
      );
    const { cached: one, whole } = interpret(graph, feeds);
    assertClose(one!, whole!, { tolerance: 1e-12, what: 'cached attention' });
  });

  it('refuses a past of other heads, another layout and a mask of another length', () => {
    const [q, k] = [g.input('q', f32(1, 3, 4, 6)), g.input('k', f32(1, 3, 2, 6))];
    const past = (heads: number) =>
      g.input('past', f32(...g.cacheShape(layout, { count: 5, batch: 1, heads, size: 6 })));
    const mask = (length: number) => g.input('mask', { dtype: 'int64', shape: [1, length] });
    const call =
      (heads: number, length: number, other = layout) =>
      () =>
        g.cachedAttend(
          { q, k, v: k, pastKeys: past(heads), pastValues: past(heads), attentionMask: mask(length) },
          { mask: 'causal', scale: 1, layout: other },
        );
    expect(call(2, 8)).not.toThrow();
    for (const wrong of [
      call(3, 8),
      call(2, 7),
      call(2, 8, layout === 'time-major' ? 'head-major' : 'time-major'),
    ])
      expect(wrong).toThrow(/cachedAttend takes q \[B, L, N, H\]/);
  });
});

describe.each(['time-major', 'head-major'] as const)('heldAttend (%s)', (layout) => {
  const held = (bias?: readonly g.Dim[]): OpCheck => {
    const past = (size: number) =>
      f32(...g.cacheShape(layout, { count: 'keys', batch: 'batch', heads: 2, size }));
    return {
      inputs: {
        q: f32('batch', 'length', 4, 6),
        keys: past(6),
        values: past(5),
        ...(bias ? { bias: f32(...bias) } : {}),
      },
      sizes: { batch: 2, length: 3, keys: 4 },
      entries: 6,
      build: ({ q, keys, values, bias: added }) =>
        g.heldAttend(q!, keys!, values!, { scale: 0.4, layout, bias: added }),
    };
  };

  it('sees all keys', async () => {
    await checkOp(held());
  });

  it.each([
    ['rows and keys', ['batch', 1, 'length', 'keys']],
    ['heads', [1, 4, 1, 'keys']],
    ['keys', ['keys']],
  ] as const)('adds a bias of %s', async (_name, shape) => {
    await checkOp(held(shape));
  });

  it('refuses keys of another width', () => {
    const q = g.input('q', f32(1, 3, 4, 6));
    const keys = g.input('keys', f32(...g.cacheShape(layout, { count: 5, batch: 1, heads: 2, size: 7 })));
    expect(() => g.heldAttend(q, keys, keys, { scale: 1, layout })).toThrow(
      /heldAttend takes q \[B, L, N, H\]/,
    );
  });
});
