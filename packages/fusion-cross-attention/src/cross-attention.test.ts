import { ConfigError } from '@weft/errors';
import { namedParameters, trace, type Value } from '@weft/graph';
import { decoder } from '@weft/nn';
import { inference, targets } from '@weft/onnx';
import type { Backbone, Fusion } from '@weft/spec';
import {
  assertClose,
  interpret,
  randomParameters,
  randomTensor,
  runOnnx,
  testDefinition,
  testFusion,
  type Tensors,
} from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { crossAttention, crossAttentionPart } from './cross-attention.js';

const source = { paper: 'https://arxiv.org/abs/2302.13971', code: 'https://github.com/meta-llama/llama' };
const config = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 4,
  numAttentionHeads: 4,
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
} as const;
const backbone = () => decoder(config, { id: 'backbone-tiny', source });

testFusion({
  create: () => crossAttention({ every: 2 }),
  backbone,
  variants: {
    'other places': () => crossAttention({ at: [0, 2] }),
    'one list of layers': () => crossAttention({ every: 2, naming: 'merged' }),
    'fewer heads for keys': () => crossAttention({ every: 2, numKeyValueHeads: 1 }),
    'narrower heads': () => crossAttention({ every: 2, headDim: 3 }),
    'a narrower MLP': () => crossAttention({ every: 2, intermediateSize: 5 }),
    'larger norms': () => crossAttention({ every: 2, eps: 1e-2 }),
    'tokens that see nothing attend to all': () => crossAttention({ every: 2, unseen: 'mlp' }),
  },
});

describe('crossAttention as transformers computes it, in one list', () => {
  testFusion({
    create: () =>
      crossAttention({
        at: [0, 4],
        naming: 'merged',
        unseen: 'mlp',
        numKeyValueHeads: 1,
        headDim: 3,
        intermediateSize: 5,
      }),
    backbone,
  });
});

const [perTile, width] = [3, config.hiddenSize];
const types = {
  input_ids: { dtype: 'int64', shape: ['batch', 'sequence'] },
  position_ids: { dtype: 'int64', shape: ['batch', 'sequence'] },
  embeds: { dtype: 'float32', shape: ['all', perTile, width] },
  tiles: { dtype: 'int64', shape: ['batch', 'seen'] },
  mask: { dtype: 'int64', shape: ['batch', 'sequence', 'seen'] },
} as const;

function traceLogits(fusion: Fusion, model: Backbone) {
  return trace({ backbone: model }, types, (inputs: Readonly<Record<string, Value>>) => {
    const seen = { embeds: inputs['embeds']!, tiles: inputs['tiles']!, mask: inputs['mask']! };
    const joined = fusion.join({ hiddenStates: model.embed(inputs['input_ids']!), seen });
    return { logits: model.head(model.decode({ ...joined, positionIds: inputs['position_ids']! })) };
  });
}

const ids = [1, 2, 3, 4, 5, 6];
const feeds = {
  input_ids: { shape: [1, 6], data: ids },
  position_ids: { shape: [1, 6], data: [0, 1, 2, 3, 4, 5] },
  embeds: randomTensor([3, perTile, width], 1),
  tiles: { shape: [1, 2], data: [2, 0] },
  mask: { shape: [1, 6, 2], data: [0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1] },
} satisfies Tensors;

describe('crossAttention', () => {
  const pathsOf = (fusion: Fusion) => [...namedParameters(fusion.attach(backbone()).backbone).keys()];
  const gates = (fusion: Fusion) =>
    pathsOf(fusion)
      .filter((path) => path.endsWith('attn_gate'))
      .map((path) => path.replace('.cross_attn_attn_gate', ''));

  it('stands before every nth layer, or where it is told', () => {
    expect(gates(crossAttention({ every: 2 }))).toEqual([
      'model.cross_attn_layers.1',
      'model.cross_attn_layers.3',
    ]);
    expect(gates(crossAttention({ at: [0, 4] }))).toEqual([
      'model.cross_attn_layers.0',
      'model.cross_attn_layers.4',
    ]);
  });

  it('takes its turn in the numbers of the layers where names are merged', () => {
    const merged = crossAttention({ every: 2, naming: 'merged' });
    expect(gates(merged)).toEqual(['model.layers.1', 'model.layers.4']);
    expect(pathsOf(merged)).toContain('model.layers.5.self_attn.q_proj.weight');
    expect(merged.attach(backbone()).backbone.layers).toHaveLength(6);
  });

  it('keeps the paths that the backbone was given', () => {
    const moved = backbone().withPaths({ model: 'text.model' }) as Backbone;
    const paths = [...namedParameters(crossAttention({ every: 2 }).attach(moved).backbone).keys()];
    expect(paths.filter((path) => !path.startsWith('text.model.'))).toEqual(['lm_head.weight']);
  });

  it('has the parameters of Llama 3.2 Vision under its names', () => {
    const own = Object.fromEntries(
      [...namedParameters(crossAttention({ at: [1] }).attach(backbone()).backbone)]
        .filter(([path]) => path.includes('cross_attn_layers.1'))
        .map(([path, { shape }]) => [path.slice(26), shape]),
    );
    expect(own).toEqual({
      'input_layernorm.weight': [10],
      'cross_attn.q_proj.weight': [24, 10],
      'cross_attn.k_proj.weight': [12, 10],
      'cross_attn.v_proj.weight': [12, 10],
      'cross_attn.o_proj.weight': [10, 24],
      'cross_attn.q_norm.weight': [6],
      'cross_attn.k_norm.weight': [6],
      cross_attn_attn_gate: [1],
      'post_attention_layernorm.weight': [10],
      'mlp.gate_proj.weight': [13, 10],
      'mlp.up_proj.weight': [13, 10],
      'mlp.down_proj.weight': [10, 13],
      cross_attn_mlp_gate: [1],
    });
  });

  it('leaves a token that sees no image as it is, or lets it attend to all as transformers does', () => {
    const first = (unseen: 'attention-and-mlp' | 'mlp', embeds = feeds.embeds) => {
      const fusion = crossAttention({ every: 2, unseen });
      const model = fusion.attach(backbone()).backbone;
      return [
        ...interpret(
          traceLogits(fusion, model),
          { ...feeds, embeds },
          randomParameters({ backbone: model }, 3),
        )['logits']!.data.slice(0, config.vocabSize),
      ];
    };
    const other = randomTensor([3, perTile, width], 2);
    expect(first('attention-and-mlp', other)).toEqual(first('attention-and-mlp'));
    expect(first('mlp', other)).not.toEqual(first('mlp'));
  });

  it('refuses places that are not layers in ascending order, and placed embeddings', () => {
    const attach = (options: Parameters<typeof crossAttention>[0]) => () =>
      crossAttention(options).attach(backbone()).backbone;
    expect(attach({ at: [2, 1] })).toThrow(ConfigError);
    expect(attach({ at: [2, 1] })).toThrow(
      /cannot stand at \[2, 1\]: the backbone has 4\.\n {2}at fusion-cross-attention/,
    );
    for (const options of [{ at: [] }, { at: [5] }, { every: 5 }, {}, { at: [1], every: 2 }])
      expect(attach(options)).toThrow(/Give \{ at \}/);
    const value = {} as Value;
    expect(() =>
      crossAttention({ every: 2 }).join({ hiddenStates: value, placed: { positions: value, embeds: value } }),
    ).toThrow(/Use unifiedFusion or hybrid/);
  });
});

