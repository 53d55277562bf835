import { olmo } from '@weft/backbone-olmo';
import { qwen2 } from '@weft/backbone-qwen2';
import { differentiate } from '@weft/autodiff';
import { mlpConnector } from '@weft/connector-mlp';
import { resamplerConnector } from '@weft/connector-resampler';
import { clip } from '@weft/encoder-clip';
import { siglip } from '@weft/encoder-siglip';
import { crossAttention } from '@weft/fusion-cross-attention';
import { hybrid } from '@weft/fusion-hybrid';
import { namedParameters } from '@weft/graph';
import { senseOf, type Backbone, type Fusion, type Model } from '@weft/spec';
import { checkGradients, interpret, randomParameters, randomTensor, type Tensors } from '@weft/testing';
import {
  dynamicTiles,
  readClipProcessor,
  readDynamicTiles,
  readSiglipProcessor,
  singleTile,
} from '@weft/processors';
import { describe, expect, it } from 'vitest';
import { compose, type Composition } from './compose.js';
import { textGraph, trainingGraph } from './graphs.js';
import { initialWeights } from './initialize.js';
import { modelOf } from './recipes.js';
import { configOf } from './config-of.js';

const tower = {
  hiddenSize: 6,
  intermediateSize: 9,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  numChannels: 3,
  imageSize: 8,
  patchSize: 4,
  layerNormEps: 1e-6,
};
const decoder = {
  hiddenSize: 8,
  intermediateSize: 11,
  numHiddenLayers: 4,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  headDim: 4,
  rotaryDim: 4,
  vocabSize: 23,
  hiddenAct: 'silu',
  rmsNormEps: 1e-5,
  ropeTheta: 1000,
  tieWordEmbeddings: false,
  qkvBias: true,
  outputBias: false,
  mlpBias: false,
} as const;

const preprocessor = { image_processor_type: 'SiglipImageProcessor', size: { height: 8, width: 8 } };
/** OLMo has other names for what Qwen2's norms and biases say. */
const { rmsNormEps: _, qkvBias: __, outputBias: ___, mlpBias: ____, ...plainDecoder } = decoder;

function composed(fusion: Fusion, more: Partial<Composition> = {}): Model {
  return compose({
    name: 'by-hand',
    encoder: siglip({ ...tower, hiddenAct: 'gelu_pytorch_tanh', visionUseHead: false }),
    connector: mlpConnector(),
    backbone: qwen2(decoder),
    fusion,
    processor: singleTile(readSiglipProcessor(preprocessor)),
    imageTokenId: 20,
    ...more,
  });
}

const [batch, length, perTile] = [2, 5, 4];
const text = {
  input_ids: { shape: [batch, length], data: [1, 20, 2, 3, 4, 5, 6, 20, 7, 8] },
  position_ids: { shape: [batch, length], data: [0, 1, 2, 3, 4, 0, 1, 2, 3, 4] },
  target_positions: { shape: [4], data: [1, 3, 7, 8] },
  targets: { shape: [4], data: [2, 4, 7, 8] },
};
/** One tile for each row. */
const sight = {
  pixel_values: randomTensor([2, 3, 8, 8], 1),
  vision_tiles: { shape: [batch, 1], data: [0, 1] },
  cross_attention_mask: { shape: [batch, length, 1], data: [0, 1, 1, 1, 1, 0, 0, 1, 1, 1] },
};
/** The view of the whole of each row, on four tokens; the tiles are those of the other row. */
const both = {
  ...sight,
  vision_tiles: { shape: [batch, 1], data: [1, 0] },
  image_positions: { shape: [8], data: [1, 2, 3, 4, 5, 6, 7, 8] },
  image_rows: { shape: [8], data: [0, 1, 2, 3, 4, 5, 6, 7] },
};

const lossOf = (model: Model, feeds: Tensors, parameters: Tensors, images = true) =>
  interpret(trainingGraph(model, { images }), feeds, parameters)['loss']!.data[0]!;

const initial = (model: Model): Tensors => {
  const shapes = namedParameters(model.module);
  return Object.fromEntries(
    [...initialWeights(model.module, 5)].map(([path, data]) => [
      path,
      { shape: shapes.get(path)!.shape, data },
    ]),
  );
};

