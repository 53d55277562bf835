import { InputError } from '@weft/errors';
import { trace, type TensorData } from '@weft/graph';
import {
  checkGoldenRuns,
  interpret,
  randomParameters,
  randomTensor,
  testDefinition,
  testVisionEncoder,
} from '@weft/testing';
import { describe, expect, it } from 'vitest';
import {
  aspectRatiosOf,
  mllamaVision,
  mllamaVisionPart,
  mllamaVisionPresets,
  readMllamaVisionConfig,
  type MllamaVisionConfig,
} from './mllama.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: MllamaVisionConfig = {
  hiddenSize: 6,
  intermediateSize: 7,
  numHiddenLayers: 3,
  numGlobalLayers: 1,
  numAttentionHeads: 2,
  numChannels: 3,
  imageSize: 5,
  patchSize: 2,
  maxNumTiles: 2,
  supportedAspectRatios: [
    [1, 1],
    [1, 2],
    [2, 1],
  ],
  intermediateLayersIndices: [0, 2],
  hiddenAct: 'gelu',
  normEps: 1e-5,
};

const feeds = {
  pixel_values: randomTensor([2, 2, 3, 5, 5], 3),
  aspect_ratio_ids: { shape: [2], data: [3, 1] },
  aspect_ratio_mask: { shape: [2, 2], data: [1, 1, 1, 0] },
};

testVisionEncoder({
  tiny: () => mllamaVision(tiny),
  variants: {
    'states from after their layers': () => mllamaVision(tiny, { capture: 'after' }),
    'states of no layer but the last': () => mllamaVision({ ...tiny, intermediateLayersIndices: [] }),
    'another activation': () => mllamaVision({ ...tiny, hiddenAct: 'quick_gelu' }),
    'larger norms': () => mllamaVision({ ...tiny, normEps: 1e-2 }),
    'more shapes of pictures': () =>
      mllamaVision({ ...tiny, supportedAspectRatios: [...tiny.supportedAspectRatios, [2, 2]] }),
  },
  feeds,
  axes: ['2*pictures', 'tokens'],
  create: () => mllamaVision('llama-3.2-vision'),
  checkpoint: fixture('llama-3.2-vision.header.json'),
  sizes: [
    {
      name: 'llama-3.2-vision',
      create: () => mllamaVision('llama-3.2-vision'),
      parameters: 863_567_379,
      tensors: 509,
    },
  ],
});

/** Samples as the reference's processor makes them; each number is its place in the tensor. */
function batch(samples: number, images: number, ids: readonly number[]): Record<string, TensorData> {
  const count = samples * images * 2;
  return {
    pixel_values: {
      dtype: 'float32',
      shape: [samples, images, 2, 3, 5, 5],
      data: Float32Array.from({ length: count * 75 }, (_, i) => i),
    },
    aspect_ratio_ids: { dtype: 'int64', shape: [samples, images], data: BigInt64Array.from(ids, BigInt) },
    aspect_ratio_mask: {
      dtype: 'int64',
      shape: [samples, images, 2],
      data: BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 3 === 0)),
    },
  };
}

describe('mllamaVision', () => {
  it.each(['before', 'after'] as const)(
    "gives the reference's features of several pictures with states from %s their layers",
    async (capture) => {
      const model = (config: object) => mllamaVision(readMllamaVisionConfig({ ...config }), { capture });
      expect(
        await checkGoldenRuns({ file: fixture('mllama.safetensors'), model, output: capture }),
      ).toBeLessThan(1e-5);
    },
  );

  it('takes the states from before the layers unless told otherwise', () => {
    expect(mllamaVision(tiny).config['capture']).toBe('before');
  });

  it('lets real tokens see the tiles that fill up a picture', () => {
    const encoder = mllamaVision(tiny);
    const graph = trace(encoder, encoder.inputs, (inputs) => ({
      features: encoder.encode(inputs).hiddenStates,
    }));
    const parameters = randomParameters(encoder, 5);
    const run = (fill: number) => {
      const data = feeds.pixel_values.data.map((x, i) => (i >= 3 * 75 ? fill : x));
      return interpret(
        graph,
        { ...feeds, pixel_values: { shape: feeds.pixel_values.shape, data } },
        parameters,
      )['features']!;
    };
    const [dark, light] = [run(0), run(1)];
    const size = encoder.hiddenSize * 5;
    const difference = (tile: number) =>
      Math.max(
        ...[...dark.data.subarray(tile * size, (tile + 1) * size)].map((x, i) =>
          Math.abs(x - light.data[tile * size + i]!),
        ),
      );
    // The second picture is the one with a filler; the first does not see it.
    expect(difference(0)).toBe(0);
    expect(difference(1)).toBe(0);
    expect(difference(2)).toBeGreaterThan(1e-3);
  });

  it('makes one run of each picture, missing ones included', () => {
    const runs = mllamaVision(tiny).prepare!(batch(2, 2, [2, 0, 1, 3]));
    expect(runs.map(({ inputs }) => [...inputs['aspect_ratio_ids']!.data])).toEqual([[2n], [0n], [1n], [3n]]);
    expect(runs[1]!.inputs['pixel_values']!.shape).toEqual([1, 2, 3, 5, 5]);
    expect(runs[1]!.inputs['pixel_values']!.data[0]).toBe(150);
    expect([...runs[3]!.inputs['aspect_ratio_mask']!.data]).toEqual([1n, 0n]);
    expect(runs[0]!.layout).toEqual({ kind: 'image', frames: 1, rows: 2, columns: 5 });
    expect(mllamaVision(tiny).prepare!({})).toEqual([]);
  });

  it('refuses tensors that do not fit it or each other', () => {
    const prepare = (given: Record<string, TensorData>) => () => mllamaVision(tiny).prepare!(given);
    const good = batch(1, 2, [1, 2]);
    const { pixel_values, aspect_ratio_ids } = good;
    expect(prepare({ pixel_values: pixel_values! })).toThrow(InputError);
    expect(prepare({ pixel_values: pixel_values! })).toThrow(
      /aspect_ratio_ids and aspect_ratio_mask is missing/,
    );
    expect(prepare({ ...good, aspect_ratio_ids: { ...aspect_ratio_ids!, shape: [2, 1] } })).toThrow(
      /aspect_ratio_ids is \[2, 1\], expected \[1, 2\]/,
    );
    expect(prepare({ ...good, pixel_values: { ...pixel_values!, shape: [1, 4, 1, 3, 5, 5] } })).toThrow(
      /pixel_values is \[1, 4, 1, 3, 5, 5\], expected \[1, 4, 2, 3, 5, 5\]/,
    );
    expect(prepare({ ...good, pixel_values: { ...pixel_values!, shape: [2, 3, 5, 5] } })).toThrow(
      /expected \[samples, images, 2, 3, 5, 5\]/,
    );
    expect(prepare(batch(1, 2, [1, 4]))).toThrow(/aspect_ratio_ids has 4, expected 0 to 3/);
  });

  it('reads a published config, and numbers the arrangements of tiles as the reference does', () => {
    expect(readMllamaVisionConfig({ image_size: 560 })).toEqual(mllamaVisionPresets['llama-3.2-vision']);
    expect(aspectRatiosOf(4)).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 1],
      [2, 2],
      [3, 1],
      [4, 1],
    ]);
    expect(() => mllamaVision('llama-4' as never)).toThrow(/encoder-mllama has no preset 'llama-4'/);
  });
});

testDefinition(mllamaVisionPart, {
  configs: [tiny, { ...tiny, capture: 'before' }],
  unwritable: [{ ...tiny, capture: 'after' }],
});
