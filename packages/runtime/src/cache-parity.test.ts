import { part } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { noDefaults } from './generation-config.js';
import type { GenerationSettings } from './generation-options.js';
import { resolveSettings } from './generation-settings.js';
import { answerPrompt, openPrompt, startTimes, type KnownPrompt } from './generator.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { argmax } from './logits-warpers.js';
import { seededRandom } from './random.js';

const steps = 10;
const settings = resolveSettings({ maxNewTokens: steps, doSample: false }, noDefaults, new Set());

/** Prompts of 1 to 320 random ids, so that some take more than one chunk. */
function randomPrompts(model: LoadedModel, count: number, seed: number): KnownPrompt[] {
  const random = seededRandom(seed);
  const { vocabSize } = part(model.model, 'backbone').shape;
  return Array.from({ length: count }, (_, i) => {
    const length = 1 + Math.floor(random.uniform() * (i % 10 === 0 ? 320 : 60));
    const ids = Array.from({ length }, () => Math.floor(random.uniform() * vocabSize));
    const nothing = ids.map(() => undefined);
    const keys = { ids, marks: nothing, pictureKeys: [], sight: undefined };
    return { ids, pictures: [], placements: [], imageAt: nothing, imageTokens: 0, keys };
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

async function cached(
  model: LoadedModel,
  prompt: KnownPrompt,
  own: Partial<GenerationSettings> = {},
): Promise<readonly number[]> {
  const opened = await openPrompt(model.parts, prompt, undefined);
  const { tokenIds } = await answerPrompt(
    model.parts,
    { prompt, settings: { ...settings, ...own }, opened, lease: model.parts.pictures.lease() },
    { times: startTimes(model.parts), emit: () => undefined },
  );
  opened.sequence.release();
  return tokenIds;
}

describe.each(['text-llama3', 'text-qwen2-tied'])('generation on the cache (%s)', (name) => {
  let model: LoadedModel;
  let prompts: KnownPrompt[];
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

  it('is the same beside prompts of other lengths', async () => {
    for (let start = 0; start < prompts.length; start += 5) {
      const group = prompts.slice(start, start + 5);
      const results = await Promise.all(group.map((prompt) => cached(model, prompt)));
      expect(results).toEqual(expected.slice(start, start + 5));
    }
  });

  it('goes on at once with others after some have ended', async () => {
    const group = prompts.slice(0, 4);
    const lengths = [1, 7, 3, 10];
    const results = await Promise.all(
      group.map((prompt, i) => cached(model, prompt, { maxNewTokens: lengths[i]! })),
    );
    expect(results).toEqual(group.map((_, i) => expected[i]!.slice(0, lengths[i])));
  });
});
