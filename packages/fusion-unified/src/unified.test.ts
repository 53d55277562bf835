import { input, makeGraph } from '@weft/graph';
import { decoder } from '@weft/nn';
import { interpret, testDefinition, testFusion } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { unifiedFusion, unifiedPart } from './unified.js';

const backbone = () =>
  decoder(
    {
      hiddenSize: 10,
      intermediateSize: 13,
      numHiddenLayers: 2,
      numAttentionHeads: 3,
      numKeyValueHeads: 1,
      headDim: 4,
      rotaryDim: 4,
      vocabSize: 17,
      hiddenAct: 'silu',
      rmsNormEps: 1e-5,
      ropeTheta: 1000,
      tieWordEmbeddings: false,
      qkvBias: false,
      outputBias: false,
      mlpBias: false,
    },
    {
      id: 'backbone-tiny',
      source: { paper: 'https://arxiv.org/abs/2302.13971', code: 'https://github.com/meta-llama/llama' },
    },
  );

testFusion({
  create: () => unifiedFusion(),
  backbone,
  variants: { 'embeddings added': () => unifiedFusion({ mode: 'add' }) },
});

describe('unifiedFusion in add mode', () => {
  testFusion({ create: () => unifiedFusion({ mode: 'add' }), backbone });
});

describe('unifiedFusion', () => {
  const join = (mode: 'replace' | 'add') => {
    const [hiddenStates, positions, embeds] = [
      input('hidden', { dtype: 'float32', shape: ['batch', 'sequence', 2] }),
      input('positions', { dtype: 'int64', shape: ['tokens'] }),
      input('images', { dtype: 'float32', shape: ['tokens', 2] }),
    ];
    const graph = makeGraph({
      y: unifiedFusion({ mode }).join({ hiddenStates, placed: { positions, embeds } }).hiddenStates,
    });
    const hidden = { shape: [2, 3, 2], data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] };
    const images = { shape: [2, 2], data: [100, 200, 300, 400] };
    return [...interpret(graph, { hidden, images, positions: { shape: [2], data: [2, 3] } })['y']!.data];
  };

  it('overwrites placeholders, and leaves all other tokens as they are', () => {
    expect(join('replace')).toEqual([1, 2, 3, 4, 100, 200, 300, 400, 9, 10, 11, 12]);
  });

  it('adds to placeholders in add mode', () => {
    expect(join('add')).toEqual([1, 2, 3, 4, 105, 206, 307, 408, 9, 10, 11, 12]);
  });
});

testDefinition(unifiedPart, { configs: [{}, { mode: 'add' }] });
