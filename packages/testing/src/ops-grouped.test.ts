import * as g from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { checkOp } from './check-op.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });
const i64 = (...shape: g.Dim[]) => ({ dtype: 'int64' as const, shape });

describe('groupedLinear', () => {
  const check = (groups: readonly number[], layout: 'out-in' | 'in-out' = 'out-in', count = 4) => {
    const shape = layout === 'out-in' ? f32(7, 5) : f32(5, 7);
    const names = Array.from({ length: count }, (_, i) => `weight${i}`);
    return checkOp({
      inputs: {
        x: f32('rows', 5),
        groups: i64('rows'),
        ...Object.fromEntries(names.map((name) => [name, shape])),
      },
      sizes: { rows: groups.length },
      feeds: { groups: { shape: [groups.length], data: groups } },
      entries: 12,
      build: (inputs) =>
        g.groupedLinear(
          inputs['x']!,
          inputs['groups']!,
          names.map((name) => inputs[name]!),
          layout,
        ),
    });
  };

  it.each(['out-in', 'in-out'] as const)(
    'takes every row through the matrix of its group (%s)',
    async (layout) => {
      const y = await check([2, 0, 3, 2, 2, 1, 0], layout);
      expect(y.shape).toEqual([7, 7]);
    },
  );

  it('leaves out groups that have no row, and serves a single row', async () => {
    await check([3, 1, 3, 3, 1]);
    await check([1]);
  });

  it('is a linear layer for one group', async () => {
    await check([0, 0, 0], 'out-in', 1);
  });

  it('keeps rows of other groups out of a sum that overflows', async () => {
    const y = await checkOp({
      inputs: { x: f32(2, 1), groups: i64(2), a: f32(1, 1), b: f32(1, 1) },
      feeds: {
        groups: { shape: [2], data: [1, 0] },
        x: { shape: [2, 1], data: [3, 1e30] },
        a: { shape: [1, 1], data: [1] },
        b: { shape: [1, 1], data: [1e20] },
      },
      frozen: ['x', 'a', 'b'],
      build: ({ x, groups, a, b }) => g.groupedLinear(x!, groups!, [a!, b!]),
    });
    expect(y.data.every(Number.isFinite)).toBe(true);
  });

  it('refuses matrices of another size, groups of another count, and no matrix at all', () => {
    const [x, groups] = [g.input('x', f32('rows', 5)), g.input('groups', i64('rows'))];
    expect(() => g.groupedLinear(x, groups, [g.input('w', f32(7, 4))])).toThrow(
      /groupedLinear takes x \[M, in\][^]*\[7, 4\]/,
    );
    expect(() => g.groupedLinear(x, groups, [g.input('w', f32(7, 5)), g.input('v', f32(6, 5))])).toThrow(
      /matrices \[out, in\] of one shape/,
    );
    expect(() => g.groupedLinear(x, g.input('n', i64('n')), [g.input('w', f32(7, 5))])).toThrow(
      /int64 \[n\]/,
    );
    expect(() => g.groupedLinear(x, groups, [])).toThrow(/0 matrices, the first missing/);
  });
});
