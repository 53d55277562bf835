import * as g from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { checkOp, type OpCheck } from './check-op.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });

/** Attention of `length` queries over `keys` keys; symbolic sizes everywhere they may be. */
const attention = (
  [length, keys]: readonly [number, number],
  {
    heads = 4,
    keyHeads = 4,
    size = 6,
    valueSize = 6,
    bias,
  }: { heads?: number; keyHeads?: number; size?: number; valueSize?: number; bias?: readonly g.Dim[] } = {},
  options: Partial<g.AttentionAttributes> = {},
): OpCheck => ({
  inputs: {
    q: f32('batch', 'length', heads, size),
    k: f32('batch', length === keys ? 'length' : 'keys', keyHeads, size),
    v: f32('batch', length === keys ? 'length' : 'keys', keyHeads, valueSize),
    ...(bias ? { bias: f32(...bias) } : {}),
  },
  sizes: { batch: 2, length, keys },
  entries: 6,
  build: ({ q, k, v, bias }) => g.attend(q!, k!, v!, { ...options, bias }),
});

describe('attend', () => {
  it('lets every query see every key', async () => {
    await checkOp(attention([3, 3]));
    await checkOp(attention([3, 5]));
    await checkOp(attention([1, 5]));
  });

  it('shares key heads among groups of query heads', async () => {
    await checkOp(attention([5, 5], { heads: 6, keyHeads: 2 }));
    await checkOp(attention([5, 5], { heads: 3, keyHeads: 1 }, { mask: 'causal' }));
  });

  it('takes values of another width than keys', async () => {
    await checkOp(attention([3, 5], { valueSize: 5 }));
    await checkOp(attention([5, 5], { heads: 4, keyHeads: 2, valueSize: 3 }, { mask: 'causal' }));
  });

  it('hides later keys, the last query sees the last key', async () => {
    await checkOp(attention([5, 5], {}, { mask: 'causal' }));
    await checkOp(attention([3, 5], {}, { mask: 'causal' }));
    await checkOp(attention([5, 5], {}, { mask: 'causal', scale: 0.3 }));
  });

  it('hides keys beyond a window', async () => {
    await checkOp(attention([7, 7], {}, { mask: 'causal', window: 3 }));
    await checkOp(
      attention([7, 7], { heads: 4, keyHeads: 2 }, { mask: 'causal', window: 2, cache: 'append' }),
    );
    await checkOp(attention([3, 5], {}, { mask: 'causal', window: 2 }));
  });

  it('takes the mean of all values where every key is hidden', async () => {
    const check = attention([5, 3], { heads: 1, keyHeads: 1, valueSize: 1 }, { mask: 'causal' });
    const y = await checkOp({
      ...check,
      sizes: { batch: 1, length: 5, keys: 3 },
      // Rounding swallows the scores of hidden keys, so that nothing moves with them.
      frozen: ['q', 'k'],
      feeds: { v: { shape: [1, 3, 1, 1], data: [1, 2, 6] } },
    });
    expect([...y.data.subarray(0, 3)]).toEqual([3, 3, 1]);
  });

  it('means the same whatever is promised about caches', async () => {
    for (const cache of ['none', 'append', 'hold'] as const)
      await checkOp(attention([5, 5], {}, { mask: 'causal', cache }));
  });

  it.each([
    ['scores', ['batch', 4, 'length', 'length']],
    ['heads', [1, 4, 'length', 'length']],
    ['pictures', ['batch', 1, 'length', 'length']],
    ['all', [1, 1, 'length', 'length']],
    ['keys', ['batch', 1, 1, 'length']],
    ['rows and columns', ['length', 'length']],
    ['columns', ['length']],
  ] as const)('adds a bias of %s', async (_name, bias) => {
    await checkOp(attention([3, 3], { bias }));
    await checkOp(attention([3, 3], { bias, heads: 4, keyHeads: 2 }, { mask: 'causal' }));
  });

  it('joins a bias with a mask', async () => {
    await checkOp(attention([5, 5], { bias: ['batch', 4, 'length', 'length'] }, { mask: 'causal' }));
  });

  it('refuses values that do not go with the keys', () => {
    const [q, k, v] = [
      g.input('q', f32(1, 3, 4, 6)),
      g.input('k', f32(1, 5, 4, 6)),
      g.input('v', f32(1, 4, 4, 6)),
    ];
    expect(() => g.attend(q, k, v)).toThrow(/attend takes q \[B, L, N, H\]/);
  });

  it('refuses heads that do not divide', () => {
    const [q, k] = [g.input('q', f32(1, 3, 4, 6)), g.input('k', f32(1, 3, 3, 6))];
    expect(() => g.attend(q, k, k)).toThrow(/N a multiple of K/);
  });
});
