import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@weft/errors';
import { isModule, mul, module, type AnyModule, type Value } from '@weft/graph';
import { initialWeights, mapModel, modelOf } from '@weft/models';
import type { Model } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { load } from './load.js';
import { writeModel } from './write-model.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-changed-'));
});
afterAll(() => rm(root, { recursive: true }));

async function write(folder: string, model: Model, source: string): Promise<void> {
  const { preprocessor } = await readCheckpointFiles(fixture(source));
  const weights = initialWeights(model.module, 5);
  await writeModel(folder, { model, weights, preprocessor, tokenizerFrom: fixture(source) });
}

async function read(name: string): Promise<Model> {
  const { config, preprocessor, videoPreprocessor } = await readCheckpointFiles(fixture(name));
  return modelOf(config, { preprocessor, videoPreprocessor });
}

/** The output of every module whose path matches times 0.1, with the same parameters under the same paths. */
const dampened = (model: Model, paths: RegExp): Model =>
  mapModel(model, (one, path) => {
    if (!isModule(one) || !paths.test(path)) return one;
    const base = one as AnyModule & ((x: Value) => Value);
    return module('Dampened', { base }, (m, x: Value) => mul(m.base(x), 0.1), { paths: { base: '' } });
  });

describe('writing a model that was changed without new parameters', () => {
  it.each([
    ['llava-clip', /^language_model\.model\.layers\.\d+\.mlp$/],
    ['llava-clip', /^vision_tower\.vision_model\.encoder\.layers\.0\.mlp$/],
    ['text-qwen2-tied', /^model\.layers\.\d+\.mlp$/],
  ])('is refused, since %s read back would lack the change of %s', async (name, paths) => {
    const folder = join(root, `refused-${name}`);
    const written = write(folder, dampened(await read(name), paths), name);
    await expect(written).rejects.toThrow(ConfigError);
    await expect(written).rejects.toThrow(/without its change[^]*load\(folder, { model }\)/);
    await expect(readdir(folder)).rejects.toThrow(/ENOENT/);
  });

  it('is not needed: the change opens the weights of the model as it was', async () => {
    const folder = join(root, 'before');
    const model = await read('text-qwen2-tied');
    await write(folder, model, 'text-qwen2-tied');
    const changed = dampened(model, /^model\.layers\.\d+\.mlp$/);
    const [one, other] = await Promise.all([
      load(folder, { worker: false }),
      load(folder, { model: changed, worker: false }),
    ]);
    const input_ids = { dtype: 'int64', shape: [1, 3], data: BigInt64Array.of(3n, 5n, 7n) } as const;
    const [before, after] = await Promise.all([one.forward({ input_ids }), other.forward({ input_ids })]);
    expect(after.data).not.toEqual(before.data);
    await Promise.all([one.close(), other.close()]);
  });
});

describe('writing a model as its recipe makes it', () => {
  it.each(['llava-clip', 'idefics3-split', 'nvlm-x', 'mllama-two-tiles', 'text-olmoe', 'text-llama3'])(
    'finds it again in the configuration: %s',
    async (name) => {
      const folder = join(root, name);
      await write(folder, await read(name), name);
      expect(await readdir(folder)).toContain('config.json');
    },
  );
});
