import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backboneOf, initialWeights, modelOf } from '@weft/models';
import type { Json, Model } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { partWeights } from './part-weights.js';
import { writeModel } from './write-model.js';

const text = fixture('text-llama3');
const image = join(fixture('llava-clip'), 'image-0.png');
const greedy = { doSample: false, maxNewTokens: 8 };
const preprocessor = {
  image_processor_type: 'GotOcr2ImageProcessor',
  size: { height: 12, width: 12 },
  max_patches: 4,
};

/** A SigLIP and the text model, joined by a fusion that its id names. */
async function composed(id: string, fusion: Json): Promise<Model> {
  const backbone = await backboneOf(JSON.parse(await readFile(join(text, 'config.json'), 'utf8')) as Json);
  const tower = {
    hiddenSize: 12,
    intermediateSize: 20,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    numChannels: 3,
    imageSize: 12,
    patchSize: 6,
    hiddenAct: 'gelu',
    layerNormEps: 1e-6,
    visionUseHead: false,
  };
  const config: Json = {
    model_type: 'weft',
    name: 'by-hand',
    encoder: { id: 'encoder-siglip', config: tower },
    connector: { id: 'connector-mlp' },
    backbone: { id: backbone.id, config: backbone.config },
    fusion: { id, config: fusion },
    // The table has rows that no text uses.
    image_token_id: backbone.shape.vocabSize - 1,
  };
  return modelOf(config, { preprocessor });
}

describe.each([
  ['B', 'fusion-cross-attention', { every: 1, visibility: 'all' }],
  ['H', 'fusion-hybrid', { at: [1, 2] }],
] as const)('a text model that gains sight by cross-attention (method %s)', (method, id, fusion) => {
  let folder: string;
  let plain: LoadedModel;
  let seeing: LoadedModel;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weft-cross-'));
    const model = await composed(id, fusion);
    const weights = [...initialWeights(model.module, 3), ...(await partWeights(text, 'backbone', model))];
    await writeModel(folder, { model, weights, tokenizerFrom: text, preprocessor });
    [plain, seeing] = [await load(text), await load(folder)];
  });
  afterAll(async () => {
    await Promise.all([plain.close(), seeing.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  it('answers text as before, bit for bit', async () => {
    const ids = plain.tokenizer.encode('The quick brown fox jumps', { addSpecialTokens: true });
    const inputs = {
      input_ids: { dtype: 'int64', shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) },
    } as const;
    expect((await seeing.forward(inputs)).data).toEqual((await plain.forward(inputs)).data);
    const request = { prompt: 'How many circles are there?', ...greedy };
    expect((await seeing.generate(request).result()).tokenIds).toEqual(
      (await plain.generate(request).result()).tokenIds,
    );
  });

  it('counts what a picture takes, and says the same with and without one before it learns', async () => {
    const request = { prompt: 'See <image> here', images: [image], ...greedy };
    const seen = await seeing.generate(request).result();
    // Two tiles and the view of the whole, four tokens each.
    expect(seen.imageTokens).toBe(method === 'B' ? 1 : 4);
    const other = { width: 40, height: 20, channels: 3, data: new Uint8Array(2400).fill(200) } as const;
    const again = await seeing.generate({ ...request, images: [other] }).result();
    // The gates are shut: only a thumbnail among the tokens tells pictures apart.
    if (method === 'B') expect(again.tokenIds).toEqual(seen.tokenIds);
    const batch = await seeing.generateBatch([request, { prompt: 'A star', ...greedy }]);
    expect(batch[0]!.tokenIds).toEqual(seen.tokenIds);
  });
});
