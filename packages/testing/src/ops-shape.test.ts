import * as g from '@weft/graph';
import { differentiate, gradientName } from '@weft/autodiff';
import { describe, expect, it } from 'vitest';
import { checkOp } from './check-op.js';
import { interpret } from './interpret.js';
import { runOnnx } from './run.js';
import { checkTargets } from './agreement.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });
const i64 = (...shape: g.Dim[]) => ({ dtype: 'int64' as const, shape });
/** Numbers far from each other, so that small steps keep their order. */
const spread = (...shape: number[]) => ({
  shape,
  data: Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => ((i * 37) % 101) / 8 - 6),
});
const sizes = { batch: 2, rows: 3, n: 4 };

describe('matmul', () => {
  const flags = [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({ transposeA, transposeB })),
  );
  it.each(flags)(
    'multiplies with %o, a factor, and broadcast batches',
    async ({ transposeA, transposeB }) => {
      const a = transposeA ? [5, 3] : [3, 5];
      const b = transposeB ? [7, 5] : [5, 7];
      const options = { transposeA, transposeB, alpha: 0.75 };
      const cases = [
        { a: f32(...a), b: f32(...b) },
        { a: f32('batch', ...a), b: f32('batch', ...b) },
        { a: f32('batch', 3, ...a), b: f32(...b) },
        { a: f32('batch', 1, ...a), b: f32(3, ...b) },
      ];
      for (const inputs of cases)
        await checkOp({ inputs, sizes, entries: 12, build: (x) => g.matmul(x['a']!, x['b']!, options) });
      await checkOp({
        inputs: cases[1]!,
        sizes,
        entries: 12,
        build: (x) => g.matmul(x['a']!, x['b']!, { transposeA, transposeB }),
      });
    },
  );

  it('takes symbolic rows, columns and inner sizes', async () => {
    await checkOp({
      inputs: { a: f32('rows', 'n'), b: f32('n', 'batch') },
      sizes,
      build: ({ a, b }) => g.matmul(a!, b!),
    });
  });

  it('refuses inner sizes that differ', () => {
    expect(() => g.matmul(g.input('a', f32(2, 3)), g.input('b', f32(4, 5)))).toThrow(
      /the inner sizes 3 and 4 differ/,
    );
  });
});

describe('reshape, transpose, expand', () => {
  it('regroup symbolic sizes', async () => {
    const inputs = { x: f32('batch', 'rows', 6) };
    await checkOp({
      inputs,
      sizes,
      build: ({ x }) => g.reshape(x!, [g.multiplyDims('batch', 'rows'), 3, 2]),
    });
    await checkOp({
      inputs,
      sizes,
      build: ({ x }) => g.reshape(x!, ['batch', 2, g.multiplyDims(3, 'rows')]),
    });
    await checkOp({ inputs, sizes, build: ({ x }) => g.reshape(x!, [-1]) });
    await checkOp({ inputs, sizes, build: ({ x }) => g.reshape(x!, ['rows', 'batch', 6]) });
    await checkOp({ inputs, sizes, build: ({ x }) => g.reshape(x!, ['rows', 3, 'batch', 2]) });
  });

  it('give sizes other names, and refuse ones that turn out to differ', async () => {
    const inputs = { x: f32('images', 5), like: f32(g.multiplyDims(2, 'tiles'), 5) };
    const build = ({ x, like }: Readonly<Record<string, g.Value>>) =>
      g.mul(g.relabel(x!, like!.shape), like!);
    await checkOp({ inputs, feeds: { x: spread(4, 5), like: spread(4, 5) }, build });
    const x = g.input('x', inputs.x);
    const like = g.input('like', inputs.like);
    expect(() =>
      interpret(g.makeGraph({ y: build({ x, like }) }), { x: spread(3, 5), like: spread(4, 5) }),
    ).toThrow(/Reshape has 15 elements/);
  });

  it('transpose by any permutation', async () => {
    await checkOp({
      inputs: { x: f32('batch', 3, 5, 2) },
      sizes,
      build: ({ x }) => g.transpose(x!, [2, 0, 3, 1]),
    });
    await checkOp({ inputs: { x: f32(3, 5) }, build: ({ x }) => g.transpose(x!) });
  });

  it('expand along axes of size 1 and new ones', async () => {
    await checkOp({
      inputs: { x: f32(3, 1), like: f32('batch', 5) },
      sizes,
      build: ({ x, like }) => g.add(g.expand(x!, ['batch', 3, 5]), g.reshape(like!, ['batch', 1, 5])),
    });
    await checkOp({ inputs: { x: f32() }, build: ({ x }) => g.expand(x!, [2, 3]) });
  });

  it('refuse shapes that do not fit', () => {
    const x = g.input('x', f32('batch', 6));
    expect(() => g.reshape(x, ['batch', 5])).toThrow(/the numbers of elements differ/);
    expect(() => g.reshape(x, [4, -1])).toThrow(/not a whole number/);
    expect(() => g.transpose(x, [0, 0])).toThrow(/not a permutation/);
    expect(() => g.expand(x, ['batch', 7])).toThrow(/expand/);
  });
});

