import { differentiate, gradientName } from '@weft/autodiff';
import * as g from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { checkOp } from './check-op.js';
import { interpret } from './interpret.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });
const i64 = (...shape: g.Dim[]) => ({ dtype: 'int64' as const, shape });
const sizes = { batch: 2, length: 3, tiles: 2 };

describe('linear', () => {
  it.each([
    ['two axes', f32('length', 5)],
    ['three axes', f32('batch', 'length', 5)],
  ])('maps %s, with and without bias', async (_name, x) => {
    await checkOp({
      inputs: { x, weight: f32(7, 5), bias: f32(7) },
      sizes,
      build: ({ x, weight, bias }) => g.linear(x!, weight!, bias),
    });
    await checkOp({
      inputs: { x, weight: f32(7, 5) },
      sizes,
      build: ({ x, weight }) => g.linear(x!, weight!),
    });
  });

  it('asks for a connector when the channels differ', () => {
    expect(() => g.linear(g.input('x', f32(3, 4)), g.input('w', f32(7, 5)))).toThrow(
      /linear takes 5 channels, but x is \[3, 4\][^]*Is a connector missing\?/,
    );
  });
});

describe('embedding', () => {
  it('looks ids up, and adds the gradients of ids that occur twice', async () => {
    const feeds = { ids: { shape: [2, 3], data: [4, 0, 4, 1, 1, 4] } };
    await checkOp({
      inputs: { ids: i64('batch', 'length'), table: f32(5, 7) },
      feeds,
      build: ({ ids, table }) => g.embedding(ids!, table!),
    });
  });
});

describe('what has no meaning', () => {
  it('is an id without a row', () => {
    const graph = g.makeGraph({ y: g.embedding(g.input('ids', i64(1)), g.input('table', f32(5, 2))) });
    const table = { shape: [5, 2], data: new Float64Array(10) };
    for (const id of [-1, 5])
      expect(() => interpret(graph, { ids: { shape: [1], data: [id] }, table })).toThrow(
        `The id ${id} has no row in a table of 5.`,
      );
  });
});

describe('norms', () => {
  it('divide by the root mean square', async () => {
    await checkOp({
      inputs: { x: f32('batch', 'length', 7), weight: f32(7) },
      sizes,
      build: ({ x, weight }) => g.rmsNorm(x!, weight!, 1e-3),
    });
  });

  it('subtract the mean and divide by the deviation', async () => {
    const inputs = { x: f32('batch', 'length', 7), weight: f32(7), bias: f32(7) };
    await checkOp({ inputs, sizes, build: ({ x, weight, bias }) => g.layerNorm(x!, weight!, bias!, 1e-3) });
  });

  it('count eps where the input is small', async () => {
    const inputs = { x: f32(3, 7), weight: f32(7) };
    await checkOp({
      inputs,
      domain: (x) => x * 0.02,
      build: ({ x, weight }) => g.rmsNorm(x!, weight!, 1e-3),
      step: 1e-4,
    });
  });

  it('refuse weights of another size', () => {
    expect(() => g.rmsNorm(g.input('x', f32(3, 4)), g.input('w', f32(5)), 1e-5)).toThrow(
      /rmsNorm of \[3, 4\] with a weight \[5\]/,
    );
    expect(() =>
      g.layerNorm(g.input('x', f32(3, 4)), g.input('w', f32(5)), g.input('b', f32(5)), 1e-5),
    ).toThrow(/layerNorm of \[3, 4\]/);
  });
});

describe('rope', () => {
  it.each([
    [6, 3],
    [7, 2],
    [10, 4],
  ])('turns heads of %i channels by %i angles', async (size, half) => {
    const inputs = {
      x: f32('batch', 'length', 3, size),
      cos: f32('batch', 'length', half),
      sin: f32('batch', 'length', half),
    };
    await checkOp({
      inputs,
      sizes,
      frozen: ['cos', 'sin'],
      entries: 20,
      build: ({ x, cos, sin }) => g.rope(x!, cos!, sin!),
    });
  });

  it.each([
    [6, 3],
    [7, 2],
  ])('turns neighbouring channels of heads of %i by %i angles when interleaved', async (size, half) => {
    const inputs = {
      x: f32('batch', 'length', 3, size),
      cos: f32('batch', 'length', half),
      sin: f32('batch', 'length', half),
    };
    const options = { interleaved: true };
    await checkOp({
      inputs,
      sizes,
      frozen: ['cos', 'sin'],
      entries: 20,
      build: ({ x, cos, sin }) => g.rope(x!, cos!, sin!, options),
    });
  });

  it('pairs channel 2j with 2j + 1 when interleaved, and j with j + R/2 otherwise', () => {
    const [x, cos, sin] = [
      g.input('x', f32(1, 1, 1, 5)),
      g.input('cos', f32(1, 1, 2)),
      g.input('sin', f32(1, 1, 2)),
    ];
    const graph = g.makeGraph({
      halves: g.rope(x, cos, sin),
      pairs: g.rope(x, cos, sin, { interleaved: true }),
    });
    const turned = interpret(graph, {
      x: { shape: [1, 1, 1, 5], data: [1, 2, 3, 4, 5] },
      cos: { shape: [1, 1, 2], data: [0, 10] },
      sin: { shape: [1, 1, 2], data: [1, 0] },
    });
    expect([...turned['halves']!.data]).toEqual([-3, 20, 1, 40, 5]);
    expect([...turned['pairs']!.data]).toEqual([-2, 1, 30, 40, 5]);
  });

  it('refuses angles of another batch, and more of them than half the channels', () => {
    const x = g.input('x', f32('batch', 'length', 3, 6));
    const angles = (...shape: g.Dim[]) => g.input('angles', f32(...shape));
    expect(() => g.rope(x, angles('batch', 'length', 4), angles('batch', 'length', 4))).toThrow(/rope of/);
    expect(() => g.rope(x, angles(1, 'length', 3), angles(1, 'length', 3))).toThrow(/rope of/);
    expect(() => g.rope(x, angles('batch', 'length', 3), angles('batch', 'length', 2))).toThrow(/rope of/);
  });

  it('does not pretend that angles cannot learn', () => {
    const names = ['x', 'cos', 'sin'] as const;
    const [x, cos, sin] = [f32(1, 2, 1, 4), f32(1, 2, 2), f32(1, 2, 2)].map((type, i) =>
      g.input(names[i]!, type),
    );
    const graph = g.makeGraph({ loss: g.reduceSum(g.rope(x!, cos!, sin!)) });
    expect(() => differentiate(graph, 'loss', ['cos'])).toThrow(/gradient/);
  });
});