describe('a composition by cross-attention', () => {
  const flamingo: Partial<Composition> = {
    encoder: clip({ ...tower, hiddenAct: 'quick_gelu' }),
    connector: resamplerConnector({ numLatents: perTile, depth: 1, numHeads: 2, headDim: 3, mlpRatio: 2 }),
    backbone: olmo({
      ...plainDecoder,
      normType: 'rms',
      normEps: 1e-6,
      normPlacement: 'after',
      qkNorm: true,
      attentionBias: false,
    }) as Backbone,
    processor: singleTile(readClipProcessor({ crop_size: 8, size: { shortest_edge: 8 } })),
  };

  it.each([
    ['SigLIP and Qwen2', {}],
    ['CLIP, a Perceiver resampler and OLMo 2', flamingo],
  ])('is the text model before it learns (%s)', (_, more) => {
    const model = composed(crossAttention({ every: 2 }), more);
    const parameters = initial(model);
    expect(lossOf(model, { ...text, ...sight }, parameters)).toBe(lossOf(model, text, parameters, false));
  });

  it.each([
    ['B', crossAttention({ every: 2 }), {}, sight],
    ['B', crossAttention({ at: [1] }), flamingo, sight],
    ['H', hybrid({ every: 2 }), {}, both],
  ] as const)(
    'learns in its new parts alone, with the gradients of finite differences (method %s)',
    async (_, fusion, more, seen) => {
      const model = composed(fusion, more);
      const graph = trainingGraph(model, { images: true });
      const parameters = randomParameters(model.module, 6);
      const wanted = [...graph.parameters.keys()].filter(
        (path) => !path.startsWith('language_model.') || path.includes('cross_attn_layers'),
      );
      const parts = ['vision_tower', 'multi_modal_projector', 'cross_attn_layers'];
      for (const part of parts)
        expect(
          wanted.some((path) => path.includes(part)),
          part,
        ).toBe(true);
      const gradients = await checkGradients(graph, 'loss', wanted, { ...text, ...seen }, parameters, {
        entries: 1,
      });
      expect(Object.keys(gradients)).toEqual(wanted);
    },
  );

  it('asks no gradient of the layers below the first cross-attention layer', () => {
    const model = composed(crossAttention({ at: [2] }));
    const wanted = [...namedParameters(model.module).keys()].filter((path) =>
      path.includes('cross_attn_layers'),
    );
    const { nodes } = differentiate(trainingGraph(model, { images: true }), 'loss', wanted);
    const backward = nodes.flatMap(({ path }) => (path.endsWith('/backward') ? [path] : []));
    expect(backward.some((path) => /layers\.3\.self_attn/.test(path))).toBe(true);
    expect(backward.some((path) => /layers\.[01]\.(self_attn|mlp)|vision_tower/.test(path))).toBe(false);
  });

  it('marks a picture by one token, or shows the view of the whole under H', () => {
    const size = { width: 9, height: 7 };
    const b = senseOf(composed(crossAttention({ every: 2 })), 'image')!.processor.place(size);
    expect(b).toMatchObject({ tokens: 1, prompt: '<image>', cross: { tiles: [0], seen: 1, placed: [] } });
    const tiles = dynamicTiles(readDynamicTiles({ size: { height: 8, width: 8 }, max_patches: 6 }));
    const h = senseOf(composed(hybrid({ every: 2 }), { processor: tiles }), 'image')!.processor.place({
      width: 16,
      height: 8,
    });
    expect(h).toMatchObject({ tiles: 3, tokens: 4, cross: { tiles: [0, 1], seen: 2, placed: [2] } });
    expect(h.prompt).toBe('<image>'.repeat(4));
  });

  it.each([
    ['B', crossAttention({ every: 2, visibility: 'all' })],
    ['H', hybrid({ at: [0, 4], numKeyValueHeads: 2 })],
  ] as const)('is written as a configuration and read back (method %s)', async (_, fusion) => {
    const model = composed(fusion);
    const config = await configOf(model);
    expect(config['model_type']).toBe('weft');
    const again = await modelOf(JSON.parse(JSON.stringify(config)) as typeof config, { preprocessor });
    expect([...namedParameters(again.module).keys()]).toEqual([...namedParameters(model.module).keys()]);
    expect(again.fusion).toMatchObject({
      id: fusion.id,
      method: fusion.method,
      visibility: fusion.visibility,
    });
    expect([...textGraph(again).inputs.keys()]).toEqual([...textGraph(model).inputs.keys()]);
  });

  it('wants tiles of one size', () => {
    const free = {
      ...siglip({ ...tower, hiddenAct: 'gelu', visionUseHead: false }),
      grid: null,
    } as Composition['encoder'];
    expect(() => composed(crossAttention({ every: 2 }), { encoder: free })).toThrow(
      /attends to tiles of one size, but encoder-siglip takes pictures of any size/,
    );
  });
});
