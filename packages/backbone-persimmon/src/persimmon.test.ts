import { testBackbone, testDefinition, type Golden } from '@weft/testing';
import type { Backbone } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import {
  persimmon,
  persimmonPart,
  persimmonPresets,
  persimmonSection,
  readPersimmonConfig,
  type PersimmonConfig,
} from './persimmon.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: PersimmonConfig = {
  hiddenSize: 21,
  intermediateSize: 13,
  numHiddenLayers: 2,
  numAttentionHeads: 3,
  numKeyValueHeads: 3,
  headDim: 7,
  rotaryDim: 4,
  ropeTheta: 1000,
  vocabSize: 17,
  hiddenAct: 'relu2',
  layerNormEps: 1e-5,
  qkLayernorm: true,
  tieWordEmbeddings: false,
};

const golden = (name: string): Golden<Backbone> => ({
  file: fixture(name),
  model: (config) => persimmon(readPersimmonConfig(config)),
  outputs: (backbone, { input_ids, position_ids }) => {
    const states = backbone.decode({ hiddenStates: backbone.embed(input_ids!), positionIds: position_ids! });
    return { last_hidden_state: states, logits: backbone.head(states) };
  },
});

testBackbone({
  tiny: () => persimmon(tiny),
  variants: {
    'a window': () => persimmon({ ...tiny, slidingWindow: 3 }),
    'another activation': () => persimmon({ ...tiny, hiddenAct: 'gelu' }),
    'larger norms': () => persimmon({ ...tiny, layerNormEps: 1e-2 }),
    'other frequencies': () => persimmon({ ...tiny, ropeTheta: 500 }),
    'queries and keys as they are': () => persimmon({ ...tiny, qkLayernorm: false }),
    'a tied head': () => persimmon({ ...tiny, tieWordEmbeddings: true }),
  },
  create: () => persimmon('persimmon-8b'),
  checkpoint: fixture('persimmon-8b.header.json'),
  golden: [golden('persimmon.safetensors'), golden('persimmon-plain.safetensors')],
  sizes: [
    {
      name: 'persimmon-8b',
      create: () => persimmon('persimmon-8b'),
      parameters: 9_397_175_296,
      tensors: 580,
    },
  ],
});

describe('persimmon', () => {
  it('names the presets it has', () => {
    expect(() => persimmon('persimmon-1b' as never)).toThrow(
      "backbone-persimmon has no preset 'persimmon-1b'.\n  It has: persimmon-8b.",
    );
  });

  it('is read back from the text section that it writes', () => {
    const { 'persimmon-8b': preset } = persimmonPresets;
    expect(readPersimmonConfig(persimmonSection(preset)!)).toEqual(preset);
    const ofHeads = (headDim: number, rotaryDim: number) => {
      const hiddenSize = headDim * tiny.numAttentionHeads;
      return readPersimmonConfig(persimmonSection({ ...tiny, hiddenSize, headDim, rotaryDim })!).rotaryDim;
    };
    expect(ofHeads(10, 10)).toBe(10);
    // 26 / 46 * 46 is just below 26.
    expect(ofHeads(46, 26)).toBe(26);
  });

  it('has no text section for heads that share keys', () => {
    expect(persimmonSection({ ...tiny, numKeyValueHeads: 1 })).toBeUndefined();
  });

  it('turns half of each head unless the config says otherwise', () => {
    expect(readPersimmonConfig({})).toMatchObject({ headDim: 64, rotaryDim: 32 });
    expect(readPersimmonConfig({ partial_rotary_factor: 0.25 }).rotaryDim).toBe(16);
  });
});

testDefinition(persimmonPart, {
  configs: [tiny, { ...tiny, qkLayernorm: false, tieWordEmbeddings: true }],
  unwritable: [
    { ...tiny, slidingWindow: 4 },
    { ...tiny, headDim: 2 * tiny.headDim },
    { ...tiny, ropeInterleaved: true },
  ],
});
