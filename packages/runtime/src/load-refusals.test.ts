import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, FileError, InputError, isWeftError, WeightError } from '@weft/errors';
import { initialWeights } from '@weft/models';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';
import { packError, unpackError } from './remote-error.js';
import { writeModel } from './write-model.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-refusals-'));
});
afterAll(() => rm(root, { recursive: true }));

async function copy(name: string): Promise<string> {
  const folder = await mkdtemp(join(root, 'model-'));
  await cp(fixture(name), folder, { recursive: true });
  return folder;
}
const failure = (folder: string): Promise<Error> =>
  load(folder, { worker: false }).then(
    () => new Error('loaded'),
    (error: Error) => error,
  );

describe('load', () => {
  it.each([9999, 300, 2 ** 40, 1.5, Number.NaN, Infinity, '2'])('refuses %s threads', async (threads) => {
    for (const worker of [true, false]) {
      const error = await load(fixture('text-llama3'), { threads: threads as number, worker }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(InputError);
      expect((error as Error).message).toMatch(
        /threads is .*(expected a whole number|this machine has \d+ proc)/,
      );
    }
  });

  it('takes as many threads as there are processors', async () => {
    const model = await load(fixture('text-llama3'), { threads: Math.max(cpus().length, 1), worker: false });
    await model.close();
  });

  it('says which file of the folder the system does not give', async () => {
    for (const name of ['config.json', 'tokenizer.json', 'generation_config.json', 'chat_template.jinja']) {
      const folder = await copy('llava-clip');
      await rm(join(folder, name), { force: true });
      await mkdir(join(folder, name));
      const error = await failure(folder);
      expect(isWeftError(error), `${name}: ${error.message}`).toBe(true);
      expect(error.message).toMatch(name);
    }
    for (const path of ['a\0b', 'x'.repeat(5000)]) expect(isWeftError(await failure(path))).toBe(true);
  });

  it('refuses files that are nested too deep', async () => {
    for (const name of [
      'config.json',
      'tokenizer.json',
      'preprocessor_config.json',
      'generation_config.json',
    ]) {
      const folder = await copy('llava-clip');
      await writeFile(join(folder, name), `{"a":${'['.repeat(40_000)}${']'.repeat(40_000)}}`);
      const error = await failure(folder);
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(/nested deeper than 500 levels/);
    }
  });
});

describe('writeModel', () => {
  it('says where the file system refuses', async () => {
    const from = fixture('text-qwen2-tied');
    const { model, close } = await loaded(from);
    await writeFile(join(root, 'file'), 'x');
    for (const place of [
      join(root, 'file'),
      join(root, 'file', 'model'),
      join(root, 'n'.repeat(300)),
      'a\0b',
    ]) {
      const weights = [...initialWeights(model.module, 1)];
      const error = await writeModel(place, { model, weights, tokenizerFrom: from }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error, place).toBeInstanceOf(FileError);
      expect((error as Error).message).toMatch(
        /\((ENOTDIR|EEXIST|ENAMETOOLONG|ERR_INVALID_ARG_VALUE)\)\.\n {2}at .*\n {2}\w/,
      );
    }
    await close();
  });
});

async function loaded(folder: string) {
  const model = await load(folder, { worker: false, threads: 1 });
  return { model: model.model, close: () => model.close() };
}

describe('an error on the way between threads', () => {
  it.each([
    new FileError({
      message: 'The disk is full (ENOSPC).',
      where: '/a',
      hint: 'Free some.',
      reason: 'ENOSPC',
    }),
    new WeightError({ message: 'There is no tensor.', where: 'b' }),
    new InputError('no'),
  ])('keeps its class, its text and its parts: %s', (error) => {
    const again = unpackError(structuredClone(packError(error)));
    expect(again).toBeInstanceOf(error.constructor);
    const { message, code, where, hint } = error;
    expect(again).toMatchObject({ message, code, where, hint });
    if (error instanceof FileError) expect(again).toMatchObject({ reason: 'ENOSPC' });
  });
});
