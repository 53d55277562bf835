import { ConfigError, UnsupportedError } from '@weft/errors';
import { input, makeGraph, module, mul, onnx, Parameter, reduceSum, trace, type Value } from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { differentiate } from './differentiate.js';

const f32 = { dtype: 'float32', shape: [3] } as const;

// The values of gradients are tested in packages/testing, which may import an interpreter and ONNX Runtime.
describe('differentiate', () => {
  const [x, z] = [input('x', f32), input('z', f32)];

  it('keeps all outputs of the graph', () => {
    const graph = differentiate(makeGraph({ loss: reduceSum(x), y: mul(x, 2) }), 'loss', ['x']);
    expect(Object.keys(graph.outputs)).toEqual(['loss', 'y', 'gradient:x']);
  });

  it('spends nothing on what is frozen', () => {
    const part = (size: number) =>
      module('Scale', { weight: new Parameter([size]) }, (m, v: Value) => mul(v, m.weight));
    const model = { frozen: part(3), learnt: part(3) };
    const graph = trace(model, { x: f32 }, (inputs) => ({
      loss: reduceSum(model.learnt(model.frozen(inputs.x))),
    }));
    const backward = differentiate(graph, 'loss', ['learnt.weight']);
    expect(Object.keys(backward.outputs)).toEqual(['loss', 'gradient:learnt.weight']);
    const nodes = backward.nodes.filter(({ path }) => path.endsWith('/backward'));
    expect(nodes.length).toBeGreaterThan(0);
    expect(nodes.some(({ path }) => path.startsWith('frozen'))).toBe(false);
  });

  it('refuses a loss with axes, and names that are not there', () => {
    expect(() => differentiate(makeGraph({ loss: x }), 'loss', ['x'])).toThrow(ConfigError);
    expect(() => differentiate(makeGraph({ loss: reduceSum(x) }), 'loss', ['w'])).toThrow(
      /The loss graph has no parameter or input 'w'/,
    );
  });

  it('refuses to learn through an operator that it does not know, and only then', () => {
    const [y] = onnx('Celu', [x], [f32]);
    const graph = makeGraph({ loss: reduceSum(mul(y!, z)) });
    expect(() => differentiate(graph, 'loss', ['x'])).toThrow(UnsupportedError);
    expect(() => differentiate(graph, 'loss', ['x'])).toThrow(
      /The ONNX operator Celu has no gradient[^]*freeze everything before this node/,
    );
    expect(Object.keys(differentiate(graph, 'loss', ['z']).outputs)).toContain('gradient:z');
  });
});
