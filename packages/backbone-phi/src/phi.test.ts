import { namedParameters } from '@weft/graph';
import { testBackbone, testDefinition, type Golden } from '@weft/testing';
import type { Backbone } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { phi, phiPart, phiPresets, phiSection, readPhiConfig, type PhiConfig } from './phi.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: PhiConfig = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 2,
  numAttentionHeads: 6,
  numKeyValueHeads: 2,
  headDim: 7,
  rotaryDim: 4,
  ropeTheta: 1000,
  vocabSize: 17,
  hiddenAct: 'gelu_new',
  layerNormEps: 1e-5,
  qkLayernorm: true,
  tieWordEmbeddings: false,
};

const golden = (name: string): Golden<Backbone> => ({
  file: fixture(name),
  model: (config) => phi(readPhiConfig(config)),
  outputs: (backbone, { input_ids, position_ids }) => {
    const states = backbone.decode({ hiddenStates: backbone.embed(input_ids!), positionIds: position_ids! });
    return { last_hidden_state: states, logits: backbone.head(states) };
  },
});

testBackbone({
  tiny: () => phi(tiny),
  fixed: { tieWordEmbeddings: 'the head has a bias' },
  variants: {
    'a window': () => phi({ ...tiny, slidingWindow: 3 }),
    'another activation': () => phi({ ...tiny, hiddenAct: 'gelu' }),
    'larger norms': () => phi({ ...tiny, layerNormEps: 1e-2 }),
    'other frequencies': () => phi({ ...tiny, ropeTheta: 500 }),
    'queries and keys as they are': () => phi({ ...tiny, qkLayernorm: false }),
  },
  create: () => phi('phi-2'),
  checkpoint: fixture('phi-2.header.json'),
  golden: [golden('phi.safetensors'), golden('phi-normed.safetensors')],
  sizes: [
    { name: 'phi-1.5', create: () => phi('phi-1.5'), parameters: 1_418_270_720, tensors: 341 },
    { name: 'phi-2', create: () => phi('phi-2'), parameters: 2_779_683_840, tensors: 453 },
  ],
});

describe('phi', () => {
  it('names the presets it has', () => {
    expect(() => phi('phi-9' as never)).toThrow(
      "backbone-phi has no preset 'phi-9'.\n  It has: phi-1.5, phi-2.",
    );
  });

  it('has one norm in a layer, and a head with a bias', () => {
    const names = [...namedParameters(phi({ ...tiny, qkLayernorm: false })).keys()];
    expect(names.filter((path) => path.includes('norm') && path.endsWith('.weight'))).toEqual([
      'model.layers.0.input_layernorm.weight',
      'model.layers.1.input_layernorm.weight',
      'model.final_layernorm.weight',
    ]);
    expect(names).toContain('lm_head.bias');
  });

  it('refuses a tied head', () => {
    expect(() => phi({ ...tiny, tieWordEmbeddings: true })).toThrow(/A tied head has no bias/);
  });

  it.each(Object.entries(phiPresets))('is read back from the text section of %s', (_, preset) => {
    expect(readPhiConfig(phiSection(preset)!)).toEqual(preset);
  });

  it('turns half of each head unless the config says otherwise', () => {
    expect(readPhiConfig({}).rotaryDim).toBe(32);
    expect(readPhiConfig({ hidden_size: 2560, partial_rotary_factor: 0.4 }).rotaryDim).toBe(32);
    expect(readPhiConfig(phiSection({ ...tiny, headDim: 8, rotaryDim: 8 })!).rotaryDim).toBe(8);
  });
});

testDefinition(phiPart, {
  configs: [tiny, { ...tiny, qkLayernorm: !tiny.qkLayernorm }],
  unwritable: [
    { ...tiny, slidingWindow: 4 },
    { ...tiny, ropeInterleaved: true },
  ],
});
