import { namedParameters, trace } from '@weft/graph';
import {
  interpret,
  randomParameters,
  testBackbone,
  testComputation,
  testDefinition,
  type Golden,
  type Tensor,
} from '@weft/testing';
import type { Backbone } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { qwen2, qwen2Part, qwen2Presets, qwen2Section, readQwen2Config, type Qwen2Config } from './qwen2.js';

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
  variants: {
    'a window': () => qwen2({ ...tiny, slidingWindow: 3 }),
    'another activation': () => qwen2({ ...tiny, hiddenAct: 'gelu' }),
    'larger norms': () => qwen2({ ...tiny, rmsNormEps: 1e-2 }),
    'other frequencies': () => qwen2({ ...tiny, ropeTheta: 500 }),
    'a head of its own, or a tied one': () => qwen2({ ...tiny, tieWordEmbeddings: !tiny.tieWordEmbeddings }),
    'biases of queries, keys and values, or none': () => qwen2({ ...tiny, qkvBias: !tiny.qkvBias }),
    'a bias behind attention': () => qwen2({ ...tiny, outputBias: true }),
    'biases of the MLP': () => qwen2({ ...tiny, mlpBias: true }),
    'channels that turn in pairs': () => qwen2({ ...tiny, ropeInterleaved: true }),
    'tokens beyond the table': () => qwen2(tiny, { extraTokens: 3, extraTable: true }),
  },
  create: () => qwen2('qwen2-0.5b'),
  checkpoint: fixture('qwen2-0.5b.header.json'),
  golden: [
    golden('qwen2.safetensors'),
    golden('qwen2-untied.safetensors'),
    golden('qwen2-window.safetensors'),
  ],
  sizes: Object.entries(totals).map(([name, parameters]) => ({
    name,
    create: () => qwen2(name as keyof typeof totals),
    parameters,
  })),
});

describe('qwen2 with extra tokens in a table of their own', () => {
  const model = { backbone: qwen2(tiny, { extraTokens: 3, extraTable: true }) };
  const { vocabSize } = tiny;
  const ids = [0, vocabSize - 1, vocabSize, vocabSize + 2];
  testComputation(() => ({
    model,
    trace: ({ backbone }) =>
      trace({ backbone }, { ids: { dtype: 'int64', shape: ['batch', 'sequence'] } }, (inputs) => ({
        embeds: backbone.embed(inputs.ids),
      })),
    feeds: { ids: { shape: [2, 2], data: ids } },
    output: 'embeds',
    unread: {
      'model.layers': 'only the tables are read here',
      'model.norm': 'only the tables are read here',
    },
  }));

  it('looks each token up in its table', () => {
    const graph = trace(model, { ids: { dtype: 'int64', shape: [1, 4] } }, (inputs) => ({
      embeds: model.backbone.embed(inputs.ids),
    }));
    const parameters = randomParameters(model, 3);
    const [table, extra] = ['weight', 'new_embedding'].map(
      (name) => parameters[`backbone.model.embed_tokens.${name}`]!,
    ) as [Tensor, Tensor];
    const row = ({ shape, data }: Tensor, i: number) => [
      ...data.subarray(i * shape[1]!, (i + 1) * shape[1]!),
    ];
    const { embeds } = interpret(graph, { ids: { shape: [1, 4], data: ids } }, parameters);
    expect([...embeds!.data]).toEqual([
      ...row(table, 0),
      ...row(table, vocabSize - 1),
      ...row(extra, 0),
      ...row(extra, 2),
    ]);
    expect(table.shape[0]).toBe(vocabSize);
  });
});

describe('qwen2', () => {
  it('names the presets it has', () => {
    const message = `backbone-qwen2 has no preset 'qwen4'.\n  It has: ${Object.keys(qwen2Presets).join(', ')}.`;
    expect(() => qwen2('qwen4' as never)).toThrow(message);
  });

  it('has biases on queries, keys and values, and nowhere else', () => {
    const biases = [...namedParameters(qwen2(tiny)).keys()].filter((path) => path.endsWith('.bias'));
    expect(biases.map((path) => path.split('.').at(-2))).toEqual([
      'q_proj',
      'k_proj',
      'v_proj',
      'q_proj',
      'k_proj',
      'v_proj',
    ]);
  });

  it('uses the window of a config only when the config says so, and in the layers that it says', () => {
    expect(readQwen2Config({ sliding_window: 8 }).slidingWindow).toBeUndefined();
    const [full, sliding] = ['full_attention', 'sliding_attention'] as const;
    const window = { num_hidden_layers: 3, sliding_window: 8, use_sliding_window: true };
    expect(readQwen2Config({ ...window, max_window_layers: 2 })).toMatchObject({
      slidingWindow: 8,
      layerTypes: [full, full, sliding],
    });
    expect(readQwen2Config({ ...window, layer_types: [sliding, full, full] }).layerTypes).toEqual([
      sliding,
      full,
      full,
    ]);
    expect(readQwen2Config({ use_sliding_window: true })).toMatchObject({ slidingWindow: 4096 });
  });

  it.each(Object.entries(qwen2Presets))('is read back from the text section of %s', (_, preset) => {
    expect(readQwen2Config(qwen2Section(preset)!)).toEqual(preset);
  });

  it('is read back with a window in some layers, and has no text section for other biases', () => {
    const window: Qwen2Config = {
      ...tiny,
      slidingWindow: 5,
      layerTypes: ['full_attention', 'sliding_attention'],
    };
    expect(readQwen2Config(qwen2Section(window)!)).toEqual(window);
    expect(qwen2Section({ ...tiny, outputBias: true })).toBeUndefined();
  });
});

testDefinition(qwen2Part, {
  configs: [
    tiny,
    { ...tiny, slidingWindow: 5 },
    { ...tiny, slidingWindow: 5, layerTypes: ['full_attention', 'sliding_attention'] },
  ],
  unwritable: [
    { ...tiny, mlpBias: true },
    { ...tiny, ropeInterleaved: true },
  ],
});
