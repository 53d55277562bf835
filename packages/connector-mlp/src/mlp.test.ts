import { namedParameters } from '@weft/graph';
import { testConnector, testDefinition } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { mlpConnector, mlpPart } from './mlp.js';

const context = { visionSize: 7, textSize: 5, grid: [3, 5] } as const;
const matrices = { 'linear_1.weight': [5, 7], 'linear_2.weight': [5, 5] };

testConnector({
  tiny: mlpConnector(),
  variants: {
    'no biases': mlpConnector({ bias: false }),
    'another activation': mlpConnector({ hiddenAct: 'silu' }),
    'three layers': mlpConnector({ depth: 3 }),
    'one layer': mlpConnector({ depth: 1 }),
  },
  context,
  names: { ...matrices, 'linear_1.bias': [5], 'linear_2.bias': [5] },
  sizes: [
    {
      name: 'LLaVA-1.5 7B',
      create: () => mlpConnector()({ visionSize: 1024, textSize: 4096, grid: [24, 24] }),
      parameters: 20_979_712,
      tensors: 4,
    },
  ],
});

describe('mlpConnector with another activation and without biases', () => {
  testConnector({ tiny: mlpConnector({ hiddenAct: 'silu', bias: false }), context, names: matrices });
});

describe('mlpConnector', () => {
  it('gives one token to each patch', () => {
    expect(mlpConnector()(context).countTokens([24, 24])).toBe(576);
  });

  it('has as many layers as it is told, all but the first as wide as the text', () => {
    const shapes = (depth: number) =>
      [...namedParameters(mlpConnector({ depth, bias: false })(context))].map(([name, { shape }]) => [
        name,
        shape,
      ]);
    const first = ['linear_1.weight', [5, 7]];
    const others = [2, 3, 4].map((number) => [`linear_${number}.weight`, [5, 5]]);
    for (const depth of [1, 2, 3, 4]) expect(shapes(depth)).toEqual([first, ...others.slice(0, depth - 1)]);
    expect(() => mlpConnector({ depth: 0 })).toThrow(/0 linear layers/);
    for (const depth of [-1, 1.5, Number.NaN, 1e9])
      expect(() => mlpConnector({ depth })).toThrow(/depth is .*, expected a whole number/);
  });

  it('names the activations that it knows, before any model is built', () => {
    expect(() => mlpConnector({ hiddenAct: 'mish' as 'silu' })).toThrow(
      /hiddenAct is "mish", expected an activation: gelu, /,
    );
  });
});

testDefinition(mlpPart, { configs: [{}, { hiddenAct: 'silu', bias: false }], context });
