import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { checkGoldenRuns, testDefinition, testVisionEncoder } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { anyShapeSiglip, anyShapeSiglipPart, type AnyShapeSiglipConfig } from './any-shape.js';
import { readSiglipConfig, siglipPresets } from './siglip.js';

const tiny: AnyShapeSiglipConfig = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 3,
  numAttentionHeads: 2,
  numChannels: 3,
  imageSize: 11,
  patchSize: 2,
  hiddenAct: 'gelu_pytorch_tanh',
  layerNormEps: 1e-6,
};

testVisionEncoder({
  tiny: () => anyShapeSiglip(tiny, { featureLayers: [0, -2] }),
  unread: {
    'encoder.layers.2': 'it comes after the last layer whose states are read',
    post_layernorm: 'it stands in checkpoints, and Aria reads states from before it',
  },
  variants: {
    'the last layer': () => anyShapeSiglip(tiny),
    'another activation': () => anyShapeSiglip({ ...tiny, hiddenAct: 'gelu' }, { featureLayers: [0, -2] }),
    'larger norms': () => anyShapeSiglip({ ...tiny, layerNormEps: 1e-2 }, { featureLayers: [0, -2] }),
  },
  feeds: {
    patches: { shape: [2, 6, 12], data: Array.from({ length: 144 }, (_, i) => Math.sin(i)) },
    patch_positions: { shape: [2, 6], data: [0, 2, 10, 12, 20, 22, 0, 1, 3, 5, 6, 8] },
  },
  sizes: [
    {
      name: "Aria's tower",
      create: () => anyShapeSiglip({ ...siglipPresets['so400m-patch14-384'], imageSize: 980 }),
      parameters: 417_792_240,
      tensors: 437,
    },
  ],
});

/** Tiles of 8 x 8 pixels, each value its place, of which the masks show some rows and columns. */
function tiles(...seen: readonly (readonly [height: number, width: number])[]): Record<string, TensorData> {
  const count = seen.length;
  const mask = seen.flatMap(([height, width]) =>
    Array.from({ length: 64 }, (_, i) => Number(Math.floor(i / 8) < height && i % 8 < width)),
  );
  return {
    pixel_values: {
      dtype: 'float32',
      shape: [count, 3, 8, 8],
      data: Float32Array.from({ length: count * 192 }, (_, i) => i),
    },
    pixel_mask: { dtype: 'uint8', shape: [count, 8, 8], data: Uint8Array.from(mask) },
  };
}

const positionsOf = (given: Record<string, TensorData>, config = tiny): number[][] =>
  anyShapeSiglip(config).prepare!(given).map(({ inputs }) =>
    [...inputs['patch_positions']!.data].map(Number),
  );

describe('anyShapeSiglip', () => {
  it.each([
    [-1, 'hidden_states.3'],
    [-2, 'hidden_states.2'],
    [0, 'hidden_states.0'],
  ])("gives the reference's states %i of a tile with padding and one without", async (layer, output) => {
    const model = (config: object) =>
      anyShapeSiglip(readSiglipConfig({ ...config }), { featureLayers: [layer] });
    const file = new URL('./__fixtures__/any-shape.safetensors', import.meta.url);
    expect(await checkGoldenRuns({ file, model, output })).toBeLessThan(1e-5);
  });

  it('reads the picture of a tile only, to the end of its last patches', () => {
    const [first, second] = anyShapeSiglip(tiny).prepare!(tiles([3, 5], [8, 2]));
    expect(first!.inputs['patches']!.shape).toEqual([1, 6, 12]);
    expect([...first!.inputs['patches']!.data.subarray(0, 6)]).toEqual([0, 1, 8, 9, 64, 65]);
    expect(second!.inputs['patches']!.shape).toEqual([1, 4, 12]);
    expect([...second!.inputs['patches']!.data.subarray(12, 14)]).toEqual([208, 209]);
    // The layout is that of the whole tile, which decides how many tokens it takes.
    expect([first!.layout, second!.layout]).toEqual(
      [1, 2].map(() => ({ kind: 'image', frames: 1, rows: 4, columns: 4 })),
    );
  });

  it('spreads the positions of a picture over the whole table', () => {
    expect(positionsOf(tiles([3, 5], [8, 8]))).toEqual([
      [0, 1, 3, 10, 11, 13],
      [0, 1, 2, 3].flatMap((row) =>
        [0, 1, 2, 3].map((column) => 5 * [0, 1, 2, 3][row]! + [0, 1, 2, 3][column]!),
      ),
    ]);
    const { pixel_values } = tiles([8, 8]);
    expect(positionsOf({ pixel_values: pixel_values! })).toEqual(positionsOf(tiles([8, 8])));
  });

  it("falls short of a cell where the reference's float32 does", () => {
    const width = 2 * 25;
    const wide = {
      pixel_values: { dtype: 'float32', shape: [1, 3, 2, width], data: new Float32Array(6 * width) },
    } as const;
    const [positions] = positionsOf(wide, { ...tiny, imageSize: 140 });
    expect([5, 10, 15, 20].map((i) => positions![i])).toEqual([13, 27, 41, 55]);
    expect([1, 4, 24].map((i) => positions![i])).toEqual([2, 11, 67]);
  });

  it('gives no run without pixels', () => {
    expect(anyShapeSiglip(tiny).prepare!({})).toEqual([]);
  });

  it('refuses masks and pixels that do not fit', () => {
    const prepare = (given: Record<string, TensorData>) => () => anyShapeSiglip(tiny).prepare!(given);
    const { pixel_values, pixel_mask } = tiles([8, 8]);
    expect(
      prepare({ pixel_values: pixel_values!, pixel_mask: tiles([8, 8], [8, 8])['pixel_mask']! }),
    ).toThrow(InputError);
    const moved = {
      ...pixel_mask!,
      data: Uint8Array.from({ length: 64 }, (_, i) => Number(i >= 32)),
    };
    expect(prepare({ pixel_values: pixel_values!, pixel_mask: moved })).toThrow(
      /picture in tile 0 of pixel_mask is not a rectangle at its upper left corner/,
    );
    expect(prepare(tiles([0, 0]))).toThrow(/is not a rectangle at its upper left corner/);
    expect(prepare({ pixel_values: { ...pixel_values!, shape: [1, 1, 3, 8, 8] } })).toThrow(
      /expected \[tiles, 3, height, width\] with patches of 2 x 2/,
    );
  });
});

testDefinition(anyShapeSiglipPart, {
  configs: [tiny, { ...tiny, featureLayers: [-1] }],
  unwritable: [{ ...tiny, featureLayers: [0, -2] }],
});
