import { ShapeError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import type { Connector, ImageFeatures } from '@weft/spec';
import { testConnector, testDefinition, type Golden } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { attentionPoolConnector, attentionPoolPart } from './attention-pool.js';

const golden = (
  name: string,
  side: number,
  sizes: { readonly hiddenSize: number; readonly numHeads: number; readonly intermediateSize: number },
  textSize: number,
): Golden<Connector> => ({
  file: new URL(`./__fixtures__/${name}.safetensors`, import.meta.url),
  model: () =>
    attentionPoolConnector({ ...sizes, padEmbed: true })({
      visionSize: 2 * sizes.hiddenSize,
      textSize,
      grid: [side, side],
    }),
  outputs: (connector, { features, ...inputs }) => ({
    rows: connector.connect({ hiddenStates: features!, grid: null } satisfies ImageFeatures, inputs),
  }),
});

const published = (intermediateSize: number, textSize: number) =>
  attentionPoolConnector({ intermediateSize, padEmbed: true })({
    visionSize: 2048,
    textSize,
    grid: [24, 24],
  });

testConnector({
  tiny: attentionPoolConnector({ hiddenSize: 4, numHeads: 2, intermediateSize: 3, padEmbed: true }),
  variants: {
    'nothing for borders': attentionPoolConnector({ hiddenSize: 4, numHeads: 2, intermediateSize: 3 }),
    'windows of one row': attentionPoolConnector({
      hiddenSize: 4,
      numHeads: 2,
      intermediateSize: 3,
      padEmbed: true,
      poolSize: [1, 3],
    }),
  },
  context: { visionSize: 6, textSize: 5, grid: [2, 3] },
  // None is 0 or 1, where what comes out jumps.
  feeds: {
    image_masks: { shape: [2, 6], data: Float64Array.from({ length: 12 }, (_, i) => [0.5, 2, -1][i % 3]!) },
  },
  names: {
    pad_embed: [2, 6],
    ...Object.fromEntries(
      ['wq', 'wk', 'wv', 'wo'].flatMap((name) => [
        [`image_pooling_2d.${name}.weight`, [4, name === 'wo' ? 4 : 6]],
        [`image_pooling_2d.${name}.bias`, [4]],
      ]),
    ),
    'image_projector.w1.weight': [3, 4],
    'image_projector.w2.weight': [5, 3],
    'image_projector.w3.weight': [3, 4],
  },
  golden: [
    golden('even', 4, { hiddenSize: 6, numHeads: 2, intermediateSize: 7 }, 10),
    golden('odd', 5, { hiddenSize: 9, numHeads: 3, intermediateSize: 5 }, 8),
  ],
  sizes: [
    ['Molmo-7B-D', 18944, 3584, 114_040_832],
    ['Molmo-7B-O', 11008, 4096, 74_981_376],
    ['Molmo-72B', 29568, 8192, 310_124_544],
    ['MolmoE-1B', 1024, 2048, 11_542_528],
  ].map(([name, inner, size, parameters]) => ({
    name: `${name}'s`,
    create: () => published(Number(inner), Number(size)),
    parameters: Number(parameters),
    tensors: 12,
  })),
});

describe('attentionPoolConnector', () => {
  const sizes = { visionSize: 8, textSize: 6 };

  it('gives one token for each window, also where windows reach beyond the grid', () => {
    const connector = attentionPoolConnector({ hiddenSize: 4, numHeads: 1 })({ ...sizes, grid: [24, 24] });
    expect(
      [
        [24, 24],
        [7, 7],
        [1, 5],
      ].map(([rows, columns]) => connector.countTokens([rows!, columns!])),
    ).toEqual([144, 16, 3]);
    const wide = attentionPoolConnector({ poolSize: [3, 4] })({ ...sizes, grid: [6, 8] });
    expect(wide.countTokens([6, 8])).toBe(4);
  });

  it('takes masks, and learns vectors for borders, only if asked to', () => {
    const make = (padEmbed: boolean) => attentionPoolConnector({ padEmbed })({ ...sizes, grid: [4, 6] });
    expect(make(true).inputs).toEqual({ image_masks: { dtype: 'float32', shape: ['tiles', 24] } });
    expect(make(false).inputs).toBeUndefined();
    expect(namedParameters(make(false)).has('pad_embed')).toBe(false);
  });

  it('refuses encoders without a grid, and heads that do not divide the channels', () => {
    expect(() => attentionPoolConnector()({ ...sizes, grid: null })).toThrow(ShapeError);
    expect(() => attentionPoolConnector({ hiddenSize: 10, numHeads: 4 })).toThrow(
      /10 channels cannot have 4 heads/,
    );
  });
});

testDefinition(attentionPoolPart, {
  configs: [{}, { hiddenSize: 4, numHeads: 2, intermediateSize: 3, poolSize: [2, 3], padEmbed: true }],
  context: { visionSize: 5, textSize: 7, grid: [3, 5] },
});
