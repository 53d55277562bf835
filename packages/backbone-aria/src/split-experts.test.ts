import { describe, expect, it } from 'vitest';
import { splitAriaExperts, storedAriaExperts } from './split-experts.js';

describe('splitAriaExperts', () => {
  it.each([
    'language_model.model.layers.3.mlp.experts.fc1.weight',
    'language_model.model.layers.3.mlp.experts.gate_up_proj',
  ])('cuts every expert out of %s', (name) => {
    expect(splitAriaExperts(name, [3, 5, 8])).toEqual(
      [0, 1, 2].map((expert) => ({
        name: `language_model.model.layers.3.mlp.experts.${expert}.fc1.weight`,
        start: 40 * expert,
        shape: [5, 8],
      })),
    );
  });

  it.each(['mlp.experts.fc2.weight', 'mlp.experts.down_proj'])('cuts every expert out of %s', (name) => {
    expect(splitAriaExperts(name, [2, 4, 5])?.[1]).toEqual({
      name: 'mlp.experts.1.fc2.weight',
      start: 20,
      shape: [4, 5],
    });
  });

  it('leaves all other tensors whole', () => {
    for (const name of [
      'mlp.experts.0.fc1.weight',
      'mlp.shared_experts.down_proj.weight',
      'mlp.router.weight',
    ])
      expect(splitAriaExperts(name, [2, 4, 5])).toBeUndefined();
    expect(splitAriaExperts('mlp.experts.down_proj', [4, 5])).toBeUndefined();
  });
});

describe('storedAriaExperts', () => {
  it('puts each piece back where it was taken from, and leaves others alone', () => {
    for (const [name, shape] of [
      ['model.layers.3.mlp.experts.fc1.weight', [3, 4, 10]],
      ['language_model.model.layers.0.mlp.experts.fc2.weight', [2, 5, 4]],
    ] as const)
      expect(splitAriaExperts(name, shape)!.map((piece) => storedAriaExperts(piece.name))).toEqual(
        Array.from({ length: shape[0] }, (_, index) => ({ name, index })),
      );
    for (const name of [
      'model.layers.0.mlp.shared_experts.gate_proj.weight',
      'model.layers.0.mlp.router.weight',
      'model.layers.0.mlp.experts.fc1.weight',
    ])
      expect(storedAriaExperts(name)).toBeUndefined();
  });
});
