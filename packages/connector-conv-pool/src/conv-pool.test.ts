import { ShapeError } from '@weft/errors';
import { checkGolden, testConnector, testDefinition } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { convPoolConnector, convPoolPart, type ConvPoolOptions } from './conv-pool.js';

const context = { visionSize: 6, textSize: 5, grid: [5, 7] } as const;

testConnector({
  tiny: convPoolConnector({ fill: 'columns' }),
  variants: {
    'what fills no square left out': convPoolConnector(),
    'rows and columns filled up': convPoolConnector({ fill: 'both' }),
    'larger squares': convPoolConnector({ fill: 'columns', kernelSize: 3 }),
    'another activation': convPoolConnector({ fill: 'columns', hiddenAct: 'silu' }),
  },
  context,
  names: {
    'conv.weight': [6, 6, 2, 2],
    'conv.bias': [6],
    'linear_1.weight': [5, 6],
    'linear_1.bias': [5],
    'linear_2.weight': [5, 5],
    'linear_2.bias': [5],
  },
});

describe('convPoolConnector', () => {
  it.each(['none', 'columns', 'both'] as const)(
    'gives the rows of a PyTorch module written from the report, filled up: %s',
    async (fill) => {
      const difference = await checkGolden({
        file: new URL('./__fixtures__/conv-pool.safetensors', import.meta.url),
        model: () => convPoolConnector({ fill })(context),
        outputs: (connector, { features }) => ({
          [fill]: connector.connect({ hiddenStates: features!, grid: context.grid }),
        }),
      });
      expect(difference).toBeLessThan(1e-5);
    },
  );

  it.each([
    [{}, 169],
    [{ fill: 'columns' }, 182],
    [{ fill: 'both' }, 196],
    [{ kernelSize: 3 }, 81],
  ] as const)("makes of SigLIP's 27 x 27 patches with %o %i tokens", (options: ConvPoolOptions, tokens) => {
    const connector = convPoolConnector(options)({ visionSize: 4, textSize: 3, grid: [27, 27] });
    expect(connector.countTokens([27, 27])).toBe(tokens);
  });

  it('refuses encoders without a grid, and grids without a square', () => {
    expect(() => convPoolConnector()({ ...context, grid: null })).toThrow(ShapeError);
    expect(() => convPoolConnector()({ ...context, grid: null })).toThrow(/needs features with a fixed grid/);
    expect(() => convPoolConnector({ fill: 'columns' })({ ...context, grid: [1, 1] })).toThrow(
      /A grid of 1 x 1 patches has no square of 2 x 2/,
    );
    expect(convPoolConnector({ fill: 'both' })({ ...context, grid: [1, 1] }).countTokens([1, 1])).toBe(1);
  });
});

testDefinition(convPoolPart, { configs: [{}, { kernelSize: 3, fill: 'both', hiddenAct: 'silu' }], context });
