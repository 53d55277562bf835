import * as g from '@weft/graph';
import { targets } from '@weft/onnx';
import { describe, expect, it } from 'vitest';
import { checkOp } from './check-op.js';
import { interpret } from './interpret.js';
import { runOnnx } from './run.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });
const positive = (x: number) => Math.abs(x) + 0.3;

const binary = [
  ['add', g.add, undefined],
  ['sub', g.sub, undefined],
  ['mul', g.mul, undefined],
  ['div', g.div, positive],
  ['pow', g.pow, positive],
  ['maximum', g.maximum, undefined],
  ['minimum', g.minimum, undefined],
] as const;

describe('operations on two operands', () => {
  it.each(binary)('%s broadcasts both ways and has the right gradients', async (_name, op, domain) => {
    const check = { sizes: { batch: 2 }, ...(domain ? { domain } : {}) };
    await checkOp({
      ...check,
      inputs: { a: f32('batch', 3, 5), b: f32('batch', 3, 5) },
      build: ({ a, b }) => op(a!, b!),
    });
    await checkOp({
      ...check,
      inputs: { a: f32('batch', 1, 5), b: f32(3, 1) },
      build: ({ a, b }) => op(a!, b!),
    });
    await checkOp({ ...check, inputs: { a: f32(), b: f32(1, 'batch', 3) }, build: ({ a, b }) => op(a!, b!) });
  });

  it.each(binary)('%s takes numbers on either side', async (_name, op, domain) => {
    const check = domain ? { domain } : {};
    await checkOp({
      ...check,
      inputs: { a: f32(7) },
      build: ({ a }) => g.mul(op(a!, 1.75), g.exp(op(0.5, a!))),
    });
  });

  it('shares nothing between an operand that is used twice', async () => {
    await checkOp({ inputs: { a: f32(3, 5) }, build: ({ a }) => g.mul(a!, g.add(a!, a!)) });
  });

  it('raises a constant power of numbers of either sign', async () => {
    await checkOp({ inputs: { a: f32(3, 5) }, build: ({ a }) => g.pow(a!, 3) });
  });

  it('divides integers toward zero in every target', async () => {
    const ids = g.input('ids', { dtype: 'int64', shape: ['n'] });
    const graph = g.makeGraph({ y: g.div(ids, 2) });
    const feeds = { ids: { shape: [4], data: [-3, 3, 4, -5] } };
    expect([...interpret(graph, feeds)['y']!.data]).toEqual([-1, 1, 2, -2]);
    expect([...(await runOnnx(graph, feeds))['y']!.data]).toEqual([-1, 1, 2, -2]);
  });

  it('refuses operands of two element types and of shapes that do not fit', () => {
    const a = g.input('a', f32(3));
    expect(() => g.add(a, g.iota(3))).toThrow(/Add needs one element type, but got float32 and int64/);
    expect(() => g.add(a, g.input('b', f32(4)))).toThrow(/Add cannot broadcast \[3\] with \[4\]/);
  });
});

const unary = [
  ['neg', g.neg, undefined],
  ['exp', g.exp, undefined],
  ['log', g.log, positive],
  ['sqrt', g.sqrt, positive],
  ['reciprocal', g.reciprocal, positive],
  ['tanh', g.tanh, undefined],
  ['sigmoid', g.sigmoid, undefined],
  ['erf', g.erf, undefined],
  ['relu', g.relu, (x: number) => x + 0.01 * Math.sign(x)],
  ['sin', g.sin, undefined],
  ['cos', g.cos, undefined],
  ['gelu', g.gelu, undefined],
  ['gelu by tanh', (x: g.Value) => g.gelu(x, 'tanh'), undefined],
  ['quickGelu', g.quickGelu, undefined],
  ['silu', g.silu, undefined],
  ['relu2', g.relu2, (x: number) => x + 0.01 * Math.sign(x)],
  ['softmax', g.softmax, undefined],
] as const;

describe('operations on one operand', () => {
  it.each(unary)('%s agrees in all targets and has the right gradient', async (_name, op, domain) => {
    const check = { sizes: { rows: 3 }, ...(domain ? { domain } : {}) };
    await checkOp({ ...check, inputs: { x: f32('rows', 2, 7) }, build: ({ x }) => op(x!) });
  });

  it('keeps softmax finite for large scores', async () => {
    const y = await checkOp({
      inputs: { x: f32(2, 5) },
      domain: (x) => 300 * x,
      build: ({ x }) => g.softmax(x!),
      frozen: ['x'],
    });
    expect(y.data.every(Number.isFinite)).toBe(true);
  });
});

describe('comparisons and logic', () => {
  it('agree in all targets, with broadcasting', async () => {
    const feeds = { a: { shape: [2, 3], data: [1, 2, 3, 3, 2, 1] }, b: { shape: [3], data: [2, 2, 2] } };
    const [a, b] = [g.input('a', f32('n', 3)), g.input('b', f32(3))];
    const results = {
      equal: [g.equal(a, b), [0, 1, 0, 0, 1, 0]],
      less: [g.less(a, b), [1, 0, 0, 0, 0, 1]],
      lessOrEqual: [g.lessOrEqual(a, 2), [1, 1, 0, 0, 1, 1]],
      and: [g.and(g.less(a, 3), g.less(1, a)), [0, 1, 0, 0, 1, 0]],
      or: [g.or(g.less(a, 2), g.less(2, a)), [1, 0, 1, 1, 0, 1]],
      not: [g.not(g.less(a, b)), [0, 1, 1, 1, 1, 0]],
      floor: [g.floor(g.div(a, 2)), [0, 1, 1, 1, 1, 0]],
      whole: [g.cast(g.mul(a, -0.75), 'int64'), [0, -1, -2, -2, -1, 0]],
    } as const;
    const graph = g.makeGraph(
      Object.fromEntries(Object.entries(results).map(([name, [value]]) => [name, value])),
    );
    const outcomes = [
      interpret(graph, feeds),
      await runOnnx(graph, feeds),
      await runOnnx(graph, feeds, {}, { target: targets.reference }),
    ];
    // The interpreter keeps the sign of zero.
    for (const outcome of outcomes)
      for (const [name, [, expected]] of Object.entries(results))
        expect(
          [...outcome[name]!.data].map((x) => x + 0),
          name,
        ).toEqual(expected);
  });

  it('picks with where, and sends gradients to the side that was picked', async () => {
    const feeds = { condition: { shape: [3, 1], data: [1, 0, 1] } };
    const inputs = { condition: { dtype: 'bool', shape: [3, 1] }, a: f32(5), b: f32(2, 1, 5) } as const;
    await checkOp({ inputs, feeds, build: ({ condition, a, b }) => g.where(condition!, a!, b!) });
    await checkOp({
      inputs: { condition: inputs.condition, a: f32(3, 5) },
      feeds,
      build: ({ condition, a }) => g.where(condition!, a!, 2),
    });
  });

  it('casts between float types without a change, and lets gradients through', async () => {
    await checkOp({
      inputs: { x: f32(3, 5) },
      build: ({ x }) => g.cast(g.mul(g.cast(x!, 'float64'), 2), 'float32'),
    });
  });
});
