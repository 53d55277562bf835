import { WeightError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { matchWeights, type WeightsToMatch } from './match.js';
import type { TensorEntry } from './safetensors.js';

const fileOf = (shapes: Record<string, readonly number[]>): WeightsToMatch['file'] => ({
  path: '/models/tiny',
  tensors: new Map(
    Object.entries(shapes).map(([name, shape]): [string, TensorEntry] => [
      name,
      { name, dtype: 'F32', shape, file: '/models/tiny/model.safetensors', offset: 8, byteLength: 0 },
    ]),
  ),
});

const expectedOf = (shapes: Record<string, readonly number[]>): WeightsToMatch['expected'] =>
  new Map(Object.entries(shapes).map(([path, shape]) => [path, { shape }]));

const failure = (weights: WeightsToMatch): WeightError => {
  try {
    matchWeights(weights);
  } catch (error) {
    if (error instanceof WeightError) return error;
    throw error;
  }
  throw new Error('The weights fit, though they should not.');
};

describe('weights that fit', () => {
  it('give one entry per parameter', () => {
    const file = fileOf({ 'a.weight': [2, 3], 'a.bias': [2] });
    const { entries, unused } = matchWeights({
      expected: expectedOf({ 'a.bias': [2], 'a.weight': [2, 3] }),
      file,
    });
    expect(entries.get('a.weight')).toBe(file.tensors.get('a.weight'));
    expect([...entries.keys()].toSorted()).toEqual(['a.bias', 'a.weight']);
    expect(unused).toEqual([]);
  });

  it('follow the renaming, and list what is left out with its reason', () => {
    const { entries, unused } = matchWeights({
      expected: expectedOf({ 'a.weight': [2] }),
      file: fileOf({ 'model.a.weight': [2], 'model.rotary.inv_freq': [4], 'opt.step': [] }),
      rename: (name) => (name.startsWith('opt.') ? null : name.replace(/^model\./, '')),
      unused: (name) => (name.endsWith('inv_freq') ? { reason: 'computed, not learnt' } : undefined),
    });
    expect(entries.get('a.weight')!.name).toBe('model.a.weight');
    expect(unused.map(({ name, reason }) => ({ name, reason }))).toEqual([
      { name: 'model.rotary.inv_freq', reason: 'computed, not learnt' },
      { name: 'opt.step', reason: 'left out by the renaming' },
    ]);
    expect(unused[0]!.entry).toMatchObject({ name: 'model.rotary.inv_freq', shape: [4] });
  });

  it('use a parameter of the model even if there is a reason not to', () => {
    const { entries, unused } = matchWeights({
      expected: expectedOf({ head: [1] }),
      file: fileOf({ head: [1] }),
      unused: () => ({ reason: 'tied' }),
    });
    expect([entries.size, unused.length]).toEqual([1, 0]);
  });
});

describe('weights that do not fit', () => {
  it('are reported all at once: missing with the closest name, shapes, and tensors nobody asked for', () => {
    const error = failure({
      expected: expectedOf({
        'layer_norm.bias': [4],
        'position.weight': [729, 1152],
        proj: [1],
        gone_entirely: [],
      }),
      file: fileOf({ 'layernorm.bias': [4], 'position.weight': [196, 768], proj: [1] }),
    });
    expect(error.message).toBe(
      [
        '3 of 4 parameters do not fit tiny, which has 3 tensors.',
        '  missing: 2',
        '    layer_norm.bias',
        '      not in the file. Closest name: layernorm.bias',
        '    gone_entirely',
        '      not in the file',
        '  of another shape: 1',
        '    position.weight',
        '      expected [729, 1152], the file has [196, 768]',
        '  in the file, but not in the model: 1',
        '    layernorm.bias',
        '  at /models/tiny',
        '  Check that the checkpoint belongs to this model and to this configuration.',
      ].join('\n'),
    );
  });

  it('include shapes with the same numbers in another order and of another rank', () => {
    const { message } = failure({
      expected: expectedOf({ a: [2, 3], b: [6], c: [] }),
      file: fileOf({ a: [3, 2], b: [6, 1], c: [1] }),
    });
    expect(message).toContain('expected [2, 3], the file has [3, 2]');
    expect(message).toContain('expected [6], the file has [6, 1]');
    expect(message).toContain('expected [], the file has [1]');
  });

  it('are cut to ten per section, with the number of the others', () => {
    const many = (prefix: string, shape: number[]): Record<string, number[]> =>
      Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`${prefix}.${i}`, shape]));
    const { message } = failure({
      expected: expectedOf({ ...many('missing', [1]), ...many('shape', [1]) }),
      file: fileOf({ ...many('shape', [2]), ...many('unexpected', [1]) }),
    });
    expect(message).toContain('50 of 50 parameters do not fit');
    expect(message.match(/and 15 more/g)).toHaveLength(3);
    expect(message.match(/not in the file/g)).toHaveLength(10);
    expect(message.match(/the file has \[2\]/g)).toHaveLength(10);
  });

  it('name both tensors that the renaming sends to one parameter', () => {
    const { message } = failure({
      expected: expectedOf({ a: [1] }),
      file: fileOf({ 'x.a': [1], 'y.a': [1] }),
      rename: (name) => name.slice(2),
    });
    expect(message).toContain('both "x.a" and "y.a" of the file');
    expect(message).toContain('1 of 1 parameters do not fit');
  });

  it('compare missing names after the renaming and show the name in the file', () => {
    const { message } = failure({
      expected: expectedOf({ 'norm.weight': [1] }),
      file: fileOf({ 'some.long.prefix.norm.weights': [1] }),
      rename: (name) => name.replace('some.long.prefix.', ''),
    });
    expect(message).toContain(
      'norm.weight\n      not in the file. Closest name: some.long.prefix.norm.weights',
    );
  });

  it('say so when only the file has too much', () => {
    const { message } = failure({ expected: expectedOf({ a: [1] }), file: fileOf({ a: [1], b: [1] }) });
    expect(message).toContain('1 of 2 tensors of tiny have no place in the model.');
  });

  it('are found in models of thousands of parameters', () => {
    const names = Array.from({ length: 2000 }, (_, i) => `model.layers.${i}.self_attn.q_proj.weight`);
    const shapes = (prefix: string): Record<string, number[]> =>
      Object.fromEntries(names.map((n) => [prefix + n, [1]]));
    const { message } = failure({ expected: expectedOf(shapes('')), file: fileOf(shapes('x.')) });
    expect(message).toContain('Closest name: x.model.layers.0.self_attn.q_proj.weight');
  });
});
