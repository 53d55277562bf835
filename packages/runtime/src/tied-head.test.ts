import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { part, type Json } from '@weft/spec';
import { fromFloat32, openCheckpoint, toFloat32, writeCheckpoint, type TensorToWrite } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, fixtureNames } from '../test/fixtures.js';
import { load } from './load.js';
import { openFolder, openPart } from './open-folder.js';
import { verify } from './verify.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-head-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A copy of a fixture with another `config.json` and other tensors. */
async function changed(
  name: string,
  config: (config: Json) => Json,
  change: (tensors: TensorToWrite[]) => TensorToWrite[],
): Promise<string> {
  const folder = await mkdtemp(join(root, 'model-'));
  await cp(fixture(name), folder, { recursive: true });
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify(config(JSON.parse(await readFile(path, 'utf8')) as Json)));
  const checkpoint = await openCheckpoint(folder);
  const all: TensorToWrite[] = [];
  for (const [tensor, { dtype, shape }] of checkpoint.tensors)
    all.push({ name: tensor, dtype, shape, data: await checkpoint.read(tensor) });
  await checkpoint.close();
  for (const old of await readdir(folder))
    if (/safetensors/.test(old) && old !== 'golden.safetensors') await rm(join(folder, old));
  await writeCheckpoint(folder, change(all));
  return folder;
}

/** The flag in every place where a config may have it. */
function tied(config: Json): Json {
  const sections = ['text_config', 'llm_config', 'language_config'].filter((name) => name in config);
  return {
    ...config,
    tie_word_embeddings: true,
    ...Object.fromEntries(
      sections.map((name) => [name, { ...(config[name] as Json), tie_word_embeddings: true }]),
    ),
  };
}

const tableOf = (tensors: readonly TensorToWrite[]) =>
  tensors.find(({ name }) => name.endsWith('embed_tokens.weight'))!;
const asIs = <T>(given: T): T => given;

/** What opening a folder tells. */
async function told(folder: string): Promise<{ wheres: string[]; isTied: boolean; entries: string[] }> {
  const wheres: string[] = [];
  const { model, files, entries } = await openFolder(folder, { notice: ({ where }) => wheres.push(where) });
  if (Object.keys(model.config).length > 0) expect(model.config).toBe(files.config);
  return {
    wheres,
    isTied: Boolean(part(model, 'backbone').config['tieWordEmbeddings']),
    entries: [...entries.values()].map(({ name }) => name),
  };
}

describe('a config.json that calls the head tied, over a file with another head', () => {
  it('keeps the head of every model and says so', async () => {
    let tried = 0;
    for (const name of fixtureNames) {
      const checkpoint = await openCheckpoint(fixture(name));
      await checkpoint.close();
      const head = [...checkpoint.tensors.keys()].find((tensor) => tensor.endsWith('lm_head.weight'));
      // Phi's head has a bias, and its reader refuses the flag.
      const hasBias = checkpoint.tensors.has('lm_head.bias');
      if (head === undefined || hasBias) continue;
      const { wheres, isTied, entries } = await told(await changed(name, tied, asIs));
      expect([name, isTied, wheres]).toEqual([name, false, ['config.json: tie_word_embeddings']]);
      expect(entries).toContain(head);
      tried++;
    }
    expect(tried).toBeGreaterThan(25);
  });

  it.each(['text-olmo2', 'internvl-two', 'idefics3-split', 'mllama-two-tiles'])(
    'computes what the reference computes with that head: %s',
    async (name) => {
      const { checks } = await verify(await changed(name, tied, asIs));
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(checks.map((check) => check.name)).toContain('logits');
    },
  );

  it('sees a difference in the last value of the head', async () => {
    const folder = await changed('text-qwen2-tied', asIs, (tensors) => {
      const table = tableOf(tensors);
      const data = new Uint8Array(table.data as Uint8Array);
      data[data.length - 2]! ^= 1;
      return [...tensors, { ...table, name: 'lm_head.weight', data }];
    });
    expect(await told(folder)).toMatchObject({
      isTied: false,
      wheres: ['config.json: tie_word_embeddings'],
    });
  });

  it('lends the head with its backbone', async () => {
    const folder = await changed('text-llama3', tied, asIs);
    const { part: lent, files } = await openPart(folder, 'backbone');
    expect(lent.part.config['tieWordEmbeddings']).toBe(false);
    expect(files.config['tie_word_embeddings']).toBe(false);
  });

  it('leaves a model that was given as it is, and tells that the head is not used', async () => {
    const { model } = await openFolder(fixture('text-qwen2-tied'));
    const folder = await changed('text-qwen2-tied', asIs, (tensors) => {
      const table = tableOf(tensors);
      const data = (table.data as Uint8Array).toReversed();
      return [...tensors, { ...table, name: 'lm_head.weight', data }];
    });
    const loaded = await load(folder, { model, worker: false });
    expect(loaded.notices).toEqual([
      { where: 'lm_head.weight', message: expect.stringMatching(/the head is not used/) },
    ]);
    await loaded.close();
  });
});

