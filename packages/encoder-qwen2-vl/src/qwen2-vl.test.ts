import { ConfigError, InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { checkGoldenRuns, randomTensor, testDefinition, testVisionEncoder } from '@weft/testing';
import type { EncoderRun } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import {
  qwen2Vision,
  qwen2VisionPart,
  qwen2VisionPresets,
  readQwen25VisionConfig,
  readQwen2VisionConfig,
  type Qwen2VisionConfig,
} from './qwen2-vl.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: Qwen2VisionConfig = {
  hiddenSize: 16,
  intermediateSize: 13,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numChannels: 3,
  patchSize: 2,
  temporalPatchSize: 2,
  spatialMergeSize: 2,
  hiddenAct: 'quick_gelu',
  ropeTheta: 300,
  norm: 'layer',
  mlp: 'plain',
  windowSize: null,
  fullAttentionLayers: [],
};
const windowed: Qwen2VisionConfig = {
  ...tiny,
  hiddenAct: 'silu',
  norm: 'rms',
  mlp: 'gated',
  windowSize: 8,
  fullAttentionLayers: [1],
};

/** Tensors of the reference's processor, random pixels. */
function processed(
  encoder: Qwen2VisionConfig,
  grids: readonly (readonly [number, number, number])[],
): Record<string, TensorData> {
  const length = 3 * encoder.temporalPatchSize * encoder.patchSize ** 2;
  const rows = grids.reduce((sum, [frames, height, width]) => sum + frames * height * width, 0);
  return {
    pixel_values: {
      dtype: 'float32',
      shape: [rows, length],
      data: Float32Array.from(randomTensor([rows, length], 1).data),
    },
    image_grid_thw: {
      dtype: 'int64',
      shape: [grids.length, 3],
      data: BigInt64Array.from(grids.flat(), BigInt),
    },
  };
}

/** The one run of a picture of six by ten patches, whose right windows are narrow. */
const feedsOf = (config: Qwen2VisionConfig): EncoderRun['inputs'] =>
  qwen2Vision(config).prepare!(processed(config, [[2, 4, 6]]))[0]!.inputs;
const numbers = (config: Qwen2VisionConfig) =>
  Object.fromEntries(
    Object.entries(feedsOf(config)).map(([name, { shape, data }]) => [
      name,
      { shape, data: Array.from(data as Float32Array, Number) },
    ]),
  );

const axes = ['frames', '4*blocks'] as const;

testVisionEncoder({
  tiny: () => qwen2Vision(tiny),
  feeds: numbers(windowed),
  variants: {
    windows: () => qwen2Vision({ ...tiny, windowSize: 8 }),
    'windows but in one layer': () => qwen2Vision({ ...tiny, windowSize: 8, fullAttentionLayers: [1] }),
    'norms without a mean': () => qwen2Vision({ ...tiny, norm: 'rms' }),
    gates: () => qwen2Vision({ ...tiny, mlp: 'gated' }),
    'another activation': () => qwen2Vision({ ...tiny, hiddenAct: 'silu' }),
    'other frequencies': () => qwen2Vision({ ...tiny, ropeTheta: 500 }),
  },
  axes,
  create: () => qwen2Vision('qwen2-vl'),
  checkpoint: fixture('qwen2-vl.header.json'),
  sizes: [{ name: 'qwen2-vl', create: () => qwen2Vision('qwen2-vl'), parameters: 631_183_360, tensors: 385 }],
});

describe('qwen2Vision with windows, gates and root-mean-square norms', () => {
  testVisionEncoder({
    tiny: () => qwen2Vision(windowed),
    feeds: numbers(windowed),
    axes,
    create: () => qwen2Vision('qwen2.5-vl'),
    checkpoint: fixture('qwen2.5-vl.header.json'),
    sizes: [
      { name: 'qwen2.5-vl', create: () => qwen2Vision('qwen2.5-vl'), parameters: 631_975_680, tensors: 385 },
    ],
  });
});

