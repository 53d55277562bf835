import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTrainConfig } from './train-config.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

const stage = { name: 'tune', trainable: ['connector'], steps: 3, batchSize: 2, learningRate: 1e-3 };
const whole = { model: 'base', data: { file: 'samples.jsonl' }, stages: [stage], out: 'run' };

async function read(config: unknown, out?: string) {
  const file = join(folder, 'train.json');
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config));
  return readTrainConfig(file, out);
}

describe('readTrainConfig', () => {
  it('takes paths from the folder of the file, and --out from the working directory', async () => {
    expect(await read(whole)).toMatchObject({
      model: join(folder, 'base'),
      out: join(folder, 'run'),
      seed: 0,
      dtype: 'float32',
      stages: [{ stage, data: { file: join(folder, 'samples.jsonl') } }],
    });
    expect((await read(whole, 'elsewhere')).out).toBe(resolve('elsewhere'));
  });

  it('gives a stage its own samples, or those of all', async () => {
    const own = { file: 'captions.jsonl', images: 'pictures' };
    const { stages } = await read({ ...whole, stages: [{ ...stage, name: 'align', data: own }, stage] });
    expect(stages.map(({ data }) => data)).toEqual([
      { file: join(folder, 'captions.jsonl'), images: join(folder, 'pictures') },
      { file: join(folder, 'samples.jsonl') },
    ]);
    expect(stages[0]!.stage).not.toHaveProperty('data');
  });

  it('reads every field of a stage and of a composition', async () => {
    const full = {
      ...stage,
      frozen: ['**.bias'],
      muon: ['**.mlp.*.weight'],
      accumulate: 2,
      lengthWindow: 4,
      rates: [{ match: 'encoder', learningRate: 0, weightDecay: 0.1 }],
      schedule: 'constant',
      warmupSteps: 0,
      floorRatio: 0.1,
      weightDecay: 0.05,
      beta1: 0.9,
      beta2: 0.95,
      momentum: 0.9,
      eps: 1e-6,
      maxGradientNorm: null,
      clip: 'group',
    };
    const compose = {
      name: 'mix',
      encoder: { from: 'siglip' },
      connector: { id: 'connector-linear', config: { bias: false } },
      backbone: { from: '/models/qwen2' },
    };
    const config = await read({
      ...whole,
      stages: [full],
      model: { compose },
      evaluation: { file: 'held-out.jsonl', every: 5 },
      saveEvery: 7,
      threads: 1,
      maxLength: 99,
      dtype: 'bfloat16',
    });
    expect(config.stages[0]!.stage).toEqual(full);
    expect(config.model).toMatchObject({
      encoder: { from: join(folder, 'siglip') },
      connector: { id: 'connector-linear', config: { bias: false } },
      fusion: { id: 'fusion-unified' },
      tokenizer: '/models/qwen2',
      placeholder: '<image>',
    });
    expect(config).toMatchObject({
      evaluation: { samples: 256, every: 5 },
      saveEvery: 7,
      threads: 1,
      maxLength: 99,
      dtype: 'bfloat16',
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['a text that is no JSON', '{ "model": ', /not valid JSON/],
    ['a list', [], /The configuration is \[\], expected an object/],
    ['no model', { ...whole, model: undefined }, /^model is missing, expected a checkpoint folder/],
    ['no samples', { ...whole, data: undefined }, /^stages\[0\]\.data is missing, and so is data/],
    ['no stages', { ...whole, stages: [] }, /^stages is \[\], expected a list with at least one entry/],
    ['a misspelt field', { ...whole, sed: 1 }, /^sed is not a field/],
    [
      'a misspelt field of a stage',
      { ...whole, stages: [{ ...stage, learnigRate: 1 }] },
      /^stages\[0\]\.learnigRate is not a field[^]*learningRate/,
    ],
    [
      'a missing field of a stage',
      { ...whole, stages: [{ ...stage, steps: undefined }] },
      /^stages\[0\]\.steps is missing, expected a number of updates/,
    ],
    [
      'a wrong value',
      { ...whole, stages: [{ ...stage, schedule: 'linear' }] },
      /^stages\[0\]\.schedule is "linear", expected cosine or constant/,
    ],
    [
      'a wrong rate',
      { ...whole, stages: [{ ...stage, rates: [{ match: 'encoder' }] }] },
      /^stages\[0\]\.rates\[0\]\.learningRate is missing/,
    ],
    ['two stages of one name', { ...whole, stages: [stage, stage] }, /^stages has two stages named 'tune'/],
    [
      'an unknown type',
      { ...whole, dtype: 'int8' },
      /^dtype is "int8", expected float32, float16 or bfloat16/,
    ],
    [
      'a part without a source',
      { ...whole, model: { compose: { encoder: {}, backbone: { from: 'x' } } } },
      /^model\.compose\.encoder\.from is missing, and so is id/,
    ],
    [
      'a new backbone without a tokenizer',
      { ...whole, model: { compose: { encoder: { from: 'x' }, backbone: { id: 'backbone-llama' } } } },
      /^model\.compose\.tokenizer is missing/,
    ],
  ])('names the field for %s', async (_, config, message) => {
    const failure = await read(config).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect((failure as ConfigError).message).toMatch(message);
    expect((failure as ConfigError).where).toBe(join(folder, 'train.json'));
  });
});
