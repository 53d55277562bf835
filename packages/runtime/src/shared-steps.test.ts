import { join } from 'node:path';
import { senseOf } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fixture } from '../test/fixtures.js';
import type { GenerationResult } from './generation-stream.js';
import { load } from './load.js';
import type { GenerationRequest, LoadedModel } from './loaded-model.js';

const nothingKept = { prefixCacheBytes: 0, pictureCacheBytes: 0 };
const plain = { doSample: false, maxNewTokens: 12 };

/** Requests of all kinds: short and long, greedy, sampled and by beams, with one picture, two or none. */
function mixedRequests(folder: string, placeholder: string | undefined): GenerationRequest[] {
  const texts = ['A house', 'The quick brown fox '.repeat(20), 'One', 'A house with a garden, and a dog'];
  const requests: GenerationRequest[] = texts.flatMap((prompt, i) => [
    { prompt, ...plain, maxNewTokens: 4 + 5 * i },
    { prompt, seed: i, temperature: 1.3, maxNewTokens: 9 },
  ]);
  requests.push({ prompt: texts[0]!, ...plain, numBeams: 3 });
  if (placeholder === undefined) return requests;
  const images = [join(folder, 'image-0.png'), join(fixture('llava-clip'), 'image-1.png')];
  for (const question of [' What is it?', ' And the colour?', ' Why?']) {
    requests.push({ prompt: placeholder + question, images: images.slice(0, 1), ...plain });
    requests.push({ prompt: placeholder + question, images: images.slice(1), ...plain });
  }
  // Molmo takes one picture.
  if (!folder.includes('molmo'))
    requests.push({ prompt: `${placeholder} or ${placeholder}?`, images, ...plain });
  return requests;
}

const idsOf = (results: readonly GenerationResult[]): (readonly number[])[] =>
  results.map(({ tokenIds }) => tokenIds);

/** One of each recipe that has a tokenizer. */
const names = [
  'aria-two',
  'idefics3-split',
  'internvl-two',
  'janus-two',
  'llava-clip',
  'llava-next-two',
  'llava-onevision-two',
  'mllama-apart',
  'mm1.5-two',
  'molmo-portrait',
  'nvlm-d',
  'nvlm-h',
  'nvlm-x',
  'pixtral-hub',
  'qwen2-vl-two',
  'smolvlm-stretch',
  'text-llama3',
  'text-mistral-window',
  'text-olmoe',
  'text-phi',
  'text-qwen2-window',
];

describe.each(names.map((name, i) => [name, i % 5 === 4] as const))(
  'requests at once (%s, worker %s)',
  (name, worker) => {
    const folder = fixture(name);
    const recipe = name === 'mllama-apart' ? { capture: 'before' } : {};
    let requests: GenerationRequest[];
    let alone: (readonly number[])[];
    let model: LoadedModel;
    beforeAll(async () => {
      const forgetful = await load(folder, { worker, recipe, ...nothingKept });
      requests = mixedRequests(folder, senseOf(forgetful.model, 'image')?.placeholder);
      const results: GenerationResult[] = [];
      for (const request of requests) results.push(await forgetful.generate(request).result());
      alone = idsOf(results);
      await forgetful.close();
      model = await load(folder, { worker, recipe });
    });
    afterAll(() => model.close());

    it('answer as each alone, the first time and with what is kept of it', async () => {
      for (let round = 0; round < 2; round++) {
        const results = await Promise.all(requests.map((request) => model.generate(request).result()));
        expect(idsOf(results), `round ${round}`).toEqual(alone);
        if (round === 1) expect(results.every(({ timings }) => timings.encode === 0)).toBe(true);
      }
      const { cachedTokens, promptTokens } = await model.generate(requests[2]!).result();
      expect(cachedTokens).toBeGreaterThan(promptTokens - 18);
    });

    it('answer as each alone, whoever joins later or is aborted', async () => {
      const gone = new AbortController();
      const first = requests.map((request) =>
        model.generate({ ...request, maxNewTokens: 30, signal: gone.signal }),
      );
      for await (const _ of first[0]!) break;
      const later = requests.map((request) => model.generate(request).result());
      gone.abort();
      expect(idsOf(await Promise.all(later))).toEqual(alone);
      for (const stream of first) expect((await stream.result()).generatedTokens).toBeLessThanOrEqual(30);
    });
  },
);

describe('requests at once', () => {
  const folder = fixture('llava-clip');
  const image = join(folder, 'image-0.png');
  let model: LoadedModel;
  beforeAll(async () => {
    model = await load(folder, { worker: false });
  });
  afterAll(() => model.close());

  it('read a picture and what stands before it once for many questions', async () => {
    const [see, step] = [vi.spyOn(model.parts.engine, 'see'), vi.spyOn(model.parts.engine, 'step')];
    const questions = Array.from({ length: 6 }, (_, i) => `A picture is shown: <image> ${'why '.repeat(i)}?`);
    const results = await Promise.all(
      questions.map((prompt) => model.generate({ prompt, images: [image], ...plain }).result()),
    );
    expect(see.mock.calls.flatMap(([sights]) => sights)).toHaveLength(1);
    const read = step.mock.calls.flatMap(([rows]) => rows).reduce((sum, { ids }) => sum + ids.length, 0);
    const prompts = results.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
    const cached = results.reduce((sum, { cachedTokens }) => sum + cachedTokens, 0);
    const answered = results.reduce((sum, { generatedTokens }) => sum + generatedTokens - 1, 0);
    expect(read).toBe(prompts - cached + answered);
    expect(results.filter(({ cachedTokens }) => cachedTokens >= 16)).toHaveLength(5);
    see.mockRestore();
    step.mockRestore();
  });

  it('are not hurt by one with a bad picture', async () => {
    const good = { prompt: '<image> What?', images: [image], ...plain };
    const expected = (await model.generate(good).result()).tokenIds;
    const data = new Uint8Array(3 * 5000);
    const thin = { width: 5000, height: 1, channels: 3, data: data.subarray(0, 9) } as const;
    const [a, b, c, d] = await Promise.allSettled(
      [good, { ...good, images: [join(folder, 'nothing.png')] }, { ...good, images: [thin] }, good].map(
        (request) => model.generate(request).result(),
      ),
    );
    expect([b!.status, c!.status]).toEqual(['rejected', 'rejected']);
    for (const one of [a, d]) expect(one).toMatchObject({ value: { tokenIds: expected } });
  });

  it('end with an error when the model is closed, each of them', async () => {
    const own = await load(folder);
    const streams = [1, 2, 3].map((i) =>
      own.generate({ prompt: 'A '.repeat(i), ...plain, maxNewTokens: 400 }),
    );
    for await (const _ of streams[0]!) break;
    const running = streams.slice(1).map((stream) => stream.result());
    await own.close();
    for (const one of running) await expect(one).rejects.toThrow(/closed|released/);
  });

  it('keep no more of prompts and pictures than the budgets say', async () => {
    const small = await load(folder, { worker: false, prefixCacheBytes: 100, pictureCacheBytes: 100 });
    const ask = (prompt: string) => small.generate({ prompt, images: [image], ...plain }).result();
    const [first, second] = [await ask('<image> What is it?'), await ask('<image> What is it?')];
    expect(second.cachedTokens).toBe(0);
    expect(second.timings.encode).toBeGreaterThan(0);
    expect(second.tokenIds).toEqual(first.tokenIds);
    await small.close();
    await expect(load(folder, { prefixCacheBytes: -1 })).rejects.toThrow(/prefixCacheBytes is -1/);
  });
});
