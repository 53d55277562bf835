import { checkGolden, testConnector, testDefinition } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { shuffleMlpConnector, shuffleMlpPart } from './shuffle-mlp.js';

const context = { visionSize: 3, textSize: 7, grid: [2, 4] } as const;
const norm = { 'layer_norm.weight': [12], 'layer_norm.bias': [12] };

testConnector({
  tiny: shuffleMlpConnector({ scaleFactor: 2 }),
  variants: {
    'one linear layer': shuffleMlpConnector({ scaleFactor: 2, intermediateSize: null }),
    'no biases': shuffleMlpConnector({ scaleFactor: 2, bias: false }),
    'another activation': shuffleMlpConnector({ scaleFactor: 2, hiddenAct: 'silu' }),
    'larger norms': shuffleMlpConnector({ scaleFactor: 2, normEps: 1e-2 }),
  },
  context,
  names: {
    ...norm,
    'linear_1.weight': [7, 12],
    'linear_1.bias': [7],
    'linear_2.weight': [7, 7],
    'linear_2.bias': [7],
  },
  sizes: [
    {
      name: "NVLM-D 72B's",
      create: () =>
        shuffleMlpConnector({ scaleFactor: 2, intermediateSize: 29568, bias: false })({
          visionSize: 3200,
          textSize: 8192,
          grid: [32, 32],
        }),
      parameters: 620_717_056,
      tensors: 4,
    },
  ],
});

describe('shuffleMlpConnector with one layer', () => {
  testConnector({
    tiny: shuffleMlpConnector({ scaleFactor: 2, intermediateSize: null, bias: false }),
    context,
    names: { ...norm, 'linear_1.weight': [7, 12] },
  });
});

describe('shuffleMlpConnector', () => {
  it("gives the rows of InternVL's projector", async () => {
    const difference = await checkGolden({
      file: new URL('./__fixtures__/internvl-projector.safetensors', import.meta.url),
      model: () => shuffleMlpConnector({ scaleFactor: 2 })({ visionSize: 6, textSize: 10, grid: [4, 4] }),
      outputs: (connector, { features }) => ({
        rows: connector.connect({ hiddenStates: features!, grid: [4, 4] }),
      }),
    });
    expect(difference).toBeLessThan(1e-5);
  });

  it('counts a token for each block, and refuses a grid that its factor does not divide', () => {
    const connector = shuffleMlpConnector({ scaleFactor: 2 });
    expect(connector(context).countTokens([32, 32])).toBe(256);
    expect(() => connector({ ...context, grid: [3, 4] })).toThrow(/Pixel shuffle by 2 needs a grid/);
  });
});

testDefinition(shuffleMlpPart, {
  configs: [
    { scaleFactor: 2 },
    { scaleFactor: 1, intermediateSize: 11, bias: false, hiddenAct: 'silu', normEps: 1e-6 },
    { scaleFactor: 2, intermediateSize: null },
  ],
  context,
});
