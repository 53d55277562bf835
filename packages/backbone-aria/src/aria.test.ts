import { namedParameters } from '@weft/graph';
import type { Backbone } from '@weft/spec';
import { testBackbone, testDefinition, type Golden } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { aria, ariaPart } from './aria.js';
import { ariaPresets, ariaSection, readAriaConfig, type AriaConfig } from './config.js';

const tiny: AriaConfig = {
  hiddenSize: 6,
  intermediateSize: 5,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 4,
  rotaryDim: 4,
  vocabSize: 11,
  hiddenAct: 'gelu',
  ropeTheta: 1000,
  rmsNormEps: 1e-5,
  tieWordEmbeddings: false,
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
  numExperts: 4,
  numExpertsPerTok: 2,
  numSharedExperts: 3,
};

const golden: Golden<Backbone> = {
  file: new URL('./__fixtures__/aria.safetensors', import.meta.url),
  model: (config) => aria(readAriaConfig(config)),
  outputs: (backbone, { input_ids, position_ids }) => {
    const states = backbone.decode({ hiddenStates: backbone.embed(input_ids!), positionIds: position_ids! });
    return { last_hidden_state: states, logits: backbone.head(states) };
  },
};

testBackbone({
  tiny: () => aria(tiny),
  variants: {
    'a window': () => aria({ ...tiny, slidingWindow: 3 }),
    'another activation': () => aria({ ...tiny, hiddenAct: 'silu' }),
    'larger norms': () => aria({ ...tiny, rmsNormEps: 1e-2 }),
    'other frequencies': () => aria({ ...tiny, ropeTheta: 500 }),
    'a head of its own, or a tied one': () => aria({ ...tiny, tieWordEmbeddings: !tiny.tieWordEmbeddings }),
    'biases of queries, keys and values, or none': () => aria({ ...tiny, qkvBias: !tiny.qkvBias }),
    'a bias behind attention': () => aria({ ...tiny, outputBias: true }),
    'biases of the MLP': () => aria({ ...tiny, mlpBias: true }),
    'channels that turn in pairs': () => aria({ ...tiny, ropeInterleaved: true }),
  },
  golden: [golden],
  sizes: [{ name: 'aria-text', create: () => aria('aria-text'), parameters: 24_869_091_840, tensors: 3867 }],
});

describe('aria with biases and a tied head', () => {
  testBackbone({
    tiny: () => aria({ ...tiny, qkvBias: true, outputBias: true, mlpBias: true, tieWordEmbeddings: true }),
  });
});

describe('aria', () => {
  it('has the matrices of every expert transposed, gate and up in one', () => {
    const shapes = [...namedParameters(aria(tiny))]
      .filter(([path]) => path.startsWith('model.layers.1.mlp.'))
      .map(([path, { shape }]) => [path.slice('model.layers.1.mlp.'.length), shape]);
    expect(shapes).toHaveLength(1 + 2 * 4 + 3);
    expect(Object.fromEntries(shapes)).toMatchObject({
      'router.weight': [4, 6],
      'experts.3.fc1.weight': [6, 10],
      'experts.3.fc2.weight': [5, 6],
      'shared_experts.gate_proj.weight': [15, 6],
      'shared_experts.down_proj.weight': [6, 15],
    });
  });

  it('names the presets it has', () => {
    expect(() => aria('aria-9' as never)).toThrow(
      `backbone-aria has no preset 'aria-9'.\n  It has: ${Object.keys(ariaPresets).join(', ')}.`,
    );
  });
});

describe('the text section of a config.json', () => {
  it('describes the published size so that it is read back', () => {
    expect(readAriaConfig(ariaSection(ariaPresets['aria-text'])!)).toEqual(ariaPresets['aria-text']);
  });

  it("has the defaults of transformers' class, which are no published size", () => {
    expect(readAriaConfig({})).toMatchObject({
      hiddenSize: 4096,
      numExperts: 8,
      numExpertsPerTok: 2,
      numSharedExperts: 2,
      rmsNormEps: 1e-6,
      headDim: 128,
    });
  });

  it('does not exist for what transformers has not', () => {
    expect(ariaSection({ ...tiny, slidingWindow: 4 })).toBeUndefined();
    expect(ariaSection({ ...tiny, qkvBias: true })).toBeUndefined();
  });

  it.each([0, 9])('is refused with %i experts for a token out of 8', (moe_topk) => {
    expect(() => readAriaConfig({ moe_topk })).toThrow(
      `config.json: text_config.moe_topk is ${moe_topk}, but there are 8 experts.`,
    );
  });
});

testDefinition(ariaPart, {
  configs: [tiny, { ...tiny, qkvBias: true, outputBias: true, mlpBias: true, tieWordEmbeddings: true }],
  unwritable: [
    { ...tiny, slidingWindow: 4 },
    { ...tiny, ropeInterleaved: true },
  ],
});
