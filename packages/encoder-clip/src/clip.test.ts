import { namedParameters, slice, trace } from '@weft/graph';
import {
  interpret,
  randomParameters,
  randomTensor,
  testDefinition,
  testVisionEncoder,
  type Golden,
} from '@weft/testing';
import type { VisionEncoder } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { clip, clipPart, clipPresets, readClipConfig, type ClipConfig } from './clip.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: ClipConfig = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 3,
  numAttentionHeads: 2,
  numChannels: 3,
  imageSize: 11,
  patchSize: 5,
  hiddenAct: 'quick_gelu',
  layerNormEps: 1e-5,
};

const post_layernorm = 'it stands in checkpoints, and norms the class token, which no language model reads';

/** Every entry of `hidden_states`, class token included, side by side in one encoder's features. */
const golden = (name: string): Golden<VisionEncoder> => ({
  file: fixture(name),
  model: (config) => clip(readClipConfig(config), { featureLayers: [0, 1, 2, -1], classToken: 'keep' }),
  outputs: (encoder, inputs) => {
    const states = encoder.encode(inputs).hiddenStates;
    const size = encoder.hiddenSize / 4;
    return Object.fromEntries(
      [0, 1, 2, 3].map((i) => [`hidden_states.${i}`, slice(states, 2, i * size, (i + 1) * size)]),
    );
  },
});

testVisionEncoder({
  tiny: () => clip(tiny, { featureLayers: [1, -2] }),
  unread: { post_layernorm, 'encoder.layers.2': 'it comes after the last layer whose states are read' },
  variants: {
    'the last layer': () => clip(tiny),
    'its class token': () => clip(tiny, { featureLayers: [1, -2], classToken: 'keep' }),
    'no norm of the class token': () => clip(tiny, { featureLayers: [1, -2], postNorm: false }),
    'patches by a matrix': () => clip(tiny, { featureLayers: [1, -2], patchWeight: 'matrix' }),
    'another activation': () => clip({ ...tiny, hiddenAct: 'gelu' }, { featureLayers: [1, -2] }),
    'larger norms': () => clip({ ...tiny, layerNormEps: 1e-2 }, { featureLayers: [1, -2] }),
  },
  create: () => clip('large-patch14-336'),
  checkpoint: fixture('clip-large-patch14-336.header.json'),
  golden: [golden('clip-quick-gelu.safetensors'), golden('clip-gelu.safetensors')],
  // The checkpoints with projection hold `visual_projection.weight` too, which no language model reads.
  sizes: [
    { name: 'base-patch32', create: () => clip('base-patch32'), parameters: 87_456_000, tensors: 199 },
    { name: 'base-patch16', create: () => clip('base-patch16'), parameters: 85_799_424, tensors: 199 },
    { name: 'large-patch14', create: () => clip('large-patch14'), parameters: 303_179_776, tensors: 391 },
    {
      name: 'large-patch14-336',
      create: () => clip('large-patch14-336'),
      parameters: 303_507_456,
      tensors: 391,
    },
    {
      name: 'dfn-huge-patch14-378',
      create: () => clip('dfn-huge-patch14-378'),
      parameters: 631_371_520,
      tensors: 519,
    },
    {
      name: 'openclip-huge-patch14',
      create: () => clip('openclip-huge-patch14'),
      parameters: 632_076_800 - 1280 * 1024,
      tensors: 519,
    },
    {
      name: 'openclip-bigg-patch14',
      create: () => clip('openclip-bigg-patch14'),
      parameters: 1_844_907_264 - 1664 * 1280,
      tensors: 775,
    },
  ],
});

describe('clip with its class token', () => {
  testVisionEncoder({ tiny: () => clip(tiny, { classToken: 'keep' }), unread: { post_layernorm } });
});

describe('clip as Molmo has it', () => {
  const molmo = () => clip(tiny, { featureLayers: [-2], postNorm: false, patchWeight: 'matrix' });
  testVisionEncoder({
    tiny: molmo,
    unread: { 'encoder.layers.2': 'it comes after the last layer whose states are read' },
  });

  it('has a matrix over rows, columns and channels, and no norm of the class token', () => {
    const shapes = namedParameters(molmo());
    expect(shapes.get('embeddings.patch_embedding.weight')?.shape).toEqual([10, 75]);
    expect([...shapes.keys()].filter((path) => path.startsWith('post_layernorm'))).toEqual([]);
  });

  it('sees what the convolution of the same numbers sees', () => {
    const run = (encoder: VisionEncoder, parameters: ReturnType<typeof randomParameters>) =>
      interpret(
        trace(encoder, encoder.inputs, (inputs) => ({ features: encoder.encode(inputs).hiddenStates })),
        { pixel_values: randomTensor([1, 3, 11, 11], 5) },
        parameters,
      )['features']!.data;
    const matrix = randomParameters(molmo(), 4);
    const rows = matrix['embeddings.patch_embedding.weight']!.data;
    // [10, 5, 5, 3] to [10, 3, 5, 5].
    const data = Float64Array.from(rows, (_, i) => {
      const [out, channel, inner] = [Math.floor(i / 75), Math.floor((i % 75) / 25), i % 25];
      return rows[out * 75 + inner * 3 + channel]!;
    });
    const convolution = { ...matrix, 'embeddings.patch_embedding.weight': { shape: [10, 3, 5, 5], data } };
    expect(run(clip(tiny, { featureLayers: [-2], postNorm: false }), convolution)).toEqual(
      run(molmo(), matrix),
    );
  });
});

describe('clip', () => {
  it('names the presets it has', () => {
    const message = `encoder-clip has no preset 'giant'.\n  It has: ${Object.keys(clipPresets).join(', ')}.`;
    expect(() => clip('giant' as never)).toThrow(message);
  });

  it('has one position for the class token and one for each patch', () => {
    const encoder = clip('large-patch14-336');
    expect(encoder.grid).toEqual([24, 24]);
    expect(namedParameters(encoder).get('embeddings.position_embedding.weight')?.shape).toEqual([577, 1024]);
  });

  it('leaves out the layers after the last that is read', () => {
    const encoder = clip(tiny, { featureLayers: [-2] });
    const graph = trace(encoder, encoder.inputs, (inputs) => ({
      features: encoder.encode(inputs).hiddenStates,
    }));
    const used = [...graph.parameters.keys()];
    expect(used.some((path) => path.startsWith('encoder.layers.1.'))).toBe(true);
    expect(
      used.some((path) => path.startsWith('encoder.layers.2.') || path.startsWith('post_layernorm')),
    ).toBe(false);
  });

  it('reads a config, and names the field that is wrong', () => {
    expect(readClipConfig({ hidden_size: 1024, num_attention_heads: 16 })).toMatchObject({
      hiddenSize: 1024,
      patchSize: 32,
      hiddenAct: 'quick_gelu',
    });
    expect(() => readClipConfig({ patch_size: '14' })).toThrow(
      /vision_config\.patch_size is "14", expected a number/,
    );
  });
});

testDefinition(clipPart, {
  configs: [
    tiny,
    { ...tiny, featureLayers: [-1], classToken: 'drop', postNorm: true, patchWeight: 'convolution' },
  ],
  unwritable: [
    { ...tiny, featureLayers: [1, -2] },
    { ...tiny, classToken: 'keep' },
    { ...tiny, postNorm: false },
    { ...tiny, patchWeight: 'matrix' },
  ],
});
