import * as g from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { checkOp } from './check-op.js';
import { interpret } from './interpret.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });

/** Convolves by five plain loops: what every target must give. */
function loops(
  x: g.TensorData,
  weight: g.TensorData,
  { stride, padding, groups }: { stride: [number, number]; padding: number[]; groups: number },
): number[] {
  const [tiles, channels, height, width] = x.shape as [number, number, number, number];
  const [out, perGroup, rows, columns] = weight.shape as [number, number, number, number];
  const high = Math.floor((height + padding[0]! + padding[2]! - rows) / stride[0]) + 1;
  const wide = Math.floor((width + padding[1]! + padding[3]! - columns) / stride[1]) + 1;
  const at = (n: number, c: number, i: number, j: number): number =>
    i < 0 || j < 0 || i >= height || j >= width
      ? 0
      : Number(x.data[((n * channels + c) * height + i) * width + j]);
  const result: number[] = [];
  for (let n = 0; n < tiles; n++)
    for (let o = 0; o < out; o++)
      for (let i = 0; i < high; i++)
        for (let j = 0; j < wide; j++) {
          let sum = 0;
          const first = Math.floor(o / (out / groups)) * perGroup;
          for (let c = 0; c < perGroup; c++)
            for (let k = 0; k < rows; k++)
              for (let l = 0; l < columns; l++)
                sum +=
                  Number(weight.data[((o * perGroup + c) * rows + k) * columns + l]) *
                  at(n, first + c, i * stride[0] + k - padding[0]!, j * stride[1] + l - padding[1]!);
          result.push(sum);
        }
  return result;
}

const wave = (shape: readonly number[], seed: number): g.TensorData => ({
  dtype: 'float64',
  shape,
  data: Float64Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    (_, i) => Math.round(8 * Math.sin(seed + 1.7 * i)) / 4,
  ),
});

describe('conv', () => {
  const cases: readonly [string, g.Dim[], number[], g.ConvOptions][] = [
    ['dense', ['tiles', 3, 5, 7], [4, 3, 3, 2], {}],
    ['depthwise', ['tiles', 4, 5, 6], [4, 1, 3, 3], { padding: 1, groups: 4 }],
    ['in groups', ['tiles', 6, 4, 5], [4, 3, 2, 3], { padding: [1, 0, 0, 2], groups: 2 }],
    ['by points', ['tiles', 3, 4, 5], [5, 3, 1, 1], {}],
    [
      'in steps that leave a rest',
      ['tiles', 2, 8, 9],
      [3, 2, 3, 3],
      { stride: [3, 2], padding: [0, 0, 1, 1] },
    ],
    ['in steps larger than the kernel', ['tiles', 2, 7, 8], [3, 2, 2, 1], { stride: 3 }],
    ['over a picture of unknown size', ['tiles', 2, 'high', 'wide'], [3, 2, 3, 2], { padding: [1, 1, 1, 0] }],
  ];

  it.each(cases)(
    'means the same in every target, and has a gradient: %s',
    async (_name, x, weight, options) => {
      const inputs = { x: f32(...x), weight: f32(...weight), bias: f32(weight[0]!) };
      const sizes = { tiles: 2, high: 4, wide: 5 };
      await checkOp({
        inputs,
        sizes,
        entries: 20,
        build: ({ x, weight, bias }) => g.conv(x!, weight!, bias, options),
      });
      const bare = { x: inputs.x, weight: inputs.weight };
      await checkOp({
        inputs: bare,
        sizes,
        entries: 8,
        build: ({ x, weight }) => g.conv(x!, weight!, null, options),
      });
    },
  );

  it.each([
    [[2, 4, 5, 6], [6, 2, 3, 2], { stride: [2, 1], padding: [1, 0, 2, 1], groups: 2 }],
    [[1, 3, 4, 4], [3, 1, 3, 3], { stride: [1, 1], padding: [1, 1, 1, 1], groups: 3 }],
    [[2, 2, 6, 5], [3, 2, 2, 2], { stride: [3, 3], padding: [0, 0, 0, 0], groups: 1 }],
  ] as const)('gives what loops give: %j with %j', (shape, kernel, { stride, padding, groups }) => {
    const [x, weight] = [wave(shape, 1), wave(kernel, 2)];
    const options = { stride, padding, groups };
    const graph = g.makeGraph({
      y: g.conv(g.input('x', f32(...shape)), g.input('weight', f32(...kernel)), null, options),
    });
    const { y } = interpret(graph, { x, weight });
    expect([...y!.data]).toEqual(loops(x, weight, { stride: [...stride], padding: [...padding], groups }));
  });

  it('refuses what does not fit, and says what it takes', () => {
    const make = (x: g.Dim[], weight: number[], options: g.ConvOptions = {}, bias?: number) =>
      g.conv(
        g.input('x', f32(...x)),
        g.input('weight', f32(...weight)),
        bias === undefined ? null : g.input('bias', f32(bias)),
        options,
      );
    expect(() => make([1, 3, 5, 5], [4, 3, 3, 3], { groups: 2 })).toThrow(
      /conv in 2 groups takes x \[T, C, height, width\][^]*\[1, 3, 5, 5\], \[4, 3, 3, 3\]/,
    );
    expect(() => make([1, 6, 5, 5], [3, 3, 3, 3], { groups: 2 })).toThrow(/conv in 2 groups/);
    expect(() => make([3, 5, 5], [4, 3, 3, 3])).toThrow(/conv in 1 group takes/);
    expect(() => make([1, 3, 5, 5], [4, 3, 3, 3], {}, 3)).toThrow(/a bias \[O\], but got [^]*\[3\]/);
    expect(() => make([1, 3, 2, 5], [4, 3, 3, 3])).toThrow(/kernel is larger than the padded picture/);
    expect(() => make([1, 3, 'high', 5], [4, 3, 3, 3], { stride: 2 })).toThrow(
      /Steps need sides of known size/,
    );
  });
});