describe('a head that is tied', () => {
  it.each(['F32', 'F16'] as const)('and stored as %s once more stays tied', async (dtype) => {
    const folder = await changed('text-qwen2-tied', asIs, (tensors) => {
      const table = tableOf(tensors);
      // Values that both types hold.
      const values = toFloat32(fromFloat32(toFloat32(table.data as Uint8Array, table.dtype), 'F16'), 'F16');
      return [
        ...tensors.filter((tensor) => tensor !== table),
        { ...table, dtype: 'F32', data: fromFloat32(values, 'F32') },
        { ...table, name: 'lm_head.weight', dtype, data: fromFloat32(values, dtype) },
      ];
    });
    expect(await told(folder)).toMatchObject({ isTied: true, wheres: [] });
  });

  it('may be stored under the name of the head alone', async () => {
    const folder = await changed('text-qwen2-tied', asIs, (tensors) =>
      tensors.map((tensor) => (tensor === tableOf(tensors) ? { ...tensor, name: 'lm_head.weight' } : tensor)),
    );
    expect(await told(folder)).toMatchObject({ isTied: true, wheres: [] });
    expect((await verify(folder)).checks.filter(({ ok }) => !ok)).toEqual([]);
  });
});

describe('a buffer of an old checkpoint', () => {
  const withTensor = (name: string, values: Float32Array, shape: readonly number[], model = 'text-olmo2') =>
    changed(model, asIs, (tensors) => [
      ...tensors,
      { name, dtype: 'F32', shape, data: fromFloat32(values, 'F32') },
    ]);
  const inverse = 'model.layers.0.self_attn.rotary_emb.inv_freq';
  const frequencies = async (): Promise<Float32Array> => {
    const { model } = await openFolder(fixture('text-olmo2'));
    const { ropeTheta, rotaryDim } = part(model, 'backbone').config as Record<string, number>;
    return Float32Array.from({ length: rotaryDim! / 2 }, (_, i) => ropeTheta! ** ((-2 * i) / rotaryDim!));
  };

  it('that holds what the model computes is passed over in silence', async () => {
    const values = await frequencies();
    const { wheres } = await told(await withTensor(inverse, values, [values.length]));
    expect(wheres).toEqual([]);
  });

  it.each([
    ['scaled frequencies', (values: Float32Array) => values.map((value) => value / 4)],
    ['one other frequency', (values: Float32Array) => values.with(1, 0.123)],
    ['fewer frequencies', (values: Float32Array) => values.slice(1)],
    ['no number', (values: Float32Array) => values.with(0, NaN)],
  ])('that holds %s is told', async (_, change) => {
    const values = change(await frequencies());
    const { wheres } = await told(await withTensor(inverse, values, [values.length]));
    expect(wheres).toEqual([inverse]);
  });

  it.each<[string, readonly number[], number]>([
    ['in order', [0, 1, 2, 3, 4], 0],
    ['in another order', [0, 2, 1, 3, 4], 1],
    ['from 1', [1, 2, 3, 4, 5], 1],
  ])('with positions %s is looked at', async (_, positions, count) => {
    const name = 'vision_tower.vision_model.embeddings.position_ids';
    const folder = await withTensor(name, Float32Array.from(positions), [1, 5], 'llava-clip');
    expect((await told(folder)).wheres).toEqual(Array.from({ length: count }, () => name));
  });

  it('of a part that is left out is told once, with the number of its tensors', async () => {
    const folder = await changed('janus-two', asIs, (tensors) => [
      ...tensors,
      ...['model.vqmodel.a', 'gen_head.b', 'gen_embed.c'].map((name) => ({ ...tensors[0]!, name })),
    ]);
    const loaded = await load(folder, { worker: false });
    expect(loaded.notices.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^The tensor and \d+ more are not used: draws pictures/),
    ]);
    await loaded.close();
  });
});
