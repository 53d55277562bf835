import { namedParameters } from '@weft/graph';
import { testBackbone, testDefinition, type Golden } from '@weft/testing';
import type { Backbone } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { llama, llamaPart, llamaPresets, llamaSection, readLlamaConfig, type LlamaConfig } from './llama.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: LlamaConfig = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 2,
  numAttentionHeads: 6,
  numKeyValueHeads: 2,
  headDim: 6,
  rotaryDim: 6,
  vocabSize: 17,
  hiddenAct: 'silu',
  rmsNormEps: 1e-5,
  ropeTheta: 1000,
  tieWordEmbeddings: false,
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
};

const golden = (name: string): Golden<Backbone> => ({
  file: fixture(name),
  model: (config) => llama(readLlamaConfig(config)),
  outputs: (backbone, { input_ids, position_ids }) => {
    const states = backbone.decode({ hiddenStates: backbone.embed(input_ids!), positionIds: position_ids! });
    return { last_hidden_state: states, logits: backbone.head(states) };
  },
});

const totals = {
  'llama-2-7b': 6_738_415_616,
  'llama-2-13b': 13_015_864_320,
  'llama-30b': 32_528_943_616,
  'llama-3.1-8b': 8_030_261_248,
  'llama-3.1-70b': 70_553_706_496,
  'llama-3.2-1b': 1_235_814_400,
  'llama-3.2-3b': 3_212_749_824,
  'mistral-7b-v0.1': 7_241_732_096,
  'mistral-7b-v0.3': 7_248_023_552,
  'mistral-nemo-12b': 12_247_782_400,
  'deepseek-llm-1.3b': 1_652_656_128,
  'deepseek-llm-7b': 6_910_365_696,
  'yi-34b': 34_388_917_248,
} as const;

testBackbone({
  tiny: () => llama(tiny),
  variants: {
    'a window': () => llama({ ...tiny, slidingWindow: 3 }),
    'another activation': () => llama({ ...tiny, hiddenAct: 'gelu' }),
    'larger norms': () => llama({ ...tiny, rmsNormEps: 1e-2 }),
    'other frequencies': () => llama({ ...tiny, ropeTheta: 500 }),
    'a head of its own, or a tied one': () => llama({ ...tiny, tieWordEmbeddings: !tiny.tieWordEmbeddings }),
    'biases of queries, keys and values, or none': () => llama({ ...tiny, qkvBias: !tiny.qkvBias }),
    'a bias behind attention': () => llama({ ...tiny, outputBias: true }),
    'biases of the MLP': () => llama({ ...tiny, mlpBias: true }),
    'channels that turn in pairs': () => llama({ ...tiny, ropeInterleaved: true }),
    'scaled frequencies': () => llama({ ...tiny, ropeScaling: { type: 'linear', factor: 4 } }),
    'frequencies of short texts': () =>
      llama({
        ...tiny,
        ropeScaling: {
          type: 'longrope',
          shortFactor: [1, 2, 3],
          longFactor: [4, 5, 6],
          attentionFactor: 1.5,
          originalMaxPositionEmbeddings: 500,
        },
      }),
  },
  create: () => llama('llama-3.1-8b'),
  checkpoint: fixture('llama-3.1-8b.header.json'),
  golden: ['llama', 'llama3-scaled', 'llama-linear', 'mistral-window'].map((name) =>
    golden(`${name}.safetensors`),
  ),
  sizes: Object.entries(totals).map(([name, parameters]) => ({
    name,
    create: () => llama(name as keyof typeof totals),
    parameters,
  })),
});

describe('llama with a window, scaled frequencies, biases and a tied head', () => {
  const ropeScaling = {
    type: 'llama3',
    factor: 4,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositionEmbeddings: 32,
  } as const;
  testBackbone({
    tiny: () =>
      llama({
        ...tiny,
        slidingWindow: 3,
        ropeScaling,
        qkvBias: true,
        outputBias: true,
        mlpBias: true,
        tieWordEmbeddings: true,
      }),
  });
});