describe('concat, slice, pad', () => {
  it('join and cut along symbolic axes', async () => {
    const inputs = { a: f32('batch', 3, 2), b: f32('n', 3, 2) };
    await checkOp({ inputs, sizes, build: ({ a, b }) => g.concat([a!, b!, a!], 0) });
    await checkOp({ inputs: { a: f32(2, 3), b: f32(2, 5) }, build: ({ a, b }) => g.concat([a!, b!], -1) });
    await checkOp({
      inputs,
      sizes,
      build: ({ a, b }) => g.slice(g.concat([a!, b!], 0), 0, 1, g.addDims('batch', 'n', -1)),
    });
    await checkOp({
      inputs,
      sizes,
      build: ({ a, b }) => g.slice(g.concat([a!, b!], 0), 0, 'batch', g.addDims('batch', 'n')),
    });
    await checkOp({ inputs: { x: f32(3, 7) }, build: ({ x }) => g.slice(x!, 1, 2, 5) });
  });

  it('pad with zeros', async () => {
    await checkOp({ inputs: { x: f32('batch', 3) }, sizes, build: ({ x }) => g.pad(x!, 1, 2, 1) });
    await checkOp({ inputs: { x: f32('batch', 3) }, sizes, build: ({ x }) => g.pad(x!, 0, 1, 'batch') });
  });

  it('refuse ranges and sizes that do not fit', () => {
    const x = g.input('x', f32(3, 7));
    expect(() => g.slice(x, 1, 2, 8)).toThrow(/slice 2:8 of \[3, 7\]/);
    expect(() => g.slice(x, 2, 0, 1)).toThrow(/along axis 2/);
    expect(() => g.concat([x, g.input('y', f32(2, 7))], 1)).toThrow(/concat along axis 1/);
  });
});

describe('reductions', () => {
  const reductions = [
    ['sum', g.reduceSum],
    ['mean', g.reduceMean],
    ['max', g.reduceMax],
  ] as const;
  it.each(reductions)('%s over any axes, kept or not', async (_name, reduce) => {
    const inputs = { x: f32('batch', 3, 5) };
    const feeds = { x: spread(2, 3, 5) };
    await checkOp({ inputs, feeds, build: ({ x }) => reduce(x!, [-1], true) });
    await checkOp({ inputs, feeds, build: ({ x }) => reduce(x!, [0, 2]) });
    await checkOp({ inputs, feeds, build: ({ x }) => reduce(x!, [1]) });
    await checkOp({ inputs, feeds, build: ({ x }) => reduce(x!) });
  });

  it('shares the gradient of a maximum among ties', () => {
    const x = g.input('x', f32(3));
    const graph = differentiate(g.makeGraph({ loss: g.reduceMax(x) }), 'loss', ['x']);
    const results = interpret(graph, { x: { shape: [3], data: [1, 4, 4] } });
    expect([...results[gradientName('x')]!.data]).toEqual([0, 0.5, 0.5]);
  });

  it('sums up along an axis', async () => {
    await checkOp({ inputs: { x: f32('batch', 3, 5) }, sizes, build: ({ x }) => g.cumSum(x!, 1) });
    await checkOp({ inputs: { x: f32('batch', 3) }, sizes, build: ({ x }) => g.cumSum(x!, -1) });
    await checkOp({ inputs: { x: f32('batch', 3) }, sizes, build: ({ x }) => g.cumSum(x!, 0) });
  });
});

