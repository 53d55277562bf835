import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, WeightError } from '@weft/errors';
import { compose, initialWeights, modelOf } from '@weft/models';
import { readSiglipProcessor, singleTile } from '@weft/processors';
import { part as partAt, senseOf, type Json, type Model } from '@weft/spec';
import { openCheckpoint } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';
import { partWeights } from './part-weights.js';
import { writeModel } from './write-model.js';

const vlm = fixture('llava-siglip-qwen2');
const llm = fixture('text-qwen2-tied');
const image = join(vlm, 'image-0.png');
const content = [
  { type: 'image', image },
  { type: 'text', text: 'What is it?' },
] as const;
const question = { messages: [{ role: 'user', content }], doSample: false, maxNewTokens: 6 } as const;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-write-'));
});
afterAll(() => rm(root, { recursive: true }));

const readJson = async (...path: string[]): Promise<Json> =>
  JSON.parse(await readFile(join(...path), 'utf8')) as Json;
const preprocessorOf = async (folder: string): Promise<Json> =>
  (await readJson(folder, 'processor_config.json'))['image_processor'] as Json;

interface Choice {
  readonly encoder?: Json;
  readonly connector?: Json;
  readonly backbone?: Json;
  readonly imageTokenId?: number;
}

/** SigLIP of one folder, a new connector and the Qwen2 of another, put together by hand. */
async function composed({
  encoder = {},
  connector = { id: 'connector-mlp' },
  backbone = {},
  imageTokenId = 313,
}: Choice = {}): Promise<Model> {
  const preprocessor = await preprocessorOf(vlm);
  const sight = partAt(await modelOf(await readJson(vlm, 'config.json'), { preprocessor }), 'encoder');
  const text = partAt(await modelOf(await readJson(llm, 'config.json')), 'backbone');
  const parts = await modelOf(
    {
      model_type: 'weft',
      encoder: { id: sight.id, config: { ...sight.config, ...encoder } },
      connector,
      backbone: { id: text.id, config: { ...text.config, ...backbone } },
      fusion: { id: 'fusion-unified' },
      image_token_id: imageTokenId,
    },
    { preprocessor },
  );
  return compose({
    name: 'siglip-qwen2',
    encoder: partAt(parts, 'encoder'),
    connector: () => partAt(parts, 'connector'),
    backbone: partAt(parts, 'backbone'),
    fusion: parts.fusion,
    processor: singleTile(readSiglipProcessor(preprocessor)),
    imageTokenId,
  });
}

async function write(folder: string, model: Model, options: object = {}): Promise<void> {
  const weights = [
    ...initialWeights(model.module, 5),
    ...(await partWeights(vlm, 'encoder', model)),
    ...(await partWeights(llm, 'backbone', model)),
  ];
  await writeModel(folder, {
    model,
    weights,
    tokenizerFrom: llm,
    preprocessor: await preprocessorOf(vlm),
    ...options,
  });
}

const bytesOf = async (folder: string, name: string): Promise<Uint8Array> => {
  const checkpoint = await openCheckpoint(folder);
  const bytes = await checkpoint.read(name);
  await checkpoint.close();
  return bytes;
};

describe('a model composed by hand', () => {
  it('is written as a LLaVA folder, and answers when it is loaded again', async () => {
    const folder = join(root, 'llava');
    await write(folder, await composed());
    const config = await readJson(folder, 'config.json');
    expect(config).toMatchObject({
      model_type: 'llava',
      vision_feature_select_strategy: 'full',
      image_token_index: 313,
    });
    expect(config['text_config']).toMatchObject({ model_type: 'qwen2', max_position_embeddings: 512 });
    const model = await load(folder, { worker: false });
    expect(model.model.name).toBe('llava');
    expect(model.unusedTensors).toEqual([]);
    const result = await model.generate(question).result();
    expect(result).toMatchObject({ imageTokens: 9, generatedTokens: 6 });
    await model.close();
  });

  it('sees with the weights of one folder and speaks with those of the other', async () => {
    const folder = join(root, 'parts');
    await write(folder, await composed());
    const tensor = 'encoder.layers.0.self_attn.q_proj.weight';
    expect(await bytesOf(folder, `vision_tower.${tensor}`)).toEqual(
      await bytesOf(vlm, `vision_tower.${tensor}`),
    );
    expect(await bytesOf(folder, 'language_model.model.norm.weight')).toEqual(
      await bytesOf(llm, 'model.norm.weight'),
    );
    const [whole, alone] = await Promise.all([load(folder, { worker: false }), load(llm, { worker: false })]);
    const prompt = { prompt: 'A house near', doSample: false, maxNewTokens: 8 };
    expect((await whole.generate(prompt).result()).tokenIds).toEqual(
      (await alone.generate(prompt).result()).tokenIds,
    );
    await Promise.all([whole.close(), alone.close()]);
  });

  it('is the same from the same seed, whichever way it is written', async () => {
    const [one, shards] = [join(root, 'one'), join(root, 'shards')];
    await write(one, await composed());
    await write(shards, await composed(), { maxShardBytes: 20_000 });
    expect((await readdir(shards)).filter((name) => name.endsWith('.safetensors')).length).toBeGreaterThan(2);
    const [a, b] = await Promise.all([load(one, { worker: false }), load(shards, { worker: false })]);
    const input_ids = {
      dtype: 'int64',
      shape: [1, 11],
      data: BigInt64Array.from([1, 2, ...Array.from({ length: 9 }, () => 313)], BigInt),
    } as const;
    const [, , height, width] = partAt(a.model, 'encoder').inputs['pixel_values']!.shape as number[];
    const pixel_values = {
      dtype: 'float32',
      shape: [1, 3, height!, width!],
      data: new Float32Array(3 * height! * width!).map((_, i) => Math.sin(i)),
    } as const;
    expect(await a.forward({ input_ids, pixel_values })).toEqual(
      await b.forward({ input_ids, pixel_values }),
    );
    await Promise.all([a.close(), b.close()]);
  });

  it('is written as a Weft folder where LLaVA cannot express it', async () => {
    for (const choice of [
      { connector: { id: 'connector-linear' } },
      { connector: { id: 'connector-pixel-shuffle', config: { scaleFactor: 3 } } },
      { encoder: { postNorm: true } },
    ]) {
      const folder = await mkdtemp(join(root, 'weft-'));
      await write(folder, await composed(choice));
      expect((await readJson(folder, 'config.json'))['model_type']).toBe('weft');
      const model = await load(folder, { worker: false });
      expect(model.parts.maxPositions).toBe(512);
      expect((await model.generate(question).result()).generatedTokens).toBe(6);
      await model.close();
    }
  });

  it('gets a placeholder token that its tokenizer did not have', async () => {
    const folder = join(root, 'placeholder');
    await write(folder, await composed({ imageTokenId: 317 }));
    const model = await load(folder, { worker: false });
    expect(model.tokenizer.tokenToId('<image>')).toBe(317);
    await model.close();
    const taken = composed({ imageTokenId: 312 }).then((made) => write(join(root, 'taken'), made));
    await expect(taken).rejects.toThrow(/uses the id 312 for '<\|im_end\|>'/);
  });
});

