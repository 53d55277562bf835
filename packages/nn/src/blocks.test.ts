import { ConfigError } from '@weft/errors';
import { add, namedParameters, trace, type Part, type TensorType, type Value } from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { activation } from './activation.js';
import { decoder } from './decoder.js';
import { mergeHeads, splitHeads } from './heads.js';
import { linear } from './linear.js';
import { gatedMlp, mlp } from './mlp.js';
import { layerNorm, rmsNorm } from './norm.js';
import { captureLayers, patchEmbedding } from './vision-transformer.js';

const sizes = { hiddenSize: 6, intermediateSize: 10, hiddenAct: 'silu' as const };
const vision = {
  ...sizes,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  numChannels: 3,
  imageSize: 8,
  patchSize: 3,
  layerNormEps: 1e-6,
};
const float32 = (...shape: readonly (string | number)[]): TensorType => ({ dtype: 'float32', shape });
const shapes = (part: Part): Record<string, readonly number[]> =>
  Object.fromEntries([...namedParameters(part)].map(([name, { shape }]) => [name, shape]));

describe('a block', () => {
  it('has the names and shapes of the checkpoints', () => {
    expect(shapes(linear(6, 4))).toEqual({ weight: [4, 6], bias: [4] });
    expect(shapes(linear(6, 4, { bias: false }))).toEqual({ weight: [4, 6] });
    expect(shapes(rmsNorm(6, 1e-5))).toEqual({ weight: [6] });
    expect(shapes(layerNorm(6, 1e-5))).toEqual({ weight: [6], bias: [6] });
    expect(shapes(mlp(sizes))).toEqual({
      'fc1.weight': [10, 6],
      'fc1.bias': [10],
      'fc2.weight': [6, 10],
      'fc2.bias': [6],
    });
    expect(shapes(gatedMlp(sizes))).toEqual({
      'gate_proj.weight': [10, 6],
      'up_proj.weight': [10, 6],
      'down_proj.weight': [6, 10],
    });
    expect(shapes(patchEmbedding(vision, { bias: true }))).toEqual({ weight: [6, 3, 3, 3], bias: [6] });
  });

  it('says its widths without being traced', () => {
    const { inSize, outSize } = linear(6, 4);
    expect([inSize, outSize]).toEqual([6, 4]);
  });
});

describe('heads', () => {
  it('are split and merged without changing the size', () => {
    const graph = trace({}, { x: float32('batch', 'sequence', 12) }, ({ x }) => {
      const split = splitHeads(x, 3);
      return { split, merged: mergeHeads(split) };
    });
    expect(graph.outputs['split']?.shape).toEqual(['batch', 'sequence', 3, 4]);
    expect(graph.outputs['merged']?.shape).toEqual(['batch', 'sequence', 12]);
  });
});

describe('captureLayers', () => {
  const captured = (wanted: readonly number[]) => {
    const ran: number[] = [];
    const layers = [1, 2, 3].map((layer) => (x: Value) => (ran.push(layer), add(x, layer)));
    trace({}, { x: float32(2) }, ({ x }) =>
      Object.fromEntries(captureLayers(layers, x, wanted).map((state, i) => [`${i}`, add(state, 0)])),
    );
    return ran;
  };

  it('numbers states as hidden_states does, and runs no layer after the last that is read', () => {
    expect(captured([0])).toEqual([]);
    expect(captured([1])).toEqual([1]);
    expect(captured([-1])).toEqual([1, 2, 3]);
    expect(captured([-2, 0])).toEqual([1, 2]);
  });
});

describe('activation', () => {
  it('is found by its name in config.json', () => {
    const graph = trace({}, { x: float32(2) }, ({ x }) => ({
      exact: activation('gelu')(x),
      tanh: activation('gelu_pytorch_tanh')(x),
      swish: activation('swish')(x),
    }));
    const { exact, tanh, swish } = graph.outputs;
    expect(exact?.node).toMatchObject({ op: 'Gelu', attributes: { approximation: 'none' } });
    expect(tanh?.node).toMatchObject({ op: 'Gelu', attributes: { approximation: 'tanh' } });
    expect(swish?.node.op).toBe('Silu');
  });

  it('lists the known ones when there is none of the name', () => {
    expect(() => activation('mish' as 'silu')).toThrow(/There is no activation 'mish'\.\n {2}Known: gelu, /);
    expect(() => activation('toString' as 'silu')).toThrow(ConfigError);
  });
});

describe('a decoder', () => {
  const config = {
    hiddenSize: 6,
    intermediateSize: 7,
    numHiddenLayers: 3,
    numAttentionHeads: 2,
    numKeyValueHeads: 1,
    headDim: 4,
    rotaryDim: 4,
    vocabSize: 9,
    hiddenAct: 'silu' as const,
    rmsNormEps: 1e-5,
    ropeTheta: 100,
    tieWordEmbeddings: true,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
  } as const;
  const source = { paper: 'https://arxiv.org/abs/2302.13971', code: 'https://github.com/meta-llama/llama' };
  const make = (changes: object = {}) => decoder({ ...config, ...changes }, { id: 'backbone-tiny', source });
  const logitsOf = (backbone: ReturnType<typeof make>) =>
    trace({ backbone }, { h: float32('rows', 6) }, ({ h }) => ({ logits: backbone.head(h) })).outputs[
      'logits'
    ]!;

  it('gives extra tokens an embedding, and no logit even where the head is the table', () => {
    for (const tieWordEmbeddings of [true, false]) {
      const backbone = make({ extraTokens: 2, tieWordEmbeddings });
      expect(shapes(backbone)['model.embed_tokens.weight']).toEqual([11, 6]);
      expect(logitsOf(backbone).shape).toEqual(['rows', 9]);
    }
  });

  it('takes another stack under names that are given, at paths that were given', () => {
    const backbone = make().withPaths({ model: 'text' }) as ReturnType<typeof make>;
    const [first, second] = backbone.layers;
    const other = backbone.withLayers([second!, first!], ['added.0', 'layers.2']);
    const roots = new Set(Object.keys(shapes(other)).map((path) => path.split('.').slice(0, 3).join('.')));
    expect([...roots].filter((root) => /added|layers/.test(root)).toSorted()).toEqual([
      'text.added.0',
      'text.layers.2',
    ]);
    expect(other.layers).toEqual([second, first]);
    expect(
      Object.keys(shapes(other.withLayers([first!]))).some((path) => path.startsWith('text.layers.0.')),
    ).toBe(true);
  });

  it.each([3, 4, 5, 7])('refuses %i heads where they do not divide the channels', (heads) => {
    const split = () =>
      trace({}, { x: float32('batch', 'length', 26) }, ({ x }) => ({ y: splitHeads(x, heads) }));
    expect(split).toThrow(`26 channels cannot be split into ${heads} heads.`);
  });
});