describe('gather, scatterRows, topK', () => {
  it('gather rows of any axis, some of them twice', async () => {
    const feeds = { ids: { shape: [2, 3], data: [0, 2, 2, 1, 0, 2] } };
    for (const axis of [0, 1, -1])
      await checkOp({
        inputs: { x: f32(3, 4, 3), ids: i64(2, 'rows') },
        feeds,
        build: ({ x, ids }) => g.gather(x!, ids!, axis),
      });
    const one = { ids: { shape: [], data: [1] } };
    await checkOp({
      inputs: { x: f32(3, 4), ids: i64() },
      feeds: one,
      build: ({ x, ids }) => g.gather(x!, ids!, 1),
    });
  });

  it('scatters rows, and adds up those of equal places', async () => {
    const inputs = { x: f32('n', 5), at: i64('rows'), updates: f32('rows', 5) };
    await checkOp({
      inputs,
      sizes,
      feeds: { at: { shape: [3], data: [2, 0, 2] } },
      build: ({ x, at, updates }) => g.scatterRows(x!, at!, updates!, 'add'),
    });
    await checkOp({
      inputs,
      sizes,
      feeds: { at: { shape: [3], data: [2, 0, 3] } },
      build: ({ x, at, updates }) => g.scatterRows(x!, at!, updates!, 'replace'),
    });
  });

  it('finds the largest elements and sends gradients to them', async () => {
    await checkOp({
      inputs: { x: f32('rows', 2, 7) },
      feeds: { x: spread(3, 2, 7) },
      build: ({ x }) => g.topK(x!, 3)[0],
    });
    await checkOp({
      inputs: { x: f32('rows', 7) },
      sizes,
      build: ({ x }) => g.cast(g.topK(x!, 2)[1], 'float32'),
      frozen: ['x'],
    });
  });

  it('counts and measures', async () => {
    const x = g.input('x', f32('rows', g.multiplyDims(4, 'patches')));
    const graph = g.makeGraph({
      numbers: g.iota(g.addDims('rows', 'patches', 1)),
      size: g.add(g.dimSize(g.multiplyDims('rows', 'patches')), 0),
      keep: x,
    });
    const results = await checkTargets(graph, {
      x: { shape: [3, 8], data: Float64Array.from({ length: 24 }, (_, i) => i) },
    });
    expect([...results['numbers']!.data]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(results['size']!.data[0]).toBe(6);
  });
});

describe('onnx', () => {
  it('reaches any operator', async () => {
    const x = g.input('x', f32(3));
    const [y] = g.onnx('Celu', [x], [x], { alpha: { float: 0.5 } });
    const { data } = (await runOnnx(g.makeGraph({ y: y! }), { x: { shape: [3], data: [1, 0, -1] } }))['y']!;
    expect(data[0]).toBe(1);
    expect(data[2]).toBeCloseTo(0.5 * (Math.exp(-2) - 1), 6);
    expect(() => interpret(g.makeGraph({ y: y! }), { x: { shape: [3], data: [1, 0, -1] } })).toThrow(
      /does not know the ONNX operator Celu/,
    );
  });
});
