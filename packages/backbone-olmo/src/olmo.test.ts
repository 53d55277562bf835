import { namedParameters } from '@weft/graph';
import { testBackbone, testDefinition, type Golden } from '@weft/testing';
import type { Backbone } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { olmoPresets, olmoSection, readOlmoConfig, type OlmoConfig } from './config.js';
import { olmo, olmoPart } from './olmo.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 2,
  numAttentionHeads: 6,
  numKeyValueHeads: 2,
  headDim: 6,
  rotaryDim: 6,
  vocabSize: 17,
  hiddenAct: 'silu',
  ropeTheta: 1000,
  tieWordEmbeddings: false,
  attentionBias: false,
} as const;
// Some values of the tests are clamped at 1.3, and none is so close to it that a finite difference would cross it.
const first: OlmoConfig = {
  ...tiny,
  normType: 'layer',
  normEps: 1e-5,
  normPlacement: 'before',
  qkNorm: false,
  clipQkv: 1.3,
};
const second: OlmoConfig = { ...tiny, normType: 'rms', normEps: 1e-6, normPlacement: 'after', qkNorm: true };
const experts = { numExperts: 5, numExpertsPerTok: 2, normTopkProb: false };
const mixture: OlmoConfig = {
  ...tiny,
  intermediateSize: 7,
  normType: 'rms',
  normEps: 1e-5,
  normPlacement: 'before',
  qkNorm: true,
  experts,
};

const golden = (name: string): Golden<Backbone> => ({
  file: fixture(name),
  model: (config) => olmo(readOlmoConfig(config)),
  outputs: (backbone, { input_ids, position_ids }) => {
    const states = backbone.decode({ hiddenStates: backbone.embed(input_ids!), positionIds: position_ids! });
    return { last_hidden_state: states, logits: backbone.head(states) };
  },
});

const sizes = (names: readonly (keyof typeof olmoPresets)[], parameters: number, tensors: number) =>
  names.map((name) => ({ name, create: () => olmo(name), parameters, tensors }));

describe('OLMo 1', () => {
  testBackbone({
    tiny: () => olmo(first),
    variants: {
      'no clamp': () => olmo({ ...first, clipQkv: undefined }),
      'norms with weights': () => olmo({ ...first, normType: 'rms' }),
      'norms after the layers': () => olmo({ ...second, normPlacement: 'after' }),
      'normed queries and keys': () => olmo({ ...first, normType: 'rms', qkNorm: true }),
      'another activation': () => olmo({ ...first, hiddenAct: 'gelu' }),
      'larger norms': () => olmo({ ...first, normEps: 1e-2 }),
      'other frequencies': () => olmo({ ...first, ropeTheta: 500 }),
      'a tied head': () => olmo({ ...first, tieWordEmbeddings: true }),
      biases: () => olmo({ ...first, attentionBias: true }),
      experts: () => olmo(mixture),
      'experts whose shares add up to one': () =>
        olmo({ ...mixture, experts: { ...experts, normTopkProb: true } }),
    },
    golden: [golden('olmo.safetensors')],
    sizes: sizes(['olmo-7b', 'olmo-1.7-7b'], 6_888_095_744, 226),
  });
});

describe('OLMo 2', () => {
  testBackbone({
    tiny: () => olmo({ ...second, attentionBias: true, tieWordEmbeddings: true }),
    create: () => olmo('olmo-2-7b'),
    checkpoint: fixture('olmo-2-7b.header.json'),
    golden: [golden('olmo2.safetensors')],
    sizes: [
      ...sizes(['olmo-7b-1024', 'olmo-2-7b'], 7_298_617_344, 355),
      ...sizes(['olmo-2-13b'], 13_716_198_400, 443),
    ],
  });
});

describe('OLMoE', () => {
  testBackbone({
    tiny: () => olmo(mixture),
    golden: [golden('olmoe.safetensors'), golden('olmoe-normed.safetensors')],
    sizes: sizes(['olmoe-1b-7b'], 6_919_161_856, 3219),
  });
});

describe('olmo', () => {
  it('names the presets it has', () => {
    const message = `backbone-olmo has no preset 'olmo-9'.\n  It has: ${Object.keys(olmoPresets).join(', ')}.`;
    expect(() => olmo('olmo-9' as never)).toThrow(message);
  });

  it('has no weights in the norms of OLMo 1', () => {
    expect([...namedParameters(olmo(first)).keys()].filter((path) => path.includes('norm'))).toEqual([]);
  });

  it('has one tensor for each matrix of an expert, as checkpoints store them', () => {
    const last = 'model.layers.1.mlp.experts.4.';
    const shapes = [...namedParameters(olmo(mixture))]
      .filter(([path]) => path.startsWith(last))
      .map(([path, { shape }]) => [path, shape]);
    expect(shapes).toEqual([
      [`${last}gate_proj.weight`, [7, 10]],
      [`${last}up_proj.weight`, [7, 10]],
      [`${last}down_proj.weight`, [10, 7]],
    ]);
  });

  it('says which paper and code each member follows', () => {
    const codes = [first, second, mixture].map((c) => olmo(c).source.code.split('/').at(-1));
    expect(codes).toEqual(['modeling_olmo.py', 'modeling_olmo2.py', 'modeling_olmoe.py']);
  });
});

describe('the text section of a config.json', () => {
  it.each(Object.keys(olmoPresets) as (keyof typeof olmoPresets)[])(
    'describes %s so that it is read back',
    (name) => {
      expect(readOlmoConfig(olmoSection(olmoPresets[name])!)).toEqual(olmoPresets[name]);
    },
  );

  it('does not exist for norms that no model type has', () => {
    expect(olmoSection({ ...first, qkNorm: true })).toBeUndefined();
    expect(olmoSection({ ...second, experts })).toBeUndefined();
    expect(olmoSection({ ...mixture, experts: undefined })).toBeUndefined();
  });

  it('has no clamp in OLMo 2, which ignores one', () => {
    expect(readOlmoConfig({ model_type: 'olmo2', clip_qkv: 8 }).clipQkv).toBeUndefined();
    expect(readOlmoConfig({ model_type: 'olmo', clip_qkv: 8 }).clipQkv).toBe(8);
  });

  it('is refused for another family', () => {
    expect(() => readOlmoConfig({ model_type: 'olmo3' })).toThrow(
      /'olmo3' is no OLMo[^]*Known model types: olmo, olmo2, olmoe/,
    );
  });
});

testDefinition(olmoPart, {
  configs: [first, second, mixture, { ...second, attentionBias: true, tieWordEmbeddings: true }],
  unwritable: [
    { ...second, slidingWindow: 4 },
    { ...second, extraTokens: 2 },
    { ...first, normEps: 1e-6 },
  ],
});