describe('the decode step over held keys', () => {
  const fusion = crossAttention({ every: 2 });
  const model = fusion.attach(backbone()).backbone;
  const graph = traceLogits(fusion, model);
  const { graph: step, cache, held } = inference(graph);

  it('has no parameter that images go through, and numbers held and appended keys apart', () => {
    const images = /cross_attn\.(k_proj|v_proj|k_norm)/;
    expect([...step.parameters.keys()].filter((path) => images.test(path))).toEqual([]);
    expect([...graph.parameters.keys()].filter((path) => images.test(path)).toSorted()).toEqual(
      [...held!.graph.parameters.keys()].toSorted(),
    );
    expect([...step.inputs.keys()].filter((name) => /embeds|tiles/.test(name))).toEqual([]);
    expect([...held!.graph.inputs.keys()].toSorted()).toEqual(['embeds', 'tiles']);
    expect(held!.slots.map(({ name }) => name)).toEqual(
      [0, 1].flatMap((i) => [`cross_key_values.${i}.key`, `cross_key_values.${i}.value`]),
    );
    expect(cache).toHaveLength(8);
    expect(step.inputs.get('cross_key_values.1.key')!.shape).toEqual(['3*seen', 'batch', 2, 6]);
  });

  it.each(['cpu', 'reference'] as const)(
    'gives the logits of the whole graph, token by token (%s)',
    async (name) => {
      const target = targets[name];
      const parameters = randomParameters({ backbone: model }, 4);
      const whole = interpret(graph, feeds, parameters)['logits']!;
      const keys = await runOnnx(held!.graph, feeds, parameters, { target });
      let past: Tensors = Object.fromEntries(
        cache.map((slot) => [
          slot.past,
          { shape: [1, 1, slot.heads, slot.size], data: new Float64Array(slot.heads * slot.size) },
        ]),
      );
      for (const at of ids.keys()) {
        const given = {
          input_ids: { shape: [1, 1], data: [ids[at]!] },
          position_ids: { shape: [1, 1], data: [at] },
          mask: { shape: [1, 1, 2], data: feeds.mask.data.slice(2 * at, 2 * at + 2) },
          attention_mask: { shape: [1, at + 2], data: [0, ...ids.slice(0, at + 1).map(() => 1)] },
        };
        const result = await runOnnx(step, { ...given, ...keys, ...past }, parameters, { target });
        const expected = {
          shape: [config.vocabSize],
          data: whole.data.slice(at * config.vocabSize, (at + 1) * config.vocabSize),
        };
        assertClose({ shape: expected.shape, data: result['logits']!.data }, expected, {
          tolerance: 1e-5,
          what: `logits of token ${at}`,
        });
        past = Object.fromEntries(
          cache.map((slot) => [
            slot.past,
            {
              shape: [at + 2, 1, slot.heads, slot.size],
              data: [
                ...Array.from(past[slot.past]!.data, Number),
                ...Array.from(result[slot.present]!.data, Number),
              ],
            },
          ]),
        );
      }
    },
  );
});

testDefinition(crossAttentionPart, {
  configs: [
    { every: 2 },
    {
      at: [0, 3],
      naming: 'merged',
      visibility: 'all',
      numAttentionHeads: 2,
      numKeyValueHeads: 1,
      headDim: 5,
      hiddenSize: 10,
      intermediateSize: 7,
      hiddenAct: 'gelu',
      eps: 1e-6,
      unseen: 'mlp',
    },
  ],
});
