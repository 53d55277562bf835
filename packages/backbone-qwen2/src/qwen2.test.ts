import { namedParameters } from '@weft/graph';
import { testBackbone, type Golden } from '@weft/testing';
import type { Backbone } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { qwen2, qwen2Presets, readQwen2Config, type Qwen2Config } from './qwen2.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: Qwen2Config = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 2,
  numAttentionHeads: 3,
  numKeyValueHeads: 1,
  headDim: 4,
  rotaryDim: 4,
  vocabSize: 17,
  hiddenAct: 'silu',
  rmsNormEps: 1e-6,
  ropeTheta: 1e6,
  tieWordEmbeddings: true,
  qkvBias: true,
  outputBias: false,
  mlpBias: false,
};

const golden = (name: string): Golden<Backbone> => ({
  file: fixture(name),
  model: (config) => qwen2(readQwen2Config(config)),
  outputs: (backbone, { input_ids, position_ids }) => {
    const states = backbone.decode({ hiddenStates: backbone.embed(input_ids!), positionIds: position_ids! });
    return { last_hidden_state: states, logits: backbone.head(states) };
  },
});

const totals = {
  'qwen2-0.5b': 494_032_768,
  'qwen2-1.5b': 1_543_714_304,
  'qwen2.5-3b': 3_085_938_688,
  'qwen2-7b': 7_615_616_512,
  'qwen2-72b': 72_706_203_648,
} as const;

testBackbone({
  tiny: () => qwen2(tiny),
  create: () => qwen2('qwen2-0.5b'),
  checkpoint: fixture('qwen2-0.5b.header.json'),
  golden: [golden('qwen2.safetensors'), golden('qwen2-untied.safetensors')],
  sizes: Object.entries(totals).map(([name, parameters]) => ({ name, create: () => qwen2(name as keyof typeof totals), parameters })),
});

describe('qwen2', () => {
  it('names the presets it has', () => {
    const message = `backbone-qwen2 has no preset 'qwen4'.\n  It has: ${Object.keys(qwen2Presets).join(', ')}.`;
    expect(() => qwen2('qwen4' as never)).toThrow(message);
  });

  it('has biases on queries, keys and values, and nowhere else', () => {
    const biases = [...namedParameters(qwen2(tiny)).keys()].filter((path) => path.endsWith('.bias'));
    expect(biases.map((path) => path.split('.').at(-2))).toEqual(['q_proj', 'k_proj', 'v_proj', 'q_proj', 'k_proj', 'v_proj']);
  });

  it('uses the window of a config only when the config says so', () => {
    expect(readQwen2Config({ sliding_window: 8 }).slidingWindow).toBeUndefined();
    expect(readQwen2Config({ sliding_window: 8, use_sliding_window: true }).slidingWindow).toBe(8);
  });
});
