import { part } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { answerBatch, answerPrompt, shapeOf, startTimes } from './generator.js';
import { resolveSettings } from './generation-options.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { PictureKeys } from './picture-keys.js';
import type { Prompt } from './prompt.js';
import { seededRandom } from './random.js';
import { argmax } from './sampling.js';
import { Sequence } from './sequence.js';

const steps = 10;
const settings = resolveSettings({ maxNewTokens: steps, doSample: false }, {}, new Set());

/** Prompts of 1 to 320 random ids, so that some take more than one chunk. */
function randomPrompts(model: LoadedModel, count: number, seed: number): Prompt[] {
  const random = seededRandom(seed);
  const { vocabSize } = part(model.model, 'backbone').shape;
  return Array.from({ length: count }, (_, i) => {
    const length = 1 + Math.floor(random.uniform() * (i % 10 === 0 ? 320 : 60));
    const ids = Array.from({ length }, () => Math.floor(random.uniform() * vocabSize));
    return { ids, pictures: [], imageAt: ids.map(() => undefined), imageTokens: 0 };
  });
}

/** Greedy ids by the full forward over all tokens at each step. */
async function uncached(model: LoadedModel, ids: readonly number[]): Promise<number[]> {
  const all = [...ids];
  const { vocabSize } = part(model.model, 'backbone').shape;
  for (let step = 0; step < steps; step++) {
    const tensor = { dtype: 'int64', shape: [1, all.length], data: BigInt64Array.from(all, BigInt) } as const;
    const { data } = await model.forward({ input_ids: tensor });
    all.push(argmax(data.subarray((all.length - 1) * vocabSize)));
  }
  return all.slice(ids.length);
}

async function cached(model: LoadedModel, prompt: Prompt): Promise<readonly number[]> {
  const sequence = await Sequence.open(model.parts.engine, shapeOf(model.parts), 1);
  const progress = { times: startTimes(model.parts), emit: () => undefined };
  const keys = new PictureKeys(model.parts.engine);
  const { tokenIds } = await answerPrompt(
    model.parts,
    { prompt, settings, sequence, from: 0, keys },
    progress,
  );
  sequence.release();
  return tokenIds;
}

describe.each(['text-llama3', 'text-qwen2-tied'])('generation on the cache (%s)', (name) => {
  let model: LoadedModel;
  let prompts: Prompt[];
  let expected: number[][];
  beforeAll(async () => {
    model = await load(fixture(name));
    prompts = randomPrompts(model, 25, name.length);
    expected = [];
    for (const { ids } of prompts) expected.push(await uncached(model, ids));
  });
  afterAll(() => model.close());

  it('equals the argmax without a cache on 25 random prompts', async () => {
    for (const [i, prompt] of prompts.entries())
      expect(await cached(model, prompt), `prompt ${i}`).toEqual(expected[i]);
  });

  it('is the same in a batch of different lengths', async () => {
    for (let start = 0; start < prompts.length; start += 5) {
      const group = prompts.slice(start, start + 5);
      const times = startTimes(model.parts);
      const results = await answerBatch(
        model.parts,
        group,
        group.map(() => settings),
        { times, signal: undefined },
      );
      expect(results.map(({ tokenIds }) => tokenIds)).toEqual(expected.slice(start, start + 5));
    }
  });

  it('goes on in a batch after some rows have ended', async () => {
    const group = prompts.slice(0, 4);
    const each = [1, 7, 3, 10].map((maxNewTokens) => ({ ...settings, maxNewTokens }));
    const results = await answerBatch(model.parts, group, each, {
      times: startTimes(model.parts),
      signal: undefined,
    });
    expect(results.map(({ tokenIds }) => tokenIds)).toEqual(
      group.map((_, i) => expected[i]!.slice(0, each[i]!.maxNewTokens)),
    );
  });
});
