import { describe, expect, it } from 'vitest';
import { splitExperts } from './split-experts.js';

describe('splitExperts', () => {
  it('cuts the gate and up of every expert out of one tensor', () => {
    expect(splitExperts('model.layers.3.mlp.experts.gate_up_proj', [2, 6, 5])).toEqual([
      { name: 'model.layers.3.mlp.experts.0.gate_proj.weight', start: 0, shape: [3, 5] },
      { name: 'model.layers.3.mlp.experts.0.up_proj.weight', start: 15, shape: [3, 5] },
      { name: 'model.layers.3.mlp.experts.1.gate_proj.weight', start: 30, shape: [3, 5] },
      { name: 'model.layers.3.mlp.experts.1.up_proj.weight', start: 45, shape: [3, 5] },
    ]);
  });

  it('cuts the experts out of the stacked down projections', () => {
    expect(splitExperts('mlp.experts.down_proj', [2, 5, 3])?.[1]).toEqual({
      name: 'mlp.experts.1.down_proj.weight',
      start: 15,
      shape: [5, 3],
    });
  });

  it('leaves all other tensors whole', () => {
    for (const name of [
      'model.layers.0.mlp.experts.0.down_proj.weight',
      'model.layers.0.mlp.down_proj.weight',
      'mlp.experts.down_proj',
    ])
      expect(splitExperts(name, [5, 3])).toBeUndefined();
  });
});
