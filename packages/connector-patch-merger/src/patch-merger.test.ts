import { ShapeError } from '@weft/errors';
import { namedParameters, trace, type Value } from '@weft/graph';
import {
  interpret,
  randomParameters,
  randomTensor,
  testConnector,
  testDefinition,
  type Golden,
} from '@weft/testing';
import type { Connector, ImageFeatures, PatchGrid } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { patchMergerConnector, patchMergerPart, type PatchMergerOptions } from './patch-merger.js';

const context = { visionSize: 5, textSize: 7, grid: [4, 6] } as const;
const layers = { 'mlp.0.weight': [20, 20], 'mlp.0.bias': [20], 'mlp.2.weight': [7, 20], 'mlp.2.bias': [7] };

const golden = (name: string, norm: PatchMergerOptions['norm']): Golden<Connector> => ({
  file: new URL(`./__fixtures__/${name}.safetensors`, import.meta.url),
  model: () =>
    patchMergerConnector({ mergeSize: 2, norm: norm! })({ visionSize: 24, textSize: 10, grid: null }),
  outputs: (connector, { features }) => ({
    embeds: connector.connect({ hiddenStates: features!, grid: null, blockSize: 2 }),
  }),
});

const published = (visionSize: number, textSize: number) => () =>
  patchMergerConnector({ mergeSize: 2 })({ visionSize, textSize, grid: null });

testConnector({
  tiny: patchMergerConnector({ mergeSize: 2 }),
  variants: {
    'norms without a mean': patchMergerConnector({ mergeSize: 2, norm: 'rms' }),
    'larger norms': patchMergerConnector({ mergeSize: 2, eps: 1e-2 }),
  },
  context,
  names: { 'ln_q.weight': [5], 'ln_q.bias': [5], ...layers },
  golden: [golden('qwen2-vl', 'layer')],
  sizes: [
    // The visual part of each published model, without the tower's 631,183,360.
    { name: 'Qwen2-VL 2B', create: published(1280, 1536), parameters: 665_271_296 - 631_183_360, tensors: 6 },
    { name: 'Qwen2-VL 7B', create: published(1280, 3584), parameters: 675_759_104 - 631_183_360, tensors: 6 },
    {
      name: 'Qwen2-VL 72B',
      create: published(1280, 8192),
      parameters: 699_356_672 - 631_183_360,
      tensors: 6,
    },
  ],
});

describe('patchMergerConnector with root-mean-square norm', () => {
  testConnector({
    tiny: patchMergerConnector({ mergeSize: 2, norm: 'rms' }),
    context,
    names: { 'ln_q.weight': [5], ...layers },
    golden: [golden('qwen2.5-vl', 'rms')],
  });
});

describe('patchMergerConnector', () => {
  const connector = patchMergerConnector({ mergeSize: 2 })(context);
  const connect = (layout: Pick<ImageFeatures, 'grid' | 'blockSize'>, features: number[]) => {
    const types = { features: { dtype: 'float32', shape: [1, 8, 5] } } as const;
    const graph = trace(connector, types, (inputs: { readonly features: Value }) => ({
      y: connector.connect({ hiddenStates: inputs.features, ...layout }),
    }));
    return interpret(
      graph,
      { features: { shape: [1, 8, 5], data: features } },
      randomParameters(connector, 3),
    )['y']!;
  };

  it('gives the same tokens for patches row by row as for patches block by block', () => {
    const { data } = randomTensor([8, 5], 2);
    const rows = Array.from({ length: 8 }, (_, patch) => [...data.subarray(5 * patch, 5 * patch + 5)]);
    const blocks = [0, 1, 4, 5, 2, 3, 6, 7].map((patch) => rows[patch]!);
    const grid: PatchGrid = [2, 4];
    expect(connect({ grid: null, blockSize: 2 }, blocks.flat())).toEqual(connect({ grid }, rows.flat()));
  });

  it('counts a token for each block, and refuses a grid that is not whole blocks', () => {
    expect(connector.countTokens([34, 46])).toBe(391);
    expect(() => connector.countTokens([5, 4])).toThrow(ShapeError);
    expect(() => patchMergerConnector({ mergeSize: 4 })({ ...context, grid: [6, 8] })).toThrow(
      /needs a grid that 4 divides, but the encoder's is 6 x 8/,
    );
  });

  it('refuses features whose blocks it cannot find', () => {
    expect(() => connect({ grid: null }, [])).toThrow(
      /joins blocks of 2 x 2 patches, but the features come without a grid/,
    );
    expect(() => connect({ grid: null, blockSize: 4 }, [])).toThrow(/come in blocks of 4/);
  });

  it('has the names of the published checkpoints below visual.merger', () => {
    expect([...namedParameters({ visual: { merger: connector } }).keys()][2]).toBe(
      'visual.merger.mlp.0.weight',
    );
  });
});

testDefinition(patchMergerPart, {
  configs: [{ mergeSize: 2 }, { mergeSize: 1, norm: 'rms', eps: 1e-5 }],
  context,
});