describe('patchEmbed', () => {
  it('cuts pictures that patches do not fill', async () => {
    const inputs = { pixels: f32('tiles', 3, 7, 11), weight: f32(5, 3, 3, 3), bias: f32(5) };
    await checkOp({
      inputs,
      sizes,
      entries: 20,
      build: ({ pixels, weight, bias }) => g.patchEmbed(pixels!, weight!, bias),
    });
    const { weight, pixels } = inputs;
    await checkOp({
      inputs: { pixels, weight },
      sizes,
      entries: 20,
      build: ({ pixels, weight }) => g.patchEmbed(pixels!, weight!),
    });
  });

  it('refuses other channels', () => {
    expect(() =>
      g.patchEmbed(g.input('pixels', f32(1, 1, 6, 6)), g.input('weight', f32(5, 3, 3, 3))),
    ).toThrow(/patchEmbed takes pixels \[T, 3, height, width\]/);
  });
});

describe('crossEntropy', () => {
  it('gives no loss and no gradient where nothing is supervised', async () => {
    const feeds = { targets: { shape: [4], data: [2, -100, 0, 6] } };
    const inputs = { logits: f32('length', 7), targets: i64('length') };
    const y = await checkOp({
      inputs,
      feeds,
      sizes: { length: 4 },
      build: ({ logits, targets }) => g.crossEntropy(logits!, targets!),
    });
    expect(y.data[1]).toBe(0);
    const graph = g.makeGraph({
      loss: g.reduceSum(g.crossEntropy(g.input('logits', inputs.logits), g.input('targets', inputs.targets))),
    });
    const logits = { shape: [4, 7], data: Float64Array.from({ length: 28 }, (_, i) => Math.sin(i)) };
    const gradient = interpret(differentiate(graph, 'loss', ['logits']), { ...feeds, logits })[
      gradientName('logits')
    ]!;
    expect([...gradient.data.subarray(7, 14)].every((x) => x === 0)).toBe(true);
  });

  it('stays finite for large logits', async () => {
    const feeds = { targets: { shape: [3], data: [2, 1, 0] } };
    const inputs = { logits: f32(3, 5), targets: i64(3) };
    const y = await checkOp({
      inputs,
      feeds,
      domain: (x) => 200 * x,
      frozen: ['logits'],
      build: ({ logits, targets }) => g.crossEntropy(logits!, targets!),
    });
    expect(y.data.every(Number.isFinite)).toBe(true);
  });

  it('refuses counts that differ', () => {
    expect(() => g.crossEntropy(g.input('logits', f32(3, 5)), g.input('targets', i64(4)))).toThrow(
      /crossEntropy takes logits \[M, V\]/,
    );
  });
});

describe('placeAtToken', () => {
  it.each(['replace', 'add'] as const)('places rows across the batch (%s)', async (mode) => {
    const inputs = { hidden: f32('batch', 'length', 5), positions: i64('n'), rows: f32('n', 5) };
    const feeds = { positions: { shape: [3], data: [1, 3, 5] } };
    const y = await checkOp({
      inputs,
      feeds,
      sizes: { ...sizes, n: 3 },
      build: ({ hidden, positions, rows }) => g.placeAtToken(hidden!, positions!, rows!, mode),
    });
    expect(y.shape).toEqual([2, 3, 5]);
  });

  it('refuses rows of another width', () => {
    const [hidden, positions, rows] = [
      g.input('h', f32(1, 3, 5)),
      g.input('p', i64(2)),
      g.input('r', f32(2, 4)),
    ];
    expect(() => g.placeAtToken(hidden, positions, rows)).toThrow(
      /both need 5 channels and equal counts[^]*Is a connector missing\?/,
    );
  });
});
