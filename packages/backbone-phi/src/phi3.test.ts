import { namedParameters } from '@weft/graph';
import { testBackbone, testDefinition, type Golden } from '@weft/testing';
import type { Backbone } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { phi3, phi3Part, phi3Presets, phi3Section, readPhi3Config, type Phi3Config } from './phi3.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: Phi3Config = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 2,
  numAttentionHeads: 6,
  numKeyValueHeads: 2,
  headDim: 7,
  rotaryDim: 4,
  ropeTheta: 1000,
  vocabSize: 17,
  slidingWindow: 3,
  hiddenAct: 'silu',
  rmsNormEps: 1e-5,
  tieWordEmbeddings: false,
};

const golden = (name: string): Golden<Backbone> => ({
  file: fixture(name),
  model: (config) => phi3(readPhi3Config(config)),
  outputs: (backbone, { input_ids, position_ids }) => {
    const states = backbone.decode({ hiddenStates: backbone.embed(input_ids!), positionIds: position_ids! });
    return { last_hidden_state: states, logits: backbone.head(states) };
  },
});

testBackbone({
  tiny: () => phi3(tiny),
  variants: {
    'no window': () => phi3({ ...tiny, slidingWindow: undefined }),
    'another activation': () => phi3({ ...tiny, hiddenAct: 'gelu' }),
    'larger norms': () => phi3({ ...tiny, rmsNormEps: 1e-2 }),
    'other frequencies': () => phi3({ ...tiny, ropeTheta: 500 }),
    'a tied head': () => phi3({ ...tiny, tieWordEmbeddings: true }),
  },
  create: () => phi3('phi-3-mini-4k'),
  checkpoint: fixture('phi-3-mini-4k.header.json'),
  golden: [golden('phi3.safetensors'), golden('phi3-partial.safetensors')],
  sizes: [
    { name: 'phi-3-mini-4k', create: () => phi3('phi-3-mini-4k'), parameters: 3_821_079_552, tensors: 195 },
  ],
});

describe('phi3', () => {
  it('names the presets it has', () => {
    expect(() => phi3('phi-9' as never)).toThrow(
      "backbone-phi3 has no preset 'phi-9'.\n  It has: phi-3-mini-4k.",
    );
  });

  it('keeps queries, keys and values in one matrix, and gate and up in another', () => {
    const shapes = Object.fromEntries(
      [...namedParameters(phi3(tiny))].map(([path, { shape }]) => [path, shape]),
    );
    expect(shapes['model.layers.0.self_attn.qkv_proj.weight']).toEqual([70, 10]);
    expect(shapes['model.layers.0.mlp.gate_up_proj.weight']).toEqual([26, 10]);
  });

  it.each(Object.entries(phi3Presets))('is read back from the text section of %s', (_, preset) => {
    expect(readPhi3Config(phi3Section(preset)!)).toEqual(preset);
  });

  it.each(['longrope', 'su', 'yarn'])(
    "reads the frequencies of the long variants, which files call '%s'",
    (type) => {
      const factors = Array.from({ length: 48 }, (_, i) => 1 + i / 8);
      const scaling = { type, short_factor: factors, long_factor: factors.map((one) => 2 * one) };
      const section = { max_position_embeddings: 131072, rope_scaling: scaling };
      expect(readPhi3Config(section).ropeScaling).toMatchObject({
        type: 'longrope',
        shortFactor: factors,
        attentionFactor: Math.sqrt(1 + Math.log(32) / Math.log(4096)),
        // That of the class, which counts before any of the rope section.
        originalMaxPositionEmbeddings: 4096,
        readsAnew: true,
      });
      expect(
        readPhi3Config({ ...section, original_max_position_embeddings: 2048 }).ropeScaling,
      ).toMatchObject({
        originalMaxPositionEmbeddings: 2048,
      });
      const config = readPhi3Config({ ...section, original_max_position_embeddings: 2048 });
      expect(readPhi3Config(phi3Section(config)!)).toEqual(config);
    },
  );

  it('turns one channel more where an odd number is to turn', () => {
    const { headDim, rotaryDim } = readPhi3Config({ partial_rotary_factor: 0.475 });
    expect([headDim, rotaryDim]).toEqual([96, 45]);
  });

  it('refuses other stretched positions, as its class does, and factors that do not fit', () => {
    expect(() => readPhi3Config({ rope_scaling: { type: 'linear', factor: 2 } })).toThrow(
      /'linear' is not known in this family/,
    );
    expect(() =>
      readPhi3Config({ rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [2] } }),
    ).toThrow(/'short_factor' is \[1\], expected a list of 48 numbers/);
  });
});

testDefinition(phi3Part, {
  configs: [
    tiny,
    { ...tiny, slidingWindow: undefined },
    { ...tiny, slidingWindow: 4, tieWordEmbeddings: true },
  ],
  unwritable: [
    { ...tiny, slidingWindow: 4, layerTypes: ['full_attention', 'sliding_attention'] },
    { ...tiny, ropeInterleaved: true },
  ],
});
