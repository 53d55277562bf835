import { trace } from '@weft/graph';
import { interpret, testDefinition, testVisionEncoder } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { rawPatches, rawPatchesPart } from './patch.js';

testVisionEncoder({
  tiny: () => rawPatches({ patchSize: 3, numChannels: 2, imageSize: [7, 11] }),
  symbols: { tiles: 2, patches: 3 },
  variants: {
    'free resolution': () => rawPatches({ patchSize: 3, numChannels: 2, imageSize: null }),
  },
  sizes: [
    {
      name: 'Fuyu',
      create: () => rawPatches({ patchSize: 30, numChannels: 3, imageSize: [1080, 1920] }),
      parameters: 0,
      tensors: 0,
    },
  ],
});

describe('rawPatches of free resolution', () => {
  testVisionEncoder({ tiny: () => rawPatches({ patchSize: 3, numChannels: 2, imageSize: null }) });
});

describe('rawPatches', () => {
  it('lists pixels by row, column and channel, patches by row, and ignores what fills no patch', () => {
    const encoder = rawPatches({ patchSize: 2, numChannels: 2, imageSize: [2, 5] });
    const graph = trace(encoder, encoder.inputs, (inputs) => ({
      features: encoder.encode(inputs).hiddenStates,
    }));
    // Each pixel's value says where it is: channel, row, column.
    const data = [0, 1].flatMap((channel) =>
      [0, 1].flatMap((row) => [0, 1, 2, 3, 4].map((column) => 100 * channel + 10 * row + column)),
    );
    const { features } = interpret(graph, { pixel_values: { shape: [1, 2, 2, 5], data } });
    expect(features!.shape).toEqual([1, 2, 8]);
    expect([...features!.data]).toEqual([0, 100, 1, 101, 10, 110, 11, 111, 2, 102, 3, 103, 12, 112, 13, 113]);
  });

  it('has 2700 numbers in a patch of Fuyu, 36 by 64 of them in a full picture', () => {
    const fuyu = rawPatches({ patchSize: 30, numChannels: 3, imageSize: [1080, 1920] });
    expect(fuyu.hiddenSize).toBe(2700);
    expect(fuyu.grid).toEqual([36, 64]);
  });
});

testDefinition(rawPatchesPart, {
  configs: [
    { patchSize: 3, numChannels: 2, imageSize: [7, 11] },
    { patchSize: 3, numChannels: 2, imageSize: null },
  ],
});
