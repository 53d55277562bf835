import { llama, llamaPresets } from '@weft/backbone-llama';
import { qwen2, qwen2Presets } from '@weft/backbone-qwen2';
import { linearConnector } from '@weft/connector-linear';
import { mlpConnector } from '@weft/connector-mlp';
import { pixelShuffleConnector } from '@weft/connector-pixel-shuffle';
import { clip } from '@weft/encoder-clip';
import { rawPatches } from '@weft/encoder-patch';
import { siglip } from '@weft/encoder-siglip';
import { unifiedFusion } from '@weft/fusion-unified';
import { namedParameters } from '@weft/graph';
import {
  part,
  senseOf,
  type Backbone,
  type ConnectorFactory,
  type Json,
  type Model,
  type VisionEncoder,
} from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { compose, textModel } from './compose.js';
import { modelOf } from './recipes.js';
import { configOf } from './config-of.js';
import { readProcessor } from './processor-of.js';

/** `preprocessor_config.json` of each processor that is tried. */
const files = {
  clip: { image_processor_type: 'CLIPImageProcessor' },
  'clip-336': { image_processor_type: 'CLIPImageProcessor', size: 336, crop_size: 336 },
  siglip: { image_processor_type: 'SiglipImageProcessor' },
  'siglip-32': { image_processor_type: 'SiglipImageProcessor', size: { height: 32, width: 32 } },
  'split-tiles': { image_processor_type: 'Idefics3ImageProcessor' },
};
type Kind = keyof typeof files;

async function made(
  encoder: VisionEncoder,
  connector: ConnectorFactory,
  backbone: Backbone,
  kind: Kind,
  add = false,
): Promise<Model> {
  const fusion = unifiedFusion({ mode: add ? 'add' : 'replace' });
  return compose({
    name: 'by-hand',
    encoder,
    connector,
    backbone,
    fusion,
    processor: await readProcessor(files[kind]),
    imageTokenId: 7,
  });
}

/** What a model is made of, as data. */
const facts = (model: Model): unknown =>
  JSON.parse(
    JSON.stringify(
      [
        part(model, 'encoder'),
        part(model, 'connector'),
        part(model, 'backbone'),
        model.fusion,
        senseOf(model, 'image')!.processor,
      ].map(({ id, config }) => ({ id, config })),
    ),
  );

const small = llama('llama-2-7b', { numHiddenLayers: 1 });
const tower = siglip('base-patch16-224');
const models: [string, Model, Kind][] = [
  ...(await Promise.all(
    Object.keys(llamaPresets).map(async (name): Promise<[string, Model, Kind]> => [
      'llava',
      await made(
        clip('large-patch14-336', { featureLayers: [-2] }),
        mlpConnector(),
        llama(name as 'llama-2-7b', { numHiddenLayers: 1 }),
        'clip-336',
      ),
      'clip-336',
    ]),
  )),
  ...(await Promise.all(
    Object.keys(qwen2Presets).map(async (name): Promise<[string, Model, Kind]> => [
      'llava',
      await made(
        tower,
        mlpConnector({ hiddenAct: 'gelu_pytorch_tanh', bias: false }),
        qwen2(name as 'qwen2-7b', { numHiddenLayers: 1 }),
        'siglip',
      ),
      'siglip',
    ]),
  )),
  [
    'llava',
    await made(
      clip('base-patch32', { classToken: 'keep', featureLayers: [0, -1] }),
      mlpConnector(),
      small,
      'clip',
    ),
    'clip',
  ],
  [
    'llava',
    await made(
      tower,
      mlpConnector(),
      qwen2('qwen2-7b', { numHiddenLayers: 1, slidingWindow: 99, layerTypes: ['sliding_attention'] }),
      'siglip',
    ),
    'siglip',
  ],
  ['weft', await made(tower, linearConnector({ bias: false }), small, 'siglip'), 'siglip'],
  [
    'weft',
    await made(
      siglip('base-patch16-512', { postNorm: true }),
      pixelShuffleConnector({ scaleFactor: 4 }),
      small,
      'split-tiles',
    ),
    'split-tiles',
  ],
  // The file of the processor names its class, which need not be that of the tower.
  ['llava', await made(tower, mlpConnector(), small, 'clip'), 'clip'],
  ['weft', await made(tower, mlpConnector(), small, 'siglip', true), 'siglip'],
  [
    'weft',
    await made(tower, mlpConnector(), llama('llama-2-7b', { numHiddenLayers: 1, qkvBias: true }), 'siglip'),
    'siglip',
  ],
  [
    'weft',
    await made(
      rawPatches({ patchSize: 8, numChannels: 3, imageSize: [32, 32] }),
      linearConnector(),
      small,
      'siglip-32',
    ),
    'siglip-32',
  ],
];

describe('configOf', () => {
  it.each(models.map((given, i) => [i, ...given] as const))(
    'describes a composition so that the same parts come back, %i as %s',
    async (_, type, model, processor) => {
      const config = JSON.parse(JSON.stringify(await configOf(model, { maxPositionEmbeddings: 77 }))) as Json;
      expect(config['model_type']).toBe(type);
      const again = await modelOf(config, { preprocessor: files[processor] });
      expect(facts(again)).toEqual(facts(model));
      const { rename = (name: string) => name } = again.checkpoint;
      expect([...namedParameters(model.module).keys()].map(rename)).toEqual([
        ...namedParameters(again.module).keys(),
      ]);
    },
  );

  it('describes a text model by its backbone alone', async () => {
    const config = await configOf(textModel({ name: 'alone', backbone: small, fusion: unifiedFusion() }));
    expect(Object.keys(config).toSorted()).toEqual([
      'backbone',
      'fusion',
      'model_type',
      'name',
      'paths',
      'source',
    ]);
    const again = await modelOf(JSON.parse(JSON.stringify(config)) as Json);
    expect([again.name, again.senses, part(again, 'backbone').config]).toEqual(['alone', [], small.config]);
  });
});

describe('weftRecipe', () => {
  it('lists the parts that exist when one does not', async () => {
    const config = await configOf(models.find(([type]) => type === 'weft')![1]);
    await expect(modelOf({ ...config, connector: { id: 'connector-wire' } })).rejects.toThrow(
      /no connector 'connector-wire'[^]*connector-mlp/,
    );
    await expect(modelOf({ ...config, processor: undefined })).rejects.toThrow(/image_processor_type/);
  });

  it('knows the processor of a preprocessor file by its type', async () => {
    const types = [
      'CLIPImageProcessor',
      'LlavaImageProcessorPil',
      'SiglipImageProcessorFast',
      'Idefics3ImageProcessor',
      'SmolVLMImageProcessor',
    ];
    const config = await configOf(models.find(([type]) => type === 'weft')![1]);
    const ids = await Promise.all(
      types.map(
        async (image_processor_type) =>
          senseOf(
            await modelOf({ ...config, processor: undefined }, { preprocessor: { image_processor_type } }),
            'image',
          )!.processor.id,
      ),
    );
    expect(ids).toEqual([
      'processor-single-tile',
      'processor-single-tile',
      'processor-single-tile',
      'processor-split-tiles',
      'processor-split-tiles',
    ]);
  });
});
