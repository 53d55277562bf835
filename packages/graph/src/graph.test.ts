import { ConfigError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { makeGraph, rewrite, substitute, topologicalOrder } from './graph.js';
import { add, mul, topK } from './ops.js';
import { decompose } from './reference.js';
import { relu2, rmsNorm } from './semantic.js';
import { input } from './trace.js';
import { isOp } from './value.js';

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
