import { ShapeError } from '@weft/errors';
import { input, makeGraph, trace } from '@weft/graph';
import { interpret, testConnector, testDefinition } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { pixelShuffle, pixelShuffleConnector, pixelShufflePart } from './pixel-shuffle.js';

testConnector({
  tiny: pixelShuffleConnector({ scaleFactor: 3 }),
  variants: {
    'patches as they are': pixelShuffleConnector({ scaleFactor: 1 }),
  },
  context: { visionSize: 5, textSize: 7, grid: [3, 6] },
  names: { 'modality_projection.proj.weight': [7, 45] },
  sizes: [
    {
      name: 'SmolVLM-256M',
      create: () =>
        pixelShuffleConnector({ scaleFactor: 4 })({ visionSize: 768, textSize: 576, grid: [32, 32] }),
      parameters: 768 * 16 * 576,
      tensors: 1,
    },
  ],
});

describe('pixelShuffle', () => {
  it('joins the patches of a block by row, column and channel, blocks by row', () => {
    const x = input('x', { dtype: 'float32', shape: ['tiles', 8, 2] });
    const graph = makeGraph({ y: pixelShuffle(x, [2, 4], 2) });
    // Patch number times ten plus channel.
    const data = Array.from({ length: 16 }, (_, i) => 10 * Math.floor(i / 2) + (i % 2));
    const { y } = interpret(graph, { x: { shape: [1, 8, 2], data } });
    expect(y!.shape).toEqual([1, 2, 8]);
    expect([...y!.data]).toEqual([0, 1, 10, 11, 40, 41, 50, 51, 20, 21, 30, 31, 60, 61, 70, 71]);
  });
});

describe('pixelShuffleConnector', () => {
  const sizes = { visionSize: 4, textSize: 6 };

  it('counts a token for each block', () => {
    expect(
      pixelShuffleConnector({ scaleFactor: 4 })({ ...sizes, grid: [32, 32] }).countTokens([32, 32]),
    ).toBe(64);
  });

  it('refuses a grid that its factor does not divide, when the model is composed', () => {
    const make = () => pixelShuffleConnector({ scaleFactor: 2 })({ ...sizes, grid: [27, 27] });
    expect(make).toThrow(ShapeError);
    expect(make).toThrow(/Pixel shuffle by 2 needs a grid that 2 divides, but the encoder's is 27 x 27/);
  });

  it('refuses features without a grid', () => {
    const connector = pixelShuffleConnector({ scaleFactor: 2 })({ ...sizes, grid: null });
    const types = { features: { dtype: 'float32', shape: ['tiles', 4, 4] } } as const;
    expect(() =>
      trace(connector, types, ({ features }) => ({
        y: connector.connect({ hiddenStates: features, grid: null }),
      })),
    ).toThrow(/needs features with a grid/);
  });
});

testDefinition(pixelShufflePart, {
  configs: [{ scaleFactor: 3 }],
  context: { visionSize: 3, textSize: 5, grid: [12, 12] },
});
