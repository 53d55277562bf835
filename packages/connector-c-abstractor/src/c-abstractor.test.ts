import { ConfigError, ShapeError } from '@weft/errors';
import { input, makeGraph } from '@weft/graph';
import type { Connector, ImageFeatures } from '@weft/spec';
import { interpret, testConnector, testDefinition, type Golden } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { adaptiveAveragePool, poolingShares } from './adaptive-pool.js';
import { cAbstractorConnector, cAbstractorPart, readCAbstractorConfig } from './c-abstractor.js';
import { squeezedSize } from './reg-stage.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const golden = (name: string): Golden<Connector> => ({
  file: fixture(name),
  model: (config) => {
    const side = Math.sqrt(Number(config['num_input_tokens']));
    return cAbstractorConnector(readCAbstractorConfig(config))({
      visionSize: Number(config['encoder_hidden_size']),
      textSize: Number(config['output_hidden_size']),
      grid: [side, side],
    });
  },
  outputs: (connector, { features }) => ({
    rows: connector.connect({ hiddenStates: features!, grid: null } satisfies ImageFeatures),
  }),
});

const block = (path: string, from: number, to: number, squeezed: number) => ({
  [`${path}.conv1.conv.weight`]: [to, from, 1, 1],
  [`${path}.conv2.conv.weight`]: [to, 1, 3, 3],
  [`${path}.conv3.conv.weight`]: [to, to, 1, 1],
  ...Object.fromEntries(
    ['conv1', 'conv2', 'conv3'].flatMap((name) => [
      [`${path}.${name}.bn.weight`, [to]],
      [`${path}.${name}.bn.bias`, [to]],
    ]),
  ),
  [`${path}.se.fc1.weight`]: [squeezed, to, 1, 1],
  [`${path}.se.fc1.bias`]: [squeezed],
  [`${path}.se.fc2.weight`]: [to, squeezed, 1, 1],
  [`${path}.se.fc2.bias`]: [to],
});

const tiny = {
  numQueryTokens: 4,
  hiddenSize: 6,
  depth: 1,
  mlpDepth: 2,
  numEosTokens: 1,
  prenorm: true,
} as const;

testConnector({
  tiny: cAbstractorConnector(tiny),
  variants: {
    'no blocks': cAbstractorConnector({ ...tiny, depth: 0 }),
    'no table of positions': cAbstractorConnector({ ...tiny, posEmb: false }),
    'no learnt tokens': cAbstractorConnector({ ...tiny, numEosTokens: 0 }),
    'features as they are': cAbstractorConnector({ ...tiny, prenorm: false }),
  },
  context: { visionSize: 5, textSize: 7, grid: [3, 5] },
  names: {
    eos_tokens: [1, 1, 7],
    pos_emb: [1, 15, 5],
    'prenorm.weight': [5],
    'prenorm.bias': [5],
    ...block('net.0.b1', 5, 6, 1),
    'net.0.b1.downsample.conv.weight': [6, 5, 1, 1],
    'net.0.b1.downsample.bn.weight': [6],
    'net.0.b1.downsample.bn.bias': [6],
    ...block('net.2.b1', 6, 6, 2),
    'readout.0.weight': [7, 6],
    'readout.0.bias': [7],
    'readout.2.weight': [7, 7],
    'readout.2.bias': [7],
  },
  create: () => cAbstractorConnector()({ visionSize: 1024, textSize: 4096, grid: [24, 24] }),
  checkpoint: fixture('honeybee-c-7b-m144.header.json'),
  golden: ['wider', 'same-width', 'no-blocks'].map((name) => golden(`${name}.safetensors`)),
  sizes: [
    {
      name: "Honeybee-C-7B-M144's",
      create: () => cAbstractorConnector()({ visionSize: 1024, textSize: 4096, grid: [24, 24] }),
      parameters: 37_398_016,
      tensors: 83,
    },
  ],
});

describe('adaptive average pooling', () => {
  it("has PyTorch's windows, which overlap where the sides do not divide", () => {
    const windows = (from: number, to: number) =>
      poolingShares(from, to).map((shares) => shares.flatMap((share, i) => (share > 0 ? [i] : [])));
    expect(windows(7, 3)).toEqual([
      [0, 1, 2],
      [2, 3, 4],
      [4, 5, 6],
    ]);
    expect(windows(27, 12)[1]).toEqual([2, 3, 4]);
    expect(windows(48, 12)).toEqual(Array.from({ length: 12 }, (_, i) => [0, 1, 2, 3].map((j) => 4 * i + j)));
    expect(windows(2, 3)).toEqual([[0], [0, 1], [1]]);
  });

  it('takes the mean of a window, channel by channel, also of grids that are no square', () => {
    const x = input('x', { dtype: 'float32', shape: [1, 2, 4, 2] });
    const graph = makeGraph({ y: adaptiveAveragePool(x, [2, 4], 1) });
    const data = Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? i : 100));
    expect([...interpret(graph, { x: { shape: [1, 2, 4, 2], data } })['y']!.data]).toEqual([7, 100]);
  });
});

describe('cAbstractorConnector', () => {
  const sizes = { visionSize: 8, textSize: 6 };

  it('counts the tokens of its square and those behind it', () => {
    const make = (numEosTokens: number) =>
      cAbstractorConnector({ numQueryTokens: 16, numEosTokens })({ ...sizes, grid: [9, 9] });
    expect(make(0).countTokens([9, 9])).toBe(16);
    expect(make(2).countTokens([9, 9])).toBe(18);
  });

  it('rounds the squeezed width as Python does', () => {
    expect([1024, 1280, 10, 14, 9].map(squeezedSize)).toEqual([256, 320, 2, 4, 2]);
  });

  it('refuses a number of tokens that is not a square', () => {
    expect(() => cAbstractorConnector({ numQueryTokens: 150 })).toThrow(ConfigError);
    expect(() => cAbstractorConnector({ numQueryTokens: 150 })).toThrow(
      /square of tokens, but numQueryTokens is 150/,
    );
  });

  it('refuses encoders without a grid, and another grid than its own', () => {
    expect(() => cAbstractorConnector()({ ...sizes, grid: null })).toThrow(ShapeError);
    const connector = cAbstractorConnector()({ ...sizes, grid: [24, 24] });
    expect(() => connector.countTokens([12, 48])).toThrow(
      /made for a grid of 24 x 24, but the encoder's is 12 x 48/,
    );
  });

  it("reads Honeybee's configuration, and refuses its other projectors", () => {
    const section = { projector_type: 'c-abs', num_query_tokens: 256, depth: 3, mlp_depth: 2, pos_emb: true };
    expect(readCAbstractorConfig(section)).toMatchObject({
      numQueryTokens: 256,
      numEosTokens: 1,
      posEmb: true,
    });
    expect(() => readCAbstractorConfig({ ...section, projector_type: 'd-abs' })).toThrow(
      /projector_type is 'd-abs', expected 'c-abs'/,
    );
  });
});

testDefinition(cAbstractorPart, {
  configs: [
    {},
    {
      numQueryTokens: 4,
      hiddenSize: 6,
      depth: 1,
      mlpDepth: 1,
      posEmb: false,
      numEosTokens: 1,
      prenorm: true,
    },
  ],
  context: { visionSize: 5, textSize: 7, grid: [3, 5] },
});
