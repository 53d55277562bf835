import { part } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import {
  answerPrompt,
  openPrompt,
  startTimes,
  type GenerationContext,
  type KnownPrompt,
} from './generator.js';
import type { GenerationSettings } from './generation-options.js';
import { resolveSettings } from './generation-settings.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { continued } from './prompt-keys.js';
import { seededRandom } from './random.js';
import { argmax } from './logits-warpers.js';
import { noDefaults } from './generation-config.js';

/** A prompt of given ids, with the name of its frequencies. */
function promptOf({ model }: LoadedModel, ids: readonly number[]): KnownPrompt {
  const nothing = ids.map(() => undefined);
  const frequencies = part(model, 'backbone').frequencies!.nameFor(ids.length);
  const keys = { ids, marks: nothing, pictureKeys: [], sight: undefined, frequencies };
  return { ids, pictures: [], placements: [], imageAt: nothing, imageTokens: 0, keys };
}

function randomIds({ model }: LoadedModel, length: number, seed: number): number[] {
  const random = seededRandom(seed);
  const { vocabSize } = part(model, 'backbone').shape;
  return Array.from({ length }, () => Math.floor(random.uniform() * vocabSize));
}

/** The likeliest next token by the full forward over all tokens. */
async function nextOf(model: LoadedModel, ids: readonly number[]): Promise<number> {
  const { vocabSize } = part(model.model, 'backbone').shape;
  const { data } = await model.forward({
    input_ids: { dtype: 'int64', shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) },
  });
  return argmax(data.subarray((ids.length - 1) * vocabSize));
}

async function answer(
  model: LoadedModel,
  ids: readonly number[],
  own: Partial<GenerationSettings> = {},
): Promise<{ readonly tokenIds: readonly number[]; readonly cachedTokens: number }> {
  const context: GenerationContext = { ...model.parts, maxPositions: 5000 };
  const prompt = promptOf(model, ids);
  const opened = await openPrompt(context, prompt, undefined);
  const settings = {
    ...resolveSettings({ maxNewTokens: 12, doSample: false }, noDefaults, new Set()),
    ...own,
  };
  try {
    return await answerPrompt(
      context,
      { prompt, settings, opened, lease: context.pictures.lease() },
      { times: startTimes(context), emit: () => undefined },
    );
  } finally {
    opened.sequence.release();
  }
}

const models = new Map<string, LoadedModel>();
const border = { 'text-dynamic': 64, 'text-longrope': 63, 'text-longrope-anew': 57 } as const;
type Name = keyof typeof border;
const names = Object.keys(border) as Name[];
beforeAll(async () => {
  for (const name of names) models.set(name, await load(fixture(name)));
});
afterAll(async () => {
  for (const model of models.values()) await model.close();
});

describe.each(names)('frequencies by the length of a text (%s)', (name) => {
  it('change at the length that the file says', () => {
    const { nameFor } = part(models.get(name)!.model, 'backbone').frequencies!;
    expect(nameFor(border[name])).toBe('');
    expect(nameFor(border[name] + 1)).not.toBe('');
  });

  it('are those of the whole prompt, in however many chunks it is read', async () => {
    const model = models.get(name)!;
    for (const length of [border[name] - 1, border[name], border[name] + 1, 255, 257, 300, 520]) {
      const ids = randomIds(model, length, length);
      const { tokenIds } = await answer(model, ids, { maxNewTokens: 1 });
      expect(tokenIds, `${length} tokens`).toEqual([await nextOf(model, ids)]);
    }
  });

  it('are of each prompt its own, beside shorter and longer ones', async () => {
    const model = models.get(name)!;
    const lengths = [3, border[name] - 4, border[name] + 5, 290, border[name] - 10, 40];
    const prompts = lengths.map((length, i) => randomIds(model, length, 77 + i));
    const alone = [];
    for (const ids of prompts) alone.push((await answer(model, ids)).tokenIds);
    const together = await Promise.all(prompts.map((ids) => answer(model, ids)));
    expect(together.map(({ tokenIds }) => tokenIds)).toEqual(alone);
  });

  it('keep what is held of a short prompt from a long one that begins alike, and the other way round', async () => {
    const model = models.get(name)!;
    const long = randomIds(model, border[name] + 40, 5);
    const short = long.slice(0, border[name] - 5);
    const once = await load(fixture(name), { prefixCacheBytes: 0 });
    const fresh = [];
    for (const ids of [short, long]) fresh.push((await answer(once, ids)).tokenIds);
    await once.close();
    const results = [];
    for (const ids of [short, long, short, long]) results.push(await answer(model, ids));
    expect(results.map(({ tokenIds }) => tokenIds)).toEqual([...fresh, ...fresh]);
    // The second time each finds what was held of itself.
    expect(results.map(({ cachedTokens }) => cachedTokens > 0)).toEqual([false, false, true, true]);
  });
});

describe('the longest text', () => {
  it('is that for which positions are stretched, not only that of the file', () => {
    expect(models.get('text-dynamic')!.parts.maxPositions).toBe(64 * 3.5);
    expect(models.get('text-longrope')!.parts.maxPositions).toBe(189);
  });
});

describe('a text that is read anew once it has grown long', () => {
  it('goes on as if all of it had been a prompt', async () => {
    const model = models.get('text-longrope-anew')!;
    for (const seed of [1, 2, 3]) {
      const ids = randomIds(model, 50 + seed, seed);
      const { tokenIds } = await answer(model, ids);
      const all = [...ids];
      for (let step = 0; step < 12; step++) all.push(await nextOf(model, all));
      expect([...ids, ...tokenIds]).toEqual(all);
    }
  });

  it('is so in every beam', async () => {
    const model = models.get('text-longrope-anew')!;
    const ids = randomIds(model, 52, 9);
    const settings = { numBeams: 3, maxNewTokens: 10 };
    const grown = await answer(model, ids, settings);
    expect(grown.tokenIds).toHaveLength(10);
    // The best of three beams is at least as likely as the greedy text, measured over the whole of each.
    const likelihood = async (tokenIds: readonly number[]) => {
      const all = [...ids, ...tokenIds];
      let sum = 0;
      for (const [step, id] of tokenIds.entries()) {
        const given = all.slice(0, ids.length + step);
        const data = await lastLogits(model, given);
        const most = Math.max(...data);
        sum += data[id]! - most - Math.log(data.reduce((total, one) => total + Math.exp(one - most), 0));
      }
      return sum;
    };
    const greedy = await answer(model, ids, { maxNewTokens: 10 });
    expect(await likelihood(grown.tokenIds)).toBeGreaterThanOrEqual(
      (await likelihood(greedy.tokenIds)) - 1e-4,
    );
  });

  it('is held under the name of its new frequencies', () => {
    const { model } = models.get('text-longrope-anew')!;
    const rule = part(model, 'backbone').frequencies!;
    const keys = {
      ids: [1, 2],
      marks: [undefined, undefined],
      pictureKeys: [],
      sight: undefined,
      frequencies: '',
    };
    const more = Array.from({ length: 60 }, (_, i) => i);
    expect(continued(keys, more, 57, rule).frequencies).toBe('');
    expect(continued(keys, more, 58, rule).frequencies).toBe('long');
    expect(continued(keys, more, 58).frequencies).toBe('');
  });
});

async function lastLogits(model: LoadedModel, ids: readonly number[]): Promise<Float32Array> {
  const { vocabSize } = part(model.model, 'backbone').shape;
  const { data } = await model.forward({
    input_ids: { dtype: 'int64', shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) },
  });
  return data.slice((ids.length - 1) * vocabSize);
}
