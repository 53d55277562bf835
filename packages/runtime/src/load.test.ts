import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, InputError, SessionError, WeightError, type WeftError } from '@weft/errors';
import { openCheckpoint, writeCheckpoint } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-load-'));
});
afterAll(() => rm(root, { recursive: true }));

async function copy(name: string): Promise<string> {
  const folder = await mkdtemp(join(root, 'model-'));
  await cp(fixture(name), folder, { recursive: true });
  return folder;
}
const failure = (folder: string): Promise<WeftError> =>
  load(folder, { worker: false }).then(
    () => Promise.reject(new Error('loaded')),
    (error: WeftError) => error,
  );
async function edit(path: string, change: (json: Record<string, unknown>) => void): Promise<void> {
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  change(json);
  await writeFile(path, JSON.stringify(json));
}

describe('load', () => {
  it('counts parameters and lists tensors that it does not use, with a reason', async () => {
    const folder = await copy('text-qwen2-tied');
    const checkpoint = await openCheckpoint(folder);
    const tensors = [];
    for (const [name, { dtype, shape }] of checkpoint.tensors)
      tensors.push({ name, dtype, shape, data: await checkpoint.read(name) });
    const elements = tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const table = tensors.find(({ name }) => name === 'model.embed_tokens.weight')!;
    await checkpoint.close();
    await writeCheckpoint(folder, [...tensors, { ...table, name: 'lm_head.weight' }]);
    const model = await load(folder, { worker: false });
    expect(model.parameters).toBe(elements);
    expect(model.unusedTensors).toEqual([{ name: 'lm_head.weight', reason: 'tied to the token embeddings' }]);
    await model.close();
  });

  it('refuses a tensor that has no place in the model', async () => {
    const folder = await copy('text-llama3');
    await edit(join(folder, 'config.json'), (config) => (config['num_hidden_layers'] = 1));
    const error = await failure(folder);
    expect(error).toBeInstanceOf(WeightError);
    expect(error.message).toMatch(/model\.layers\.1\./);
  });

  it('follows the links of a Hugging Face cache', async () => {
    const folder = join(root, 'models--llava', 'snapshots', '12ab');
    const blobs = join(root, 'models--llava', 'blobs');
    await cp(fixture('llava-sharded'), folder, { recursive: true });
    await mkdir(blobs);
    for (let i = 1; i <= 6; i++) {
      const name = `model-0000${i}-of-00006.safetensors`;
      await rename(join(folder, name), join(blobs, `${i}${i}`));
      await symlink(`../../blobs/${i}${i}`, join(folder, name));
    }
    const [linked, plain] = await Promise.all([
      load(folder, { worker: false }),
      load(fixture('llava-sharded'), { worker: false }),
    ]);
    const image = join(folder, 'image-0.png');
    expect(await linked.encodeImages([image])).toEqual(await plain.encodeImages([image]));
    await Promise.all([linked.close(), plain.close()]);
  });

  it.each([
    ['config.json', ConfigError, /no config\.json/],
    ['tokenizer.json', ConfigError, /no tokenizer\.json/],
    ['model.safetensors', WeightError, /has no weights/],
  ])('says that %s is missing', async (name, type, message) => {
    const folder = await copy('llava-clip');
    await rm(join(folder, name));
    const error = await failure(folder);
    expect(error).toBeInstanceOf(type);
    expect(error.message).toMatch(message);
  });

  it('names damaged files, unknown models and missing folders', async () => {
    const damaged = await copy('llava-clip');
    await writeFile(join(damaged, 'config.json'), '{"model_type": "llava", ');
    expect((await failure(damaged)).message).toMatch(/not valid JSON[^]*config\.json/);
    const unknown = await copy('llava-clip');
    await edit(join(unknown, 'config.json'), (config) => (config['model_type'] = 'elephant'));
    expect((await failure(unknown)).message).toMatch(/no recipe for model_type 'elephant'/);
    const cut = await copy('llava-clip');
    await writeFile(
      join(cut, 'model.safetensors'),
      (await readFile(join(cut, 'model.safetensors'))).subarray(0, -4),
    );
    expect(await failure(cut)).toBeInstanceOf(WeightError);
    expect((await failure(join(root, 'nowhere'))).message).toMatch(/no such folder/);
  });

  it('refuses a tokenizer whose image token is another', async () => {
    const folder = await copy('llava-clip');
    await edit(join(folder, 'config.json'), (config) => (config['image_token_index'] = 5));
    expect((await failure(folder)).message).toMatch(
      /'<image>' the id 312, but config\.json says that the image token is 5/,
    );
  });

  it.each(['llava-clip', 'mllama-apart'])('closes %s once, and answers nothing afterwards', async (name) => {
    for (const worker of [true, false]) {
      const model = await load(fixture(name), { worker });
      await Promise.all([model.close(), model.close()]);
      await model.close();
      const late = model.generate({ prompt: 'a', maxNewTokens: 2, doSample: false }).result();
      await expect(late).rejects.toThrow(/The model was closed/);
    }
  });

  it('refuses options that do not exist', async () => {
    await expect(load(fixture('text-llama3'), { thread: 1 } as never)).rejects.toThrow(InputError);
    await expect(load(fixture('text-llama3'), { threads: 0 })).rejects.toThrow(/threads is 0/);
  });

  it('stops when the signal is aborted', async () => {
    await expect(
      load(fixture('text-llama3'), { signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
  });

  it('passes errors of ONNX Runtime on with the name of the session, also from the worker', async () => {
    const model = await load(fixture('text-llama3'));
    const { engine } = model.parts;
    const { id } = await engine.open();
    const step = (token: number, sequence = id) =>
      engine.step([{ id: sequence, ids: [token], positions: [[0]] }]);
    const failed = step(10 ** 6);
    await expect(failed).rejects.toThrow(SessionError);
    await expect(failed).rejects.toThrow(/ONNX Runtime failed[^]*session 'text'/);
    await expect(step(0, 99)).rejects.toThrow(/no sequence 99/);
    expect(await step(0)).toHaveLength(1);
    const unsendable = engine.step([{ id, ids: [0], positions: [[0]], pieces: (() => []) as never }]);
    await expect(unsendable).rejects.toThrow(/cannot be sent to the worker/);
    await model.close();
    await expect(model.generate({ prompt: 'a' }).result()).rejects.toThrow(/was closed/);
    await model.close();
  });
});