describe('llama', () => {
  it('names the presets it has', () => {
    const message = `backbone-llama has no preset 'llama-4'.\n  It has: ${Object.keys(llamaPresets).join(', ')}.`;
    expect(() => llama('llama-4' as never)).toThrow(message);
  });

  it('stores a tied table once, under the name of the embeddings', () => {
    const names = [...namedParameters(llama(tiny, { tieWordEmbeddings: true })).keys()];
    expect(names[0]).toBe('model.embed_tokens.weight');
    expect(names).not.toContain('lm_head.weight');
  });

  it('changes a preset by fields', () => {
    const { shape } = llama('llama-2-7b', { vocabSize: 32_064 });
    expect(shape).toMatchObject({ vocabSize: 32_064, hiddenSize: 4096 });
  });

  it('reads a Mistral config with its own defaults', () => {
    expect(readLlamaConfig({ model_type: 'mistral' })).toMatchObject({
      numKeyValueHeads: 8,
      intermediateSize: 14336,
      slidingWindow: 4096,
    });
    expect(readLlamaConfig({ model_type: 'mistral', sliding_window: null }).slidingWindow).toBeUndefined();
    expect(readLlamaConfig({ hidden_size: 64, num_attention_heads: 4 })).toMatchObject({
      headDim: 16,
      numKeyValueHeads: 4,
    });
  });

  it('refuses rope scaling that it does not know', () => {
    expect(() => readLlamaConfig({ rope_scaling: { rope_type: 'su', factor: 4 } })).toThrow(
      /rope scaling of type 'su' is not known/,
    );
  });

  it('takes the length that its classes were trained with where a file says none', () => {
    const yarn = { rope_parameters: { rope_type: 'yarn', factor: 4 } };
    expect(readLlamaConfig(yarn).ropeScaling).toMatchObject({ originalMaxPositionEmbeddings: 2048 });
    expect(readLlamaConfig({ model_type: 'mistral', ...yarn }).ropeScaling).toMatchObject({
      originalMaxPositionEmbeddings: 131072,
    });
  });

  it('has no text section for heads of which a part turns, as its classes turn whole ones', () => {
    expect(llamaSection({ ...tiny, headDim: 8, rotaryDim: 6 })).toBeUndefined();
  });

  it.each(Object.entries(llamaPresets))(
    'is read back from the text section of %s',
    (_, preset: LlamaConfig) => {
      expect(readLlamaConfig(llamaSection(preset)!)).toEqual(preset);
    },
  );

  it('has a text section for biases that come in pairs, and none for what no model type has', () => {
    const biased = { ...tiny, qkvBias: true, outputBias: true, mlpBias: true };
    expect(readLlamaConfig(llamaSection(biased)!)).toEqual(biased);
    expect(llamaSection({ ...tiny, qkvBias: true })).toBeUndefined();
    expect(llamaSection({ ...biased, slidingWindow: 4 })).toBeUndefined();
    expect(
      llamaSection({ ...tiny, slidingWindow: 4, layerTypes: ['full_attention', 'sliding_attention'] }),
    ).toBeUndefined();
  });
});

testDefinition(llamaPart, {
  configs: [
    tiny,
    { ...tiny, qkvBias: true, outputBias: true, mlpBias: true, ropeScaling: { type: 'linear', factor: 2 } },
    { ...tiny, slidingWindow: 4, tieWordEmbeddings: true },
    {
      ...tiny,
      extraTokens: 2,
      extraTable: true,
      experts: { numExperts: 3, numExpertsPerTok: 2, normTopkProb: true, every: 2 },
    },
  ],
  unwritable: [
    { ...tiny, qkvBias: true },
    { ...tiny, ropeInterleaved: true },
    { ...tiny, extraTokens: 2 },
    { ...tiny, slidingWindow: 4, layerTypes: ['sliding_attention', 'sliding_attention'] },
    { ...tiny, layerTypes: ['full_attention', 'full_attention'] },
  ],
});
