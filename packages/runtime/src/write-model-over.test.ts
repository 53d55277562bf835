import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Model } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';
import { openFolder } from './open-folder.js';
import { partWeights } from './part-weights.js';
import { writeModel, type ModelToWrite, type WeightToWrite } from './write-model.js';

const source = fixture('llava-siglip-qwen2');
let root: string;
let model: Model;
let weights: WeightToWrite[];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-over-'));
  ({ model } = await openFolder(source));
  weights = [];
  for (const part of ['encoder', 'connector', 'backbone'] as const)
    weights.push(...(await partWeights(source, part, model)));
});
afterAll(() => rm(root, { recursive: true }));

/** Every file of a folder with its bytes. */
async function filesOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(folder)).toSorted();
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, (await readFile(join(folder, name))).toString('base64')] as const),
    ),
  );
}

const sourceWith = async (change: (folder: string) => Promise<unknown>): Promise<string> => {
  const folder = await mkdtemp(join(root, 'source-'));
  await cp(source, folder, { recursive: true });
  await change(folder);
  return folder;
};
const write = async (folder: string, changes: Partial<ModelToWrite> = {}): Promise<void> =>
  writeModel(folder, { model, weights, tokenizerFrom: source, maxShardBytes: 50_000, ...changes });

describe('a model that is written over an older one', () => {
  it.each<[string, () => Promise<Partial<ModelToWrite>>]>([
    [
      'a weight of the last shard cannot be had',
      async () => ({
        weights: weights.map((weight, i) =>
          i < weights.length - 1 || !('name' in weight)
            ? weight
            : { ...weight, data: () => Promise.reject(new Error('out of power')) },
        ),
      }),
    ],
    [
      'a weight has other bytes than its shape',
      async () => ({
        weights: weights.map((weight, i) =>
          i === 3 && 'name' in weight ? { ...weight, data: async () => new Uint8Array(1) } : weight,
        ),
      }),
    ],
    [
      'the chat template is a folder',
      async () => ({
        tokenizerFrom: await sourceWith(async (folder) => {
          await rm(join(folder, 'chat_template.jinja'));
          await mkdir(join(folder, 'chat_template.jinja'));
        }),
      }),
    ],
    [
      'the generation_config.json is no JSON',
      async () => ({
        tokenizerFrom: await sourceWith((folder) => writeFile(join(folder, 'generation_config.json'), '{')),
      }),
    ],
    [
      'a file to copy is a link that leads out of its folder',
      async () => ({
        tokenizerFrom: await sourceWith(async (folder) => {
          await rm(join(folder, 'tokenizer_config.json'));
          await symlink('/etc/hostname', join(folder, 'tokenizer_config.json'));
        }),
      }),
    ],
    ['the tokenizer is missing', async () => ({ tokenizerFrom: root })],
  ])('leaves that as it was where %s', async (_, changes) => {
    const folder = await mkdtemp(join(root, 'model-'));
    await write(folder);
    const before = await filesOf(folder);
    await expect(write(folder, await changes())).rejects.toThrow();
    expect(await filesOf(folder)).toEqual(before);
    const loaded = await load(folder, { worker: false });
    await loaded.close();
  });

  it('has no file of the older one, whose names it does not use, and keeps what is no model', async () => {
    const folder = await mkdtemp(join(root, 'model-'));
    await write(folder, { generationConfig: { temperature: 0.5 } });
    await writeFile(join(folder, 'vocab.json'), '{}');
    await writeFile(join(folder, 'params.json'), '{}');
    await writeFile(join(folder, 'README.md'), 'mine');
    const plain = await sourceWith(async (from) => {
      for (const name of ['chat_template.jinja', 'generation_config.json'])
        await rm(join(from, name), { force: true });
    });
    await write(folder, { tokenizerFrom: plain, maxShardBytes: 1e9 });
    const fresh = await mkdtemp(join(root, 'fresh-'));
    await write(fresh, { tokenizerFrom: plain, maxShardBytes: 1e9 });
    const { 'README.md': readme, ...written } = await filesOf(folder);
    expect(written).toEqual(await filesOf(fresh));
    expect(readme).toBe(Buffer.from('mine').toString('base64'));
    expect(Object.keys(written)).not.toContain('chat_template.jinja');
  });

  it('may take tokenizer and weights of the model that it replaces', async () => {
    const folder = await mkdtemp(join(root, 'model-'));
    await write(folder);
    const before = await filesOf(folder);
    const own: WeightToWrite[] = [];
    for (const part of ['encoder', 'connector', 'backbone'] as const)
      own.push(...(await partWeights(folder, part, model)));
    await write(folder, { weights: own, tokenizerFrom: folder });
    expect(await filesOf(folder)).toEqual(before);
  });

  it('keeps the tokenizer that is there where none is given', async () => {
    const folder = await mkdtemp(join(root, 'model-'));
    await write(folder);
    const { 'tokenizer.json': before } = await filesOf(folder);
    await write(folder, { tokenizerFrom: undefined });
    expect((await filesOf(folder))['tokenizer.json']).toBe(before);
  });
});
