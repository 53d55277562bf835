import { ConfigError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { mapModules, replaceAt } from './map-modules.js';
import { isModule, module, namedParameters, repeat } from './module.js';
import type { AnyModule } from './part.js';
import { add, mul } from './ops.js';
import { Parameter } from './parameter.js';
import { linear as linearOp } from './semantic.js';
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

describe('mapModules', () => {
  it('returns the same tree when nothing changes', () => {
    const model = network();
    expect(mapModules(model, (part) => part)).toBe(model);
  });

  it('keeps shared parts shared', () => {
    const shared = linear(2, 2);
    const tree = { a: shared, b: shared, list: [shared] };
    const mapped = mapModules(tree, (part) => (part instanceof Parameter ? new Parameter([2, 2]) : part));
    expect(mapped.a).not.toBe(shared);
    expect(mapped.b).toBe(mapped.a);
    expect(mapped.list[0]).toBe(mapped.a);
  });

  it('refuses a change that replaces fewer parts than asked for, and says what it looked for', () => {
    const options = { atLeast: 1, what: "linear layers at paths that end with 'q_proj'" };
    const change = () => mapModules(network(), (part) => part, options);
    expect(change).toThrow(ConfigError);
    expect(change).toThrow(/No part of the tree was replaced, looking for linear layers at paths that end/);
    const scales = (atLeast: number) =>
      mapModules(
        network(),
        (part, path) => (path.endsWith('scale') ? new Parameter([3], { kind: 'zeros' }) : part),
        { atLeast },
      );
    expect([...namedParameters(scales(2)).keys()]).toHaveLength(7);
    expect(() => scales(3)).toThrow(/Only 2 parts of the tree were replaced; expected at least 3/);
  });

  it('tells the path of every part', () => {
    const paths: string[] = [];
    mapModules(network(), (part, path) => {
      if (isModule(part)) paths.push(path);
      return part;
    });
    expect(paths).toEqual([
      'embed',
      'layers.0.fc1',
      'layers.0.fc2',
      'layers.0',
      'layers.1.fc1',
      'layers.1.fc2',
      'layers.1',
      '',
    ]);
  });

  it('adds low-rank adapters without renaming what the checkpoint holds', () => {
    const withAdapter = (base: AnyModule) => {
      const [out, size] = (base.parts['weight'] as Parameter).shape as [number, number];
      const parts = {
        base: base as AnyModule & ((v: Value) => Value),
        lora_A: new Parameter([1, size]),
        lora_B: new Parameter([out, 1], { kind: 'zeros' }),
      };
      return module(
        'LowRank',
        parts,
        (m, v: Value) => add(m.base(v), linearOp(linearOp(v, m.lora_A), m.lora_B)),
        { paths: { base: '' } },
      );
    };
    const model = network();
    const adapted = mapModules(model, (part, path) =>
      isModule(part) && part.kind === 'Linear' && path.endsWith('.fc1') ? withAdapter(part) : part,
    );
    const names = [...namedParameters(adapted).keys()];
    expect(names).toEqual(expect.arrayContaining([...namedParameters(model).keys()]));
    expect(names.filter((path) => !namedParameters(model).has(path))).toEqual([
      'layers.0.fc1.lora_A',
      'layers.0.fc1.lora_B',
      'layers.1.fc1.lora_A',
      'layers.1.fc1.lora_B',
    ]);
    const graph = traceNetwork(adapted);
    expect(graph.parameters.has('layers.1.fc1.lora_B')).toBe(true);
    expect(graph.outputs['y']!.shape).toEqual(['n', 3]);
  });
});

describe('replaceAt', () => {
  const model = network();

  it('replaces the part at a path and nothing else', () => {
    const replaced = replaceAt(model, 'layers.1.fc1', () => linear(3, 6));
    const [before, after] = [model, replaced].map((tree) => namedParameters(tree));
    const changed = [...before!].filter(([path, parameter]) => after!.get(path) !== parameter);
    expect(changed.map(([path]) => path)).toEqual(['layers.1.fc1.weight']);
    const { node } = traceNetwork(replaced).parameters.get('layers.1.fc1.weight')!;
    expect((node.attributes as { readonly parameter: Parameter }).parameter).toBe(
      after!.get('layers.1.fc1.weight'),
    );
  });

  it('gives the part that stands there, module or parameter', () => {
    const kinds: string[] = [];
    replaceAt(model, 'layers.0', (part) => {
      kinds.push(isModule(part) ? part.kind : 'parameter');
      return part;
    });
    replaceAt(model, 'layers.0.scale', (part) => {
      kinds.push(isModule(part) ? part.kind : 'parameter');
      return part;
    });
    expect(kinds).toEqual(['Block', 'parameter']);
  });

  it('refuses a path at which nothing stands, and lists what stands near it', () => {
    expect(() => replaceAt(model, 'layers.2.fc1', () => null)).toThrow(ConfigError);
    expect(() => replaceAt(model, 'layers.2.fc1', () => null)).toThrow(
      /no part at 'layers\.2\.fc1'[^]*'layers' has: 0, 1\./,
    );
    expect(() => replaceAt(model, 'head', () => null)).toThrow(/The tree has: embed, layers\./);
  });

  it('refuses a path at which several parts stand', () => {
    const inner = linear(2, 2);
    const outer = module('Outer', { inner }, (m, v: Value) => m.inner(v), { paths: { inner: '' } });
    expect(() => replaceAt({ outer }, 'outer', () => null)).toThrow(
      /2 parts stand at 'outer': Outer, Linear/,
    );
  });
});

describe('trace over a changed tree', () => {
  it('refuses a module of the tree as it was', () => {
    const model = network();
    const changed = replaceAt(model, 'layers.0.fc1', () => linear(3, 6));
    const stale = () => trace(changed, { x }, (inputs) => ({ y: model(inputs.x) }));
    expect(stale).toThrow(ConfigError);
    expect(stale).toThrow(
      /A module 'Network' that has parameters is not part of the traced model[^]*mapModel/,
    );
    expect(traceNetwork(changed).parameters.size).toBe(7);
  });

  it('takes modules without parameters from anywhere', () => {
    const double = module('Double', {}, (_, v: Value) => add(v, v));
    const model = linear(2, 3);
    expect(trace(model, { x }, (inputs) => ({ y: double(model(inputs.x)) })).outputs['y']!.shape).toEqual([
      'n',
      3,
    ]);
  });
});
