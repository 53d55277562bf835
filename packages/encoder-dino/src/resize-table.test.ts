import { input, makeGraph } from '@weft/graph';
import { interpret, randomTensor } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { bicubicWeights, resizeTable, type TableSides } from './resize-table.js';

const cases: readonly TableSides[] = [false, true].flatMap((antialias) =>
  [
    [37, 16],
    [37, 24],
    [7, 7],
    [16, 37],
    [1, 3],
  ].map(([from, to]) => ({ from: from!, to: to!, antialias })),
);

describe('bicubic weights', () => {
  it.each(cases)('of every point add up to 1: $from to $to, antialiased $antialias', (sides) => {
    const weights = bicubicWeights(sides);
    for (let i = 0; i < sides.to; i++) {
      const row = weights.slice(i * sides.from, (i + 1) * sides.from);
      expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    }
  });

  it('keep a point that lies on a point', () => {
    for (const antialias of [false, true])
      expect([...bicubicWeights({ from: 2, to: 2, antialias })].map(Math.abs)).toEqual([1, 0, 0, 1]);
  });

  it('reach four neighbours, with antialiasing as many as the step takes', () => {
    const middle = (antialias: boolean): number =>
      bicubicWeights({ from: 40, to: 10, antialias })
        .slice(5 * 40, 6 * 40)
        .filter((weight) => weight !== 0).length;
    expect([middle(false), middle(true)]).toEqual([4, 16]);
  });
});

describe('a resized table', () => {
  it('treats rows and columns alike', () => {
    const [from, to] = [5, 3];
    const table = randomTensor([1, from * from, 2], 3);
    const transposed = Float64Array.from(table.data, (_, i) => {
      const [row, column, channel] = [Math.floor(i / (from * 2)), Math.floor(i / 2) % from, i % 2];
      return table.data[(column * from + row) * 2 + channel]!;
    });
    const resize = (data: Float64Array) => {
      const x = input('x', { dtype: 'float32', shape: [1, from * from, 2] });
      const graph = makeGraph({ y: resizeTable(x, { from, to, antialias: true }) });
      return interpret(graph, { x: { shape: table.shape, data } })['y']!;
    };
    const [plain, turned] = [resize(table.data as Float64Array), resize(transposed)];
    expect(plain.shape).toEqual([1, 9, 2]);
    for (let row = 0; row < to; row++)
      for (let column = 0; column < to; column++)
        expect(turned.data[(column * to + row) * 2]).toBeCloseTo(plain.data[(row * to + column) * 2]!, 6);
  });
});
