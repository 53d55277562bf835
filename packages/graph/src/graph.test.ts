import { ConfigError, ShapeError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { makeGraph, rewrite, substitute, topologicalOrder } from './graph.js';
import { add, cast, dimsOf, exp, mul, relabel, slice, topK } from './ops.js';
import { withPath } from './path.js';
import { decompose } from './reference.js';
import { relu2, rmsNorm } from './semantic.js';
import { input } from './trace.js';
import { isOp, type Value } from './value.js';

const f32 = { dtype: 'float32', shape: ['n', 3] } as const;

describe('makeGraph', () => {
  it('holds what the outputs need, inputs before users, each once', () => {
    const [a, b, unused] = [input('a', f32), input('b', f32), input('unused', f32)];
    const sum = add(a, b);
    mul(unused, 2);
    const graph = makeGraph({ y: mul(sum, sum) });
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Input', 'Input', 'Add', 'Mul']);
    expect([...graph.inputs.keys()]).toEqual(['a', 'b']);
  });

  it('refuses two inputs of one name', () => {
    expect(() => makeGraph({ y: add(input('a', f32), input('a', f32)) })).toThrow(ConfigError);
  });

  it('orders chains far deeper than the call stack', () => {
    let x = input('x', f32);
    for (let i = 0; i < 50_000; i++) x = add(x, x);
    expect(topologicalOrder([x])).toHaveLength(50_001);
  });
});

describe('rewrite', () => {
  const x = input('x', f32);

  it('returns the same graph when no rule applies', () => {
    const graph = makeGraph({ y: add(x, 1) });
    expect(rewrite(graph, { Mul: () => undefined })).toBe(graph);
  });

  it('replaces nodes until no rule applies, and keeps their places', () => {
    const graph = makeGraph({ y: relu2(rmsNorm(x, input('w', { dtype: 'float32', shape: [3] }), 1e-5)) });
    const primitive = decompose(graph);
    expect(primitive.nodes.some(({ op }) => op === 'RmsNorm' || op === 'Relu2')).toBe(false);
    expect(primitive.outputs['y']!.shape).toEqual(['n', 3]);
    expect(decompose(graph, new Set(['Relu2'])).nodes.some(({ op }) => op === 'Relu2')).toBe(true);
    expect(graph.nodes.some(({ op }) => op === 'Relu2')).toBe(true);
  });

  it('keeps nodes of several outputs together', () => {
    const [values, indices] = topK(mul(x, 3), 2);
    const graph = makeGraph({ values, indices });
    const changed = rewrite(graph, { Mul: (_, [a, b]) => [add(a!, b!)] });
    const node = changed.outputs['values']!.node;
    expect(isOp(node, 'TopK') && node.outputs[1] === changed.outputs['indices']).toBe(true);
    expect(node.inputs[0]!.node.op).toBe('Add');
  });
});

describe('types in a rewrite', () => {
  const x = input('x', { dtype: 'float32', shape: ['n', 3, 'n'] });
  const graph = makeGraph({ y: withPath('tower.norm', () => exp(x)) });

  it('may rename symbolic sizes, and give them numbers', () => {
    for (const shape of [
      ['m', 3, 'm'],
      [5, 3, 5],
    ]) {
      const changed = rewrite(graph, { Exp: (_, [value]) => [relabel(value!, shape)] });
      expect(changed.outputs['y']!.shape).toEqual(shape);
    }
  });

  it.each([
    ['another element type', 'float64', ['n', 3, 'n'], (value: Value) => cast(value, 'float64')],
    ['another size', 'float32', ['n', 2, 'n'], (value: Value) => slice(value, 1, 0, 2)],
    ['another rank', 'float32', ['3*n', 'n'], (value: Value) => relabel(value, ['3*n', 'n'])],
    ['a name for a number', 'float32', ['n', 'c', 'n'], (value: Value) => relabel(value, ['n', 'c', 'n'])],
    ['two names for one', 'float32', ['m', 3, 'k'], (value: Value) => relabel(value, ['m', 3, 'k'])],
  ] as const)('may not be %s', (_name, dtype, shape, change) => {
    const run = () => rewrite(graph, { Exp: (_, [value]) => [change(value!)] });
    expect(run).toThrow(ShapeError);
    expect(run).toThrow(
      `A rule replaces Exp, which gives float32 [n, 3, n], by values that are ${dtype} [${shape.join(', ')}].`,
    );
    expect(run).toThrow(/tower\.norm/);
  });

  it('are as many as before', () => {
    expect(() => rewrite(graph, { Exp: () => [] })).toThrow(/by values that are nothing/);
    expect(() => rewrite(graph, { Exp: (_, [value]) => [value!, value!] })).toThrow(ShapeError);
  });
});

describe('dimsOf', () => {
  it('gives as many sizes as were asked for, or says how many there are', () => {
    const x = input('x', f32);
    expect(dimsOf(x, 2)).toEqual(['n', 3]);
    expect(() => dimsOf(x, 3)).toThrow(/A value with 3 axes is needed here, but got \[n, 3\]/);
    expect(() =>
      dimsOf(
        withPath('tower', () => add(x, 1)),
        1,
      ),
    ).toThrow(/It comes from tower/);
  });
});

describe('substitute', () => {
  it('makes one graph of two, the one computing an input of the other', () => {
    const rows = input('rows', { dtype: 'float32', shape: ['2*n', 3] });
    const outer = makeGraph({ y: mul(add(rows, 1), 2), z: input('w', f32) });
    const inner = input('x', { dtype: 'float32', shape: ['2*n', 3] });
    const whole = substitute(outer, { rows: mul(inner, 3), missing: inner });
    expect([...whole.inputs.keys()].toSorted()).toEqual(['w', 'x']);
    expect(whole.nodes.filter(({ op }) => op === 'Mul')).toHaveLength(2);
    expect(Object.keys(whole.outputs)).toEqual(['y', 'z']);
  });

  it('takes an input of the same name for what it is', () => {
    const graph = makeGraph({ y: add(input('x', f32), 1) });
    const other = input('x', f32);
    expect(substitute(graph, { x: other }).inputs.get('x')).toBe(other);
  });
});
