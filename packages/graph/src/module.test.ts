import { ConfigError, isWeftError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { add, matmul, mul } from './ops.js';
import { linear as linearOp } from './semantic.js';
import { isModule, module, namedParameters, repeat, walk } from './module.js';
import { Parameter } from './parameter.js';
import { trace } from './trace.js';
import type { Value } from './value.js';

const linear = (inSize: number, outSize: number) =>
  module('Linear', { weight: new Parameter([outSize, inSize]), bias: null }, (m, x: Value) =>
    linearOp(x, m.weight, m.bias),
  );

const block = (size: number) =>
  module(
    'Block',
    {
      fc1: linear(size, 2 * size),
      fc2: linear(2 * size, size),
      scale: new Parameter([size], { kind: 'ones' }),
    },
    (m, x: Value) => add(x, mul(m.fc2(m.fc1(x)), m.scale)),
  );

const network = (size = 3) =>
  module('Network', { embed: linear(2, size), layers: repeat(2, () => block(size)) }, (m, x: Value) =>
    m.layers.reduce((h, layer) => layer(h), m.embed(x)),
  );

const x = { dtype: 'float32', shape: ['n', 2] } as const;
const traceNetwork = (model: ReturnType<typeof network>) =>
  trace(model, { x }, (inputs) => ({ y: model(inputs.x) }));

describe('namedParameters', () => {
  it('lists parameters by their checkpoint paths, in order, without tracing', () => {
    const shapes = [...namedParameters(network())].map(([path, { shape }]) => [path, shape]);
    expect(shapes).toEqual([
      ['embed.weight', [3, 2]],
      ['layers.0.fc1.weight', [6, 3]],
      ['layers.0.fc2.weight', [3, 6]],
      ['layers.0.scale', [3]],
      ['layers.1.fc1.weight', [6, 3]],
      ['layers.1.fc2.weight', [3, 6]],
      ['layers.1.scale', [3]],
    ]);
  });

  it('lists a tied parameter once, under its first path', () => {
    const table = new Parameter([5, 3]);
    const tied = module(
      'Tied',
      { embed_tokens: { weight: table }, lm_head: { weight: table } },
      (m, v: Value) => linearOp(linearOp(v, m.embed_tokens.weight), m.lm_head.weight),
    );
    expect([...namedParameters(tied).keys()]).toEqual(['embed_tokens.weight']);
  });

  it('refuses two parameters of one path', () => {
    const parts = { a: new Parameter([1]), b: new Parameter([1]) };
    const clash = module('Clash', parts, (m, v: Value) => add(v, add(m.a, m.b)), { paths: { b: 'a' } });
    expect(() => namedParameters(clash)).toThrow(ConfigError);
    expect(() => namedParameters(clash)).toThrow(/Two parameters have the path 'a'/);
  });

  it('walks modules and parameters, parents first', () => {
    const kinds = [...walk(network())].map(
      ([path, part]) => `${path}:${isModule(part) ? part.kind : 'parameter'}`,
    );
    expect(kinds.slice(0, 4)).toEqual([
      ':Network',
      'embed:Linear',
      'embed.weight:parameter',
      'layers.0:Block',
    ]);
  });
});

describe('paths', () => {
  const inner = linear(2, 3);
  const outer = module('Outer', { language_model: inner }, (m, v: Value) => m.language_model(v), {
    paths: { language_model: '' },
  });

  it('leave out a segment that is empty', () => {
    expect([...namedParameters(outer).keys()]).toEqual(['weight']);
  });

  it('can be changed on a finished module, one by one', () => {
    const both = module('Both', { a: linear(2, 2), b: linear(2, 2) }, (m, v: Value) => m.b(m.a(v)), {
      paths: { a: 'first' },
    });
    const renamed = both.withPaths({ b: 'second' });
    expect([...namedParameters(renamed).keys()]).toEqual(['first.weight', 'second.weight']);
    expect([...namedParameters(both).keys()]).toEqual(['first.weight', 'b.weight']);
  });

  it('name nodes and parameters of the trace', () => {
    const graph = trace({ model: outer.withPaths({ language_model: 'text' }) }, { x }, ({ x: v }) => ({
      y: add(v, 1),
    }));
    expect(graph.parameters.size).toBe(0);
    const renamed = outer.withPaths({ language_model: 'text' }) as typeof outer;
    const traced = trace({ model: renamed }, { x }, ({ x: v }) => ({ y: renamed(v) }));
    expect([...traced.parameters.keys()]).toEqual(['model.text.weight']);
    expect(traced.nodes.find(({ op }) => op === 'Linear')?.path).toBe('model.text');
  });
});

describe('facts of a module', () => {
  it('are told again when its parts or its paths change', () => {
    const named = module(
      'Named',
      { weight: new Parameter([2]) },
      {},
      {
        facts: ({ weight }, paths) => ({ size: weight.shape[0], where: paths['weight'] ?? 'weight' }),
      },
    );
    expect([named.size, named.where]).toEqual([2, 'weight']);
    const moved = named.withPaths({ weight: 'w' }) as typeof named;
    expect([moved.size, moved.where]).toEqual([2, 'w']);
    expect((moved.withParts({ weight: new Parameter([3]) }) as typeof named).size).toBe(3);
  });
});

describe('calling a module', () => {
  it('describes a graph whose nodes know their module', () => {
    const graph = traceNetwork(network());
    expect(graph.nodes.filter(({ op }) => op === 'Linear').map(({ path }) => path)).toEqual([
      'embed',
      'layers.0.fc1',
      'layers.0.fc2',
      'layers.1.fc1',
      'layers.1.fc2',
    ]);
    expect(graph.outputs['y']!.shape).toEqual(['n', 3]);
  });

  it('fails outside of trace, and says what to do', () => {
    const model = network();
    const graph = traceNetwork(model);
    const call = () => model(graph.inputs.get('x')!);
    expect(call).toThrow(/Network was called outside of trace\(\)\.[^]*call them inside `trace\(model/);
    try {
      call();
    } catch (error) {
      expect(isWeftError(error) && error.code).toBe('WEFT_TRACE');
    }
  });

  it('fails on parameters that the traced tree does not hold', () => {
    const captured = linear(2, 2);
    const sneaky = module('Sneaky', {}, (_m, v: Value) => captured(v));
    expect(() => trace(sneaky, { x }, (inputs) => ({ y: sneaky(inputs.x) }))).toThrow(
      /A module 'Linear' that has parameters is not part of the traced model/,
    );
  });

  it('says where a shape does not fit, and leaves no trace open', () => {
    const model = network();
    const wrong = () =>
      trace({ model }, { x: { dtype: 'float32', shape: ['n', 4] } }, (inputs) => ({ y: model(inputs.x) }));
    expect(wrong).toThrow(/linear takes 2 channels, but x is \[n, 4\][^]*at model\.embed/);
    expect(() => model(traceNetwork(model).inputs.get('x')!)).toThrow(/outside of trace/);
  });

  it('offers several functions, and facts that need no trace', () => {
    const coder = module(
      'Coder',
      { weight: new Parameter([5, 3]) },
      {
        encode: (m, v: Value) => matmul(v, m.weight, { transposeB: true }),
        decode: (m, v: Value) => matmul(v, m.weight),
      },
      { facts: ({ weight }) => ({ codes: weight.shape[0]! }) },
    );
    expect(coder.codes).toBe(5);
    const graph = trace(coder, { x: { dtype: 'float32', shape: ['n', 3] } }, ({ x: v }) => ({
      y: coder.decode(coder.encode(v)),
    }));
    expect(graph.outputs['y']!.shape).toEqual(['n', 3]);
    expect((coder.withParts({ weight: new Parameter([7, 3]) }) as typeof coder).codes).toBe(7);
  });

  it('shares one value among all uses of a parameter', () => {
    const shared = linear(2, 2);
    const twice = module('Twice', { a: shared, b: shared }, (m, v: Value) => m.b(m.a(v)));
    const graph = trace(twice, { x }, (inputs) => ({ y: twice(inputs.x) }));
    expect(graph.nodes.filter(({ op }) => op === 'Parameter')).toHaveLength(1);
    expect(graph.nodes.filter(({ op }) => op === 'Linear')).toHaveLength(2);
  });
});
