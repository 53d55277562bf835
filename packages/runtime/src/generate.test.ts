import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@weft/errors';
import { decodeImage } from '@weft/image';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import type { GenerationChunk } from './generation-stream.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';

const folder = fixture('llava-clip');
const images = [join(folder, 'image-0.png'), join(folder, 'image-1.png')];
let model: LoadedModel;
let prompt: string;
beforeAll(async () => {
  model = await load(folder);
  prompt = await readFile(join(folder, 'prompt.txt'), 'utf8');
});
afterAll(() => model.close());

const ask = (text: string, options: object = {}) =>
  model.generate({
    messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text }] }],
    images: images.slice(0, 1),
    doSample: false,
    maxNewTokens: 8,
    ...options,
  });

describe('generate', () => {
  it('streams the text and the tokens of its result', async () => {
    const stream = model.generate({ prompt, images, maxNewTokens: 9, doSample: false });
    const chunks: GenerationChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const result = await stream.result();
    expect(chunks.map(({ text }) => text).join('')).toBe(result.text);
    expect(chunks.map(({ tokenId }) => tokenId)).toEqual(result.tokenIds);
    expect(result).toMatchObject({
      finishReason: 'length',
      promptTokens: 56,
      imageTokens: 18,
      generatedTokens: 9,
      cachedTokens: 0,
    });
    for (const key of ['load', 'preprocess', 'encode', 'prefill', 'decode'] as const)
      expect(result.timings[key]).toBeGreaterThan(0);
  });

  it('streams to several readers alike', async () => {
    const stream = model.generate({ prompt, images, maxNewTokens: 9, doSample: false });
    const read = async (): Promise<string> => {
      let text = '';
      for await (const chunk of stream) text += chunk.text;
      return text;
    };
    const { text } = await stream.result();
    expect(await Promise.all([read(), read()])).toEqual([text, text]);
    const live = model.generate({ prompt, images, maxNewTokens: 9, doSample: false });
    const readLive = async (): Promise<number> => {
      let count = 0;
      for await (const _ of live) count++;
      return count;
    };
    expect(await Promise.all([readLive(), readLive()])).toEqual([9, 9]);
  });

  it('takes messages or a prompt, which the compiler knows as well', async () => {
    const wrong = [
      // @ts-expect-error Nothing is asked.
      model.generate({}),
      // @ts-expect-error It is asked twice.
      model.generate({ prompt, messages: [{ role: 'user', content: 'Why?' }] }),
    ];
    for (const stream of wrong) {
      await expect(stream.result()).rejects.toThrow(InputError);
      await expect(stream.result()).rejects.toThrow(/either messages or a prompt/);
    }
    for (const nothing of [undefined, null, 'Why?', 5] as const)
      // @ts-expect-error A request is an object.
      expect(() => model.generate(nothing)).toThrow(
        /The options are .*, expected an object\.\n {2}at generate/,
      );
    // @ts-expect-error Nobody of this role may speak.
    const roles: Parameters<typeof model.generate>[0] = { messages: [{ role: 'usr', content: 'Why?' }] };
    expect(roles.messages).toHaveLength(1);
  });

  it('answers the same from a path, bytes and samples, in the worker and without', async () => {
    const here = await load(folder, { worker: false });
    const bytes = await Promise.all(images.map((path) => readFile(path)));
    const rasters = await Promise.all(images.map((path) => decodeImage(path)));
    const run = (on: LoadedModel, given: readonly (string | Uint8Array | (typeof rasters)[number])[]) =>
      on.generate({ prompt, images: given, maxNewTokens: 6, doSample: false }).result();
    const expected = (await run(model, images)).tokenIds;
    expect((await run(model, bytes)).tokenIds).toEqual(expected);
    expect((await run(here, rasters)).tokenIds).toEqual(expected);
    await here.close();
  });

  it('draws the same for a seed, and 0 degrees is greedy', async () => {
    const draw = (seed: number, temperature = 1.5) =>
      model.generate({ prompt, images, seed, temperature, maxNewTokens: 12 }).result();
    const [a, b, c] = [await draw(1), await draw(1), await draw(2)];
    expect(a!.tokenIds).toEqual(b!.tokenIds);
    expect(a!.tokenIds).not.toEqual(c!.tokenIds);
    expect((await draw(1, 0)).tokenIds).toEqual(
      (await model.generate({ prompt, images, maxNewTokens: 12 }).result()).tokenIds,
    );
  });

  it('ends before a stop string, wherever tokens cut it', async () => {
    const { text } = await ask('What?', { maxNewTokens: 20 }).result();
    const stop = text.slice(5, 8);
    const result = await ask('What?', { maxNewTokens: 20, stop: [stop] }).result();
    expect(result.text).toBe(text.slice(0, text.indexOf(stop)));
    expect(result.finishReason).toBe('stop');
  });

  it('ends at an end token, which is among the ids but not in the text', async () => {
    const end = model.tokenizer.eosTokenId!;
    const result = await ask('What?', {
      logitsProcessors: [
        (logits: Float32Array, ids: readonly number[]) => void (ids.length % 5 === 0 && (logits[end] = 1e9)),
      ],
    }).result();
    expect(result.tokenIds.at(-1)).toBe(end);
    expect(result.finishReason).toBe('stop');
    expect(result.text).toBe(
      model.tokenizer.decode(result.tokenIds.slice(0, -1), { skipSpecialTokens: true }),
    );
  });

  it('stops when the reader leaves the loop, when it is cancelled, and when the signal is aborted', async () => {
    const left = ask('What?', { maxNewTokens: 400 });
    for await (const _ of left) break;
    expect(await left.result()).toMatchObject({ finishReason: 'abort' });
    const controller = new AbortController();
    const aborted = ask('What?', { maxNewTokens: 400, signal: controller.signal });
    let seen = 0;
    for await (const _ of aborted) if (++seen === 3) controller.abort();
    const { finishReason, generatedTokens, text } = await aborted.result();
    expect(finishReason).toBe('abort');
    expect(generatedTokens).toBeLessThan(400);
    expect(text.length).toBeGreaterThan(0);
    expect(await ask('What?', { signal: AbortSignal.abort() }).result()).toMatchObject({
      finishReason: 'abort',
      generatedTokens: 0,
    });
    expect((await ask('What?').result()).generatedTokens).toBe(8);
  });

  it('leaves the event loop free', async () => {
    const done = ask('What?', { maxNewTokens: 60 }).result();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await done;
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });

  it('serves several questions at once, on two models', async () => {
    const other = await load(fixture('text-qwen2-tied'));
    const alone = [(await ask('What?').result()).tokenIds, (await ask('Where?').result()).tokenIds];
    const text = await other.generate({ prompt: 'A house', maxNewTokens: 8 }).result();
    const [a, b, c] = await Promise.all([
      ask('What?').result(),
      ask('Where?').result(),
      other.generate({ prompt: 'A house', maxNewTokens: 8 }).result(),
    ]);
    expect([a.tokenIds, b.tokenIds]).toEqual(alone);
    expect(c.tokenIds).toEqual(text.tokenIds);
    await other.close();
  });

  it('answers a batch with pictures as it answers each alone', async () => {
    const requests = [
      { messages: [{ role: 'user', content: 'Just text, and a longer one than the others.' }] },
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image', image: images[1]! },
              { type: 'text', text: 'What?' },
            ],
          },
        ],
      },
      { prompt, images },
    ] as const;
    const options = { doSample: false, maxNewTokens: 7 };
    const batch = await model.generateBatch(requests.map((request) => ({ ...request, ...options })));
    for (const [i, request] of requests.entries())
      expect(batch[i]!.tokenIds, `request ${i}`).toEqual(
        (await model.generate({ ...request, ...options }).result()).tokenIds,
      );
    expect(await model.generateBatch([])).toEqual([]);
    const beams = { numBeams: 3, ...options };
    const [first, second] = await model.generateBatch([
      { prompt: 'A house', ...beams },
      { prompt, images, ...beams },
    ]);
    expect(first!.tokenIds).toEqual(
      (await model.generate({ prompt: 'A house', ...beams }).result()).tokenIds,
    );
    expect(second!.tokenIds).toEqual((await model.generate({ prompt, images, ...beams }).result()).tokenIds);
    expect(
      (await model.generateBatch([{ prompt: 'a' }], { signal: AbortSignal.abort() }))[0]!.finishReason,
    ).toBe('abort');
  });

  it('refuses options that do not exist or are out of range, before it starts', () => {
    const wrong: [object, RegExp][] = [
      [{ max_new_tokens: 5 }, /no option 'max_new_tokens'/],
      [{ maxNewTokens: 0 }, /maxNewTokens is 0/],
      [{ temperature: -1 }, /temperature is -1/],
      [{ topP: 0 }, /topP is 0/],
      [{ topP: NaN }, /topP is/],
      [{ stop: [''] }, /stop is/],
      [{ stop: 'x' }, /stop is "x"/],
      [{ seed: 1.5 }, /seed is 1.5/],
      [{ logitsProcessors: [1] }, /logitsProcessors is/],
      [{ suppressTokens: 5 }, /suppressTokens is 5, expected a list of token ids/],
      [{ badWordsIds: [[3], []] }, /badWordsIds is/],
      [{ badWordsIds: [[3, 99999]] }, /the id 99999, outside of the vocabulary/],
      [{ sequenceBias: [[[3], '2']] }, /sequenceBias is/],
      [{ forcedEosTokenId: -1 }, /forcedEosTokenId is -1/],
      [{ eosTokenId: [] }, /eosTokenId is/],
      [{ typicalP: 0 }, /typicalP is 0/],
      [{ etaCutoff: 1 }, /etaCutoff is 1/],
      [{ exponentialDecayLengthPenalty: [2] }, /exponentialDecayLengthPenalty is/],
      [{ watermarking: { greenlistRatio: 1 } }, /watermarking is/],
      [{ watermarking: { ratio: 0.5 } }, /watermarking is/],
      [{ maxTime: -1 }, /maxTime is -1/],
    ];
    for (const [options, message] of wrong) {
      expect(() => ask('What?', options)).toThrow(InputError);
      expect(() => ask('What?', options)).toThrow(message);
    }
  });
});