describe('wrong pairings', () => {
  it('name the size to build the part with', async () => {
    const model = await composed({
      encoder: { intermediateSize: 99 },
      backbone: { vocabSize: 320, tieWordEmbeddings: false },
    });
    const encoder = partWeights(vlm, 'encoder', model);
    await expect(encoder).rejects.toThrow(WeightError);
    await expect(encoder).rejects.toThrow(
      /fc1\.weight: the model has \[99, \d+\][^]*intermediateSize: \d+ \(the model has 99\)/,
    );
    await expect(partWeights(llm, 'backbone', model)).rejects.toThrow(
      /lm_head\.weight: not in the folder[^]*vocabSize: 318[^]*tieWordEmbeddings: true/,
    );
  });

  it('of kinds say which part to compose with', async () => {
    const wrong = partWeights(fixture('llava-clip'), 'encoder', await composed());
    await expect(wrong).rejects.toThrow(ConfigError);
    await expect(wrong).rejects.toThrow(/is encoder-clip, but that of the model is encoder-siglip/);
    await expect(partWeights(fixture('text-llama3'), 'backbone', await composed())).rejects.toThrow(
      /backbone-llama/,
    );
    await expect(partWeights(llm, 'encoder', await composed())).rejects.toThrow(/'qwen2' has no encoder/);
  });

  it('of vocabularies are filled up on request, with the mean of the known rows', async () => {
    const model = await composed({ backbone: { vocabSize: 320 } });
    const weights = await partWeights(llm, 'backbone', model, { newTokens: 'mean' });
    const table = weights.find(({ name }) => name.endsWith('embed_tokens.weight'))!;
    const values = new Float32Array((await (table.data as () => Promise<Uint8Array>)()).buffer);
    const [rows, size] = table.shape as [number, number];
    expect(rows).toBe(320);
    let sum = 0;
    for (let row = 0; row < 318; row++) sum += values[row * size]!;
    expect(values[319 * size]).toBeCloseTo(sum / 318, 5);
  });
});

describe('writeModel', () => {
  it('refuses weights that are missing, unknown or of another size, and writes nothing', async () => {
    const model = await composed();
    const folder = join(root, 'refused');
    const weights = [...initialWeights(model.module, 1)];
    const attempt = (given: typeof weights) =>
      writeModel(folder, { model, weights: given, preprocessor: {} });
    await expect(attempt(weights.slice(1))).rejects.toThrow(/1 of \d+ parameters have no weight/);
    await expect(attempt([...weights, ['model.norm', new Float32Array(1)]])).rejects.toThrow(
      /no parameter 'model\.norm'/,
    );
    await expect(attempt([...weights.slice(1), [weights[0]![0], new Float32Array(1)]])).rejects.toThrow(
      /the size 1, but/,
    );
    await expect(attempt(weights)).rejects.toThrow(/image_processor_type/);
    await expect(readdir(folder)).rejects.toThrow(/ENOENT/);
  });

  it('writes the file of the processor that the model was composed with, unless another is given', async () => {
    const model = await composed();
    const folder = join(root, 'own-processor');
    await writeModel(folder, { model, weights: initialWeights(model.module, 1) });
    const written = await readJson(folder, 'preprocessor_config.json');
    const { processor } = senseOf(model, 'image')!;
    expect(readSiglipProcessor(written)).toEqual(processor.config);
    const again = await modelOf(await readJson(folder, 'config.json'), { preprocessor: written });
    expect(senseOf(again, 'image')!.processor.config).toEqual(processor.config);
  });

  it('writes a checkpoint again that loads as the same model', async () => {
    const folder = join(root, 'copy');
    const source = fixture('idefics3-split');
    const preprocessor = await preprocessorOf(source);
    const { model, ...first } = await load(source, { worker: false }).then(async (loaded) => {
      const run = await loaded.generate({ ...question }).result();
      await loaded.close();
      return { model: loaded.model, tokenIds: run.tokenIds };
    });
    const weights = [];
    for (const part of ['encoder', 'connector', 'backbone'] as const)
      weights.push(...(await partWeights(source, part, model)));
    await writeModel(folder, { model, weights, tokenizerFrom: source, preprocessor });
    const again = await load(folder, { worker: false });
    expect((await again.generate({ ...question }).result()).tokenIds).toEqual(first.tokenIds);
    await again.close();
  });
});
