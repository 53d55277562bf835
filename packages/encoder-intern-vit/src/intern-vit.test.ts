import { namedParameters, trace } from '@weft/graph';
import {
  checkGolden,
  interpret,
  randomParameters,
  randomTensor,
  testDefinition,
  testVisionEncoder,
} from '@weft/testing';
import { describe, expect, it } from 'vitest';
import {
  internVit,
  internVitPart,
  internVitPresets,
  readInternVitConfig,
  readOriginalInternVitConfig,
  type InternVitConfig,
} from './intern-vit.js';
import { originalInternVitNames } from './original-names.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: InternVitConfig = {
  hiddenSize: 6,
  intermediateSize: 7,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numChannels: 3,
  imageSize: 5,
  patchSize: 2,
  hiddenAct: 'gelu',
  layerNormEps: 1e-6,
  norm: 'rms',
  qkvBias: false,
  qkNorm: true,
};

testVisionEncoder({
  tiny: () => internVit(tiny, { featureLayers: [0, -1] }),
  variants: {
    'the last layer': () => internVit(tiny),
    'its class token': () => internVit(tiny, { featureLayers: [0, -1], classToken: 'keep' }),
    'centred norms': () => internVit({ ...tiny, norm: 'layer' }, { featureLayers: [0, -1] }),
    biases: () => internVit({ ...tiny, qkvBias: true }, { featureLayers: [0, -1] }),
    'queries and keys as they are': () => internVit({ ...tiny, qkNorm: false }, { featureLayers: [0, -1] }),
    'heads of zeros': () => internVit({ ...tiny, numDummyHeads: 1 }, { featureLayers: [0, -1] }),
    'another activation': () => internVit({ ...tiny, hiddenAct: 'quick_gelu' }, { featureLayers: [0, -1] }),
    'larger norms': () => internVit({ ...tiny, layerNormEps: 1e-2 }, { featureLayers: [0, -1] }),
  },
  create: () => internVit('internvit-6b'),
  checkpoint: fixture('internvit-6b.header.json'),
  sizes: [
    { name: 'internvit-6b', create: () => internVit('internvit-6b'), parameters: 5_536_496_000 },
    { name: 'internvit-300m', create: () => internVit('internvit-300m'), parameters: 304_012_288 },
  ],
});

describe('internVit in its small form', () => {
  testVisionEncoder({
    tiny: () => internVit({ ...tiny, norm: 'layer', qkvBias: true, qkNorm: false }, { classToken: 'keep' }),
  });
});

describe('internVit with heads of zeros', () => {
  testVisionEncoder({ tiny: () => internVit({ ...tiny, numDummyHeads: 1 }) });
});

describe('internVit', () => {
  it.each(['rms', 'layer'])("gives the reference's states (%s)", async (name) => {
    const states = ['last_hidden_state', 'hidden_states.1'].map((output, i) => ({
      output,
      layer: i === 0 ? -1 : 1,
    }));
    for (const { output, layer } of states) {
      const difference = await checkGolden({
        file: fixture(`internvit-${name}.safetensors`),
        model: (config) =>
          internVit(readInternVitConfig(config), { classToken: 'keep', featureLayers: [layer] }),
        outputs: (model, inputs) => ({ [output]: model.encode(inputs).hiddenStates }),
      });
      expect(difference).toBeLessThan(1e-5);
    }
  });

  it('gives what it gives without heads of zeros', () => {
    const run = (config: InternVitConfig, parameters: ReturnType<typeof randomParameters>) => {
      const encoder = internVit(config);
      const graph = trace(encoder, encoder.inputs, (inputs) => ({ y: encoder.encode(inputs).hiddenStates }));
      return interpret(graph, { pixel_values: randomTensor([1, 3, 5, 5], 1) }, parameters)['y']!.data;
    };
    const plain = randomParameters(internVit(tiny), 2);
    const wide = { ...tiny, numDummyHeads: 1 };
    const padded = Object.fromEntries(
      [...namedParameters(internVit(wide))].map(([path, { shape }]) => {
        const { shape: own, data } = plain[path]!;
        const filled = { shape, data: new Float64Array(shape.reduce((product, side) => product * side, 1)) };
        // Rows of q, k and v are added at the end, columns of the projection at the end of each row.
        const width = own.at(-1)!;
        const step = shape.at(-1)!;
        for (let i = 0; i < data.length; i++)
          filled.data[own.length === 2 ? Math.floor(i / width) * step + (i % width) : i] = data[i]!;
        return [path, filled];
      }),
    );
    const [a, b] = [run(tiny, plain), run(wide, padded)];
    for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 6);
  });

  it('knows the fields and the names of the original repositories', () => {
    expect(readOriginalInternVitConfig({ image_size: 448, num_hidden_layers: 45 })).toEqual(
      internVitPresets['internvit-6b'],
    );
    expect(readOriginalInternVitConfig({ num_dummy_heads: 7 })).toMatchObject({
      numDummyHeads: 7,
      numHiddenLayers: 48,
    });
    const { split, rename } = originalInternVitNames('vision_model');
    const pieces = split('vision_model.encoder.layers.3.attn.qkv.weight', [18, 6])!;
    expect(pieces.map(({ name, start }) => [rename(name), start])).toEqual([
      ['vision_model.encoder.layer.3.attention.q_proj.weight', 0],
      ['vision_model.encoder.layer.3.attention.k_proj.weight', 36],
      ['vision_model.encoder.layer.3.attention.v_proj.weight', 72],
    ]);
    expect(split('language_model.attn.qkv.weight', [18, 6])).toBeUndefined();
    const renamed = {
      'vision_model.embeddings.class_embedding': 'vision_model.embeddings.cls_token',
      'vision_model.embeddings.patch_embedding.bias':
        'vision_model.embeddings.patch_embeddings.projection.bias',
      'vision_model.encoder.layers.0.norm1.weight': 'vision_model.encoder.layer.0.layernorm_before.weight',
      'vision_model.encoder.layers.0.ls2': 'vision_model.encoder.layer.0.lambda_2',
      'vision_model.encoder.layers.0.attn.q_norm.weight':
        'vision_model.encoder.layer.0.attention.q_norm.weight',
      'vision_model.encoder.layers.0.attn.proj.bias':
        'vision_model.encoder.layer.0.attention.projection_layer.bias',
      'language_model.model.layers.0.norm1.weight': 'language_model.model.layers.0.norm1.weight',
    };
    for (const [from, to] of Object.entries(renamed)) expect(rename(from)).toBe(to);
  });

  it('reads sizes that are written as pairs, and names its presets', () => {
    expect(
      readInternVitConfig({ image_size: [448, 448], patch_size: [14, 14], attention_bias: true }),
    ).toEqual(internVitPresets['internvit-300m']);
    expect(() => internVit('internvit-1b' as never)).toThrow(/It has: internvit-300m, internvit-6b/);
  });
});

testDefinition(internVitPart, {
  configs: [
    tiny,
    { ...tiny, norm: 'layer', qkvBias: true, qkNorm: false, featureLayers: [-1], classToken: 'drop' },
  ],
  unwritable: [
    { ...tiny, numDummyHeads: 1 },
    { ...tiny, featureLayers: [0, -1] },
    { ...tiny, classToken: 'keep' },
  ],
});
