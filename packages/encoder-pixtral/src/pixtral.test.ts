import { InputError } from '@weft/errors';
import { namedParameters, type TensorData } from '@weft/graph';
import { checkGoldenRuns, testDefinition, testVisionEncoder } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import {
  pixtralVision,
  pixtralVisionPart,
  pixtralVisionPresets,
  readPixtralVisionConfig,
  type PixtralVisionConfig,
} from './pixtral.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: PixtralVisionConfig = {
  hiddenSize: 16,
  intermediateSize: 13,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numChannels: 3,
  patchSize: 2,
  imageSize: 12,
  hiddenAct: 'silu',
  ropeTheta: 300,
};

/** A padded batch as the reference's processor makes it; each pixel's value is its place in the tensor. */
function batch(
  sizes: readonly (readonly [height: number, width: number])[],
  [height, width]: readonly [number, number],
): Record<string, TensorData> {
  const shape = [sizes.length, 3, height, width];
  return {
    pixel_values: {
      dtype: 'float32',
      shape,
      data: Float32Array.from({ length: sizes.length * 3 * height * width }, (_, i) => i),
    },
    image_sizes: { dtype: 'int64', shape: [sizes.length, 2], data: BigInt64Array.from(sizes.flat(), BigInt) },
  };
}

const { inputs } = pixtralVision(tiny).prepare!(batch([[4, 6]], [4, 6]))[0]!;
const feeds = {
  patches: { shape: [2, 6, 12], data: Array.from({ length: 144 }, (_, i) => Math.sin(i)) },
  positions: { shape: [2, 6], data: [...inputs['positions']!.data].map(Number) },
};

testVisionEncoder({
  tiny: () => pixtralVision(tiny, { featureLayers: [0, -1] }),
  variants: {
    'the last layer': () => pixtralVision(tiny),
    'the channels of native checkpoints': () =>
      pixtralVision(tiny, { featureLayers: [0, -1], ropeInterleaved: true }),
    'another activation': () => pixtralVision({ ...tiny, hiddenAct: 'gelu' }, { featureLayers: [0, -1] }),
    'other frequencies': () => pixtralVision({ ...tiny, ropeTheta: 0.5e3 }, { featureLayers: [0, -1] }),
  },
  feeds,
  create: () => pixtralVision('pixtral-12b'),
  checkpoint: fixture('pixtral-12b.header.json'),
  sizes: [
    {
      name: 'pixtral-12b',
      create: () => pixtralVision('pixtral-12b'),
      parameters: 403_489_792,
      tensors: 218,
    },
  ],
});

describe('pixtralVision with the channels of native checkpoints', () => {
  testVisionEncoder({ tiny: () => pixtralVision(tiny, { ropeInterleaved: true }), feeds });
});

describe('pixtralVision', () => {
  it.each([
    [-1, 'hidden_states.3'],
    [1, 'hidden_states.1'],
  ])("gives the reference's states %i of two pictures in a padded batch", async (layer, output) => {
    const model = (config: object) =>
      pixtralVision(readPixtralVisionConfig({ ...config }), { featureLayers: [layer] });
    expect(await checkGoldenRuns({ file: fixture('pixtral.safetensors'), model, output })).toBeLessThan(1e-5);
  });

  it('makes one run of each picture, without its padding', () => {
    const runs = pixtralVision(tiny).prepare!(
      batch(
        [
          [2, 4],
          [4, 2],
        ],
        [4, 4],
      ),
    );
    expect(runs.map(({ layout }) => layout)).toEqual([
      { kind: 'image', frames: 1, rows: 1, columns: 2 },
      { kind: 'image', frames: 1, rows: 2, columns: 1 },
    ]);
    // Channel, then row, then column of a patch.
    expect([...runs[0]!.inputs['patches']!.data.subarray(0, 12)]).toEqual([
      0, 1, 4, 5, 16, 17, 20, 21, 32, 33, 36, 37,
    ]);
    expect([...runs[1]!.inputs['patches']!.data.subarray(12)]).toEqual([
      56, 57, 60, 61, 72, 73, 76, 77, 88, 89, 92, 93,
    ]);
    expect([...runs[1]!.inputs['positions']!.data]).toEqual([0n, 1n, 0n, 0n]);
  });

  it('takes pixels without sizes as they are, and gives no run without pixels', () => {
    const { pixel_values } = batch([[4, 4]], [4, 4]);
    expect(pixtralVision(tiny).prepare!({ pixel_values: pixel_values! })).toHaveLength(1);
    expect(pixtralVision(tiny).prepare!({})).toEqual([]);
  });

  it('refuses sizes that the pixels do not have, and pictures smaller than a patch', () => {
    const prepare = (given: Record<string, TensorData>) => () => pixtralVision(tiny).prepare!(given);
    expect(prepare(batch([[6, 4]], [4, 4]))).toThrow(InputError);
    expect(prepare(batch([[6, 4]], [4, 4]))).toThrow(/Picture 0 is 4 x 6 pixels; pixel_values has 4 x 4/);
    expect(prepare(batch([[1, 4]], [4, 4]))).toThrow(/a patch is 2 x 2/);
    expect(prepare({ image_sizes: batch([[4, 4]], [4, 4])['image_sizes']! })).toThrow(
      /pixel_values is missing/,
    );
    expect(
      prepare({ pixel_values: { dtype: 'float32', shape: [1, 4, 2, 2], data: new Float32Array(16) } }),
    ).toThrow(/expected \[pictures, 3, height, width\]/);
  });

  it('has parameters of the same names and shapes with either pairing of channels', () => {
    const names = (ropeInterleaved: boolean) => [
      ...namedParameters(pixtralVision(tiny, { ropeInterleaved })).keys(),
    ];
    expect(names(true)).toEqual(names(false));
  });

  it('names the presets it has, and reads a published config', () => {
    expect(() => pixtralVision('pixtral-large' as never)).toThrow(
      `encoder-pixtral has no preset 'pixtral-large'.\n  It has: ${Object.keys(pixtralVisionPresets).join(', ')}.`,
    );
    expect(
      readPixtralVisionConfig({ head_dim: 64, hidden_act: 'silu', image_size: 1024, rope_theta: 10000 }),
    ).toEqual(pixtralVisionPresets['pixtral-12b']);
  });
});

testDefinition(pixtralVisionPart, {
  configs: [tiny, { ...tiny, featureLayers: [-1], ropeInterleaved: false }],
  unwritable: [
    { ...tiny, featureLayers: [0, -1] },
    { ...tiny, ropeInterleaved: true },
  ],
});