describe('qwen2Vision', () => {
  it.each([
    ['qwen2-vl', readQwen2VisionConfig],
    ['qwen2.5-vl', readQwen25VisionConfig],
  ] as const)(
    "gives the reference's features of two pictures and a video of different sizes (%s)",
    async (name, read) => {
      const golden = {
        file: fixture(`${name}.safetensors`),
        model: (config: object) => qwen2Vision(read({ ...config })),
        output: 'last_hidden_state',
      };
      expect(await checkGoldenRuns(golden)).toBeLessThan(1e-5);
    },
  );

  it('lists patches block by block, as the reference does', () => {
    const { positions } = qwen2Vision(tiny).prepare!(processed(tiny, [[1, 4, 4]]))[0]!.inputs;
    const [rows, columns] = [positions!.data.slice(0, 16), positions!.data.slice(16)].map((data) =>
      [...data].map(Number),
    );
    expect(rows).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]);
    expect(columns).toEqual([0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3]);
  });

  it('cuts pictures into windows whose edges may be smaller', () => {
    // The reference's window_index of 5 x 6 blocks in windows of 4, and its boundaries 0, 64, 96, 112, 120.
    const blocks = [
      0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21, 4, 5, 10, 11, 16, 17, 22, 23, 24, 25, 26, 27,
      28, 29,
    ];
    const { windows, window_slots: slots } = qwen2Vision({ ...tiny, windowSize: 16 }).prepare!(
      processed(tiny, [[1, 10, 12]]),
    )[0]!.inputs;
    expect(windows!.shape).toEqual([4, 64]);
    const taken = [...windows!.data].map(Number).filter((patch) => patch >= 0);
    expect(taken).toEqual(blocks.flatMap((block) => [0, 1, 2, 3].map((i) => 4 * block + i)));
    const lengths = [0, 1, 2, 3].map(
      (window) =>
        [...windows!.data.subarray(64 * window, 64 * window + 64)].filter((patch) => patch >= 0).length,
    );
    expect(lengths).toEqual([64, 32, 16, 8]);
    for (const [patch, slot] of [...slots!.data].entries())
      expect(Number(windows!.data[Number(slot)])).toBe(patch);
  });

  it('adds no window where a side is whole windows', () => {
    expect(
      qwen2Vision({ ...tiny, windowSize: 16 }).prepare!(processed(tiny, [[1, 8, 8]]))[0]!.inputs['windows']!
        .shape,
    ).toEqual([1, 64]);
  });

  it('makes one run of each picture and video, with the time between moments', () => {
    const encoder = qwen2Vision(tiny);
    const pictures = processed(tiny, [
      [1, 2, 4],
      [1, 4, 2],
    ]);
    const { pixel_values, image_grid_thw } = processed(tiny, [[3, 2, 2]]);
    const seconds: TensorData = { dtype: 'float32', shape: [1], data: Float32Array.of(0.5) };
    const video = {
      pixel_values_videos: pixel_values!,
      video_grid_thw: image_grid_thw!,
      second_per_grid_ts: seconds,
    };
    expect(encoder.prepare!({ ...pictures, ...video }).map(({ layout }) => layout)).toEqual([
      { kind: 'image', frames: 1, rows: 2, columns: 4 },
      { kind: 'image', frames: 1, rows: 4, columns: 2 },
      { kind: 'video', frames: 3, rows: 2, columns: 2, interval: 0.5 },
    ]);
    expect(encoder.prepare!({})).toEqual([]);
  });

  it('refuses tensors that do not fit each other', () => {
    const encoder = qwen2Vision(tiny);
    const { pixel_values, image_grid_thw } = processed(tiny, [[1, 2, 4]]);
    const prepare = (given: Record<string, TensorData>) => () => encoder.prepare!(given);
    expect(prepare({ pixel_values: pixel_values! })).toThrow(InputError);
    expect(prepare({ pixel_values: pixel_values! })).toThrow(/image_grid_thw is missing/);
    expect(
      prepare({
        pixel_values: pixel_values!,
        image_grid_thw: processed(tiny, [[1, 2, 2]])['image_grid_thw']!,
      }),
    ).toThrow(/pixel_values is \[8, 24\], but the grids ask for \[4, 24\]/);
    expect(prepare(processed(tiny, [[1, 3, 4]]))).toThrow(
      /Grid 0 of pixel_values is 3 x 4 patches, which blocks of 2 x 2 do not fill/,
    );
    expect(
      prepare({ pixel_values: pixel_values!, image_grid_thw: { ...image_grid_thw!, shape: [3] } }),
    ).toThrow(/image_grid_thw is \[3\], expected \[pictures, 3\]/);
  });

  it.each([3, 5, 1000])('refuses %d heads, which do not divide its width', (numAttentionHeads) => {
    expect(() => qwen2Vision({ ...tiny, numAttentionHeads })).toThrow(ConfigError);
    expect(() => qwen2Vision({ ...tiny, numAttentionHeads })).toThrow(
      `${numAttentionHeads} heads do not divide`,
    );
  });

  it('refuses windows that hold no block', () => {
    expect(() => qwen2Vision({ ...tiny, windowSize: 3 })).toThrow(ConfigError);
  });

  it('names the presets it has, and reads published spellings', () => {
    expect(() => qwen2Vision('qwen3' as never)).toThrow(
      `encoder-qwen2-vl has no preset 'qwen3'.\n  It has: ${Object.keys(qwen2VisionPresets).join(', ')}.`,
    );
    const published = {
      depth: 32,
      embed_dim: 1280,
      mlp_ratio: 4,
      num_heads: 16,
      in_chans: 3,
      hidden_size: 1536,
      patch_size: 14,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
    };
    expect(readQwen2VisionConfig(published)).toEqual(qwen2VisionPresets['qwen2-vl']);
    const newer = {
      hidden_size: 1280,
      intermediate_size: 3420,
      hidden_act: 'silu',
      window_size: 112,
      fullatt_block_indexes: [7, 15, 23, 31],
    };
    expect(readQwen25VisionConfig(newer)).toEqual(qwen2VisionPresets['qwen2.5-vl']);
  });
});

testDefinition(qwen2VisionPart, {
  configs: [tiny, windowed, { ...tiny, hiddenSize: 28, intermediateSize: 29 }],
  unwritable: [
    { ...tiny, norm: 'rms' },
    { ...windowed, windowSize: null },
  ],
});
