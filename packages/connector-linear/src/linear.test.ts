import { namedParameters } from '@weft/graph';
import { testConnector, testDefinition } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { linearConnector, linearPart } from './linear.js';

const context = { visionSize: 7, textSize: 5, grid: [3, 5] } as const;

testConnector({
  tiny: linearConnector(),
  variants: {
    'no bias': linearConnector({ bias: false }),
  },
  context,
  names: { weight: [5, 7], bias: [5] },
  sizes: [
    {
      name: "Fuyu's vision_embed_tokens",
      create: () => linearConnector()({ visionSize: 2700, textSize: 4096, grid: null }),
      parameters: 2700 * 4096 + 4096,
      tensors: 2,
    },
  ],
});

describe('linearConnector without bias', () => {
  testConnector({ tiny: linearConnector({ bias: false }), context, names: { weight: [5, 7] } });
});

describe('linearConnector', () => {
  it('gives one token to each patch', () => {
    expect(linearConnector()(context).countTokens([24, 24])).toBe(576);
  });

  it('adds no segment to the names of its checkpoint', () => {
    expect([...namedParameters({ multi_modal_projector: linearConnector()(context) }).keys()]).toEqual([
      'multi_modal_projector.weight',
      'multi_modal_projector.bias',
    ]);
  });
});

testDefinition(linearPart, { configs: [{}, { bias: false }], context });
