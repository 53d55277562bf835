import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, WeightError } from '@weft/errors';
import { modelOf } from '@weft/models';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { load } from './load.js';
import { verify } from './verify.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-given-'));
  await cp(fixture('llava-clip'), folder, { recursive: true });
  const path = join(folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...config, model_type: 'of-my-own' }));
});
afterAll(() => rm(folder, { recursive: true }));

const llava = async (changes: Record<string, unknown> = {}) => {
  const { config, preprocessor } = await readCheckpointFiles(fixture('llava-clip'));
  return modelOf({ ...config, ...changes }, { preprocessor });
};

describe('a model that is given', () => {
  it('is opened over the weights of a folder that no recipe knows, in a thread of its own too', async () => {
    await expect(load(folder)).rejects.toThrow(/of-my-own/);
    const prompt = await readFile(join(folder, 'prompt.txt'), 'utf8');
    const question = { prompt, images: [0, 1].map((i) => join(folder, `image-${i}.png`)), maxNewTokens: 6 };
    const known = await load(fixture('llava-clip'));
    const { tokenIds } = await known.generate(question).result();
    await known.close();
    for (const worker of [true, false]) {
      const loaded = await load(folder, { model: await llava(), worker });
      expect((await loaded.generate(question).result()).tokenIds).toEqual(tokenIds);
      await loaded.close();
    }
  });

  it('is compared with the golden file', async () => {
    const { checks } = await verify(folder, { model: await llava() });
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map(({ name }) => name)).toContain('logits');
  });

  it('is refused over weights of another one, and together with options of a recipe', async () => {
    const model = await llava({ vision_feature_layer: [-2, -1] });
    await expect(load(folder, { model })).rejects.toThrow(WeightError);
    const both = load(folder, { model, recipe: { capture: 'before' } });
    await expect(both).rejects.toThrow(InputError);
    await expect(both).rejects.toThrow(/the model is made already/);
  });
});
