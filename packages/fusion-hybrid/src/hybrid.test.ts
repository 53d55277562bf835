import { namedParameters } from '@weft/graph';
import { decoder } from '@weft/nn';
import { testDefinition, testFusion } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { hybrid, hybridPart } from './hybrid.js';

const backbone = () =>
  decoder(
    {
      hiddenSize: 10,
      intermediateSize: 13,
      numHiddenLayers: 3,
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
    },
    {
      id: 'backbone-tiny',
      source: { paper: 'https://arxiv.org/abs/2302.13971', code: 'https://github.com/meta-llama/llama' },
    },
  );

testFusion({
  create: () => hybrid({ every: 2 }),
  backbone,
  variants: {
    'other places': () => hybrid({ at: [0, 2] }),
    'one list of layers': () => hybrid({ every: 2, naming: 'merged' }),
    'fewer heads for keys': () => hybrid({ every: 2, numKeyValueHeads: 1 }),
    'narrower heads': () => hybrid({ every: 2, headDim: 3 }),
    'a narrower MLP': () => hybrid({ every: 2, intermediateSize: 5 }),
    'larger norms': () => hybrid({ every: 2, eps: 1e-2 }),
    'tokens that see nothing attend to all': () => hybrid({ every: 2, unseen: 'mlp' }),
  },
});

describe('hybrid', () => {
  it('lets a token see the tiles of all pictures before it, unless told otherwise', () => {
    expect(hybrid({ every: 2 }).visibility).toBe('all');
    expect(hybrid({ every: 2, visibility: 'last' }).visibility).toBe('last');
  });

  it('states what it was told, so that it can be made again', () => {
    const { config } = hybrid({ at: [1], naming: 'merged', eps: 1e-6 });
    expect(config).toEqual({ at: [1], naming: 'merged', eps: 1e-6 });
    const paths = [...namedParameters(hybrid(config).attach(backbone()).backbone).keys()];
    expect(paths).toContain('model.layers.1.cross_attn_mlp_gate');
  });
});

testDefinition(hybridPart, {
  configs: [
    { every: 2 },
    {
      at: [0, 3],
      naming: 'merged',
      visibility: 'last',
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
