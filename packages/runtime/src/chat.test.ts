import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import type { Chat } from './chat.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';

const folder = fixture('idefics3-split');
const image = join(folder, 'image-0.png');
const other = join(fixture('llava-clip'), 'image-0.png');
const greedy = { doSample: false, maxNewTokens: 8 };

let model: LoadedModel;
/** The same, but it keeps nothing of earlier requests. */
let forgetful: LoadedModel;
beforeAll(async () => {
  model = await load(folder);
  forgetful = await load(folder, { prefixCacheBytes: 0, pictureCacheBytes: 0 });
});
afterAll(() => Promise.all([model.close(), forgetful.close()]));

/** The answer to the whole conversation without a cache of earlier turns. */
const fresh = (chat: Chat) =>
  forgetful.generate({ messages: chat.messages.slice(0, -1), ...greedy }).result();

describe('chat', () => {
  it('reads only what is new in the second turn, picture included, and answers as afresh', async () => {
    const chat = model.chat(greedy);
    const first = await chat.send('What is it?', { images: [image] }).result();
    expect(first.cachedTokens).toBe(0);
    expect(first.imageTokens).toBeGreaterThan(0);
    expect(first.text).toBe((await fresh(chat)).text);
    const second = await chat.send('And the colour?').result();
    expect(second.cachedTokens).toBeGreaterThanOrEqual(first.promptTokens);
    expect(second.imageTokens).toBe(first.imageTokens);
    expect(second.timings.encode).toBe(0);
    const again = await fresh(chat);
    expect(second.tokenIds).toEqual(again.tokenIds);
    expect(second.promptTokens).toBe(again.promptTokens);
    expect(again.timings.encode).toBeGreaterThan(0);
  });

  it('takes a new picture in a later turn', async () => {
    const chat = model.chat(greedy);
    const first = await chat.send('Look.', { images: [image] }).result();
    const second = await chat
      .send([
        { type: 'text', text: 'Now this:' },
        { type: 'image', image: other },
      ])
      .result();
    expect(second.cachedTokens).toBeGreaterThanOrEqual(first.promptTokens);
    expect(second.imageTokens).toBeGreaterThan(first.imageTokens);
    expect(second.tokenIds).toEqual((await fresh(chat)).tokenIds);
  });

  it('does not take another picture of the same size for the one it knows', async () => {
    const chat = model.chat(greedy);
    const picture = (value: number) =>
      ({ width: 40, height: 40, channels: 3, data: new Uint8Array(4800).fill(value) }) as const;
    const first = await chat.send('What is it?', { images: [picture(0)] }).result();
    chat.reset();
    const second = await chat.send('What is it?', { images: [picture(200)] }).result();
    expect(second.cachedTokens).toBe(0);
    expect(second.promptTokens).toBe(first.promptTokens);
    expect(second.tokenIds).toEqual((await fresh(chat)).tokenIds);
  });

  it('keeps what was said before an abort, and goes on', async () => {
    const chat = model.chat(greedy);
    let stream = chat.send('What is it?', { images: [image], maxNewTokens: 200 });
    for await (const _ of stream) break;
    expect((await stream.result()).finishReason).toBe('abort');
    expect(chat.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
    stream = chat.send('Go on.');
    const result = await stream.result();
    expect(result.cachedTokens).toBeGreaterThan(0);
    expect(result.tokenIds).toEqual((await fresh(chat)).tokenIds);
  });

  it('takes the next question right after an answer is cancelled, and keeps their order', async () => {
    const chat = model.chat(greedy);
    const left = chat.send('What is it?', { images: [image], maxNewTokens: 200 });
    for await (const _ of left) break;
    const cancelled = chat.send('Or this?', { maxNewTokens: 200 });
    cancelled.cancel();
    const next = chat.send('Go on.');
    expect(() => chat.send('And?')).toThrow(/still answering/);
    const result = await next.result();
    expect((await left.result()).finishReason).toBe('abort');
    expect(await cancelled.result()).toMatchObject({ finishReason: 'abort', text: '' });
    expect(chat.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    expect(result.tokenIds).toEqual((await fresh(chat)).tokenIds);
  });

  it('forgets at once what was cancelled', async () => {
    const chat = model.chat(greedy);
    const left = chat.send('What is it?', { images: [image], maxNewTokens: 200 });
    expect(() => chat.reset()).toThrow(/still answering/);
    left.cancel();
    chat.reset();
    const alone = await chat.send('Hello').result();
    expect(chat.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
    expect(alone.tokenIds).toEqual((await fresh(chat)).tokenIds);
  });

  it('is as it was after a turn that fails', async () => {
    const chat = model.chat(greedy);
    const first = await chat.send('Hello').result();
    const before = chat.messages;
    await expect(chat.send('Look', { images: [join(folder, 'nothing.png')] }).result()).rejects.toThrow(
      /nothing\.png/,
    );
    expect(chat.messages).toEqual(before);
    expect((await chat.send('Again').result()).cachedTokens).toBeGreaterThanOrEqual(first.promptTokens);
  });

  it('goes on after beam search', async () => {
    const chat = model.chat(greedy);
    await chat.send('Hello', { numBeams: 3 }).result();
    const second = await chat.send('And then?').result();
    expect(second.cachedTokens).toBeGreaterThan(0);
    expect(second.tokenIds).toEqual((await fresh(chat)).tokenIds);
  });

  it('begins with what the system says, and answers one question at a time', async () => {
    const chat = model.chat({ ...greedy, system: 'Be brief.' });
    const running = chat.send('Hello');
    expect(() => chat.send('Hello?')).toThrow(/still answering/);
    expect(() => chat.reset()).toThrow(/still answering/);
    await running.result();
    expect(chat.messages[0]).toEqual({ role: 'system', content: 'Be brief.' });
    chat.reset();
    expect(chat.messages).toEqual([{ role: 'system', content: 'Be brief.' }]);
    expect(() => model.chat({ temprature: 1 } as never)).toThrow(/no option 'temprature'/);
  });

  it('reads the picture of a data URL', async () => {
    const url = `data:image/png;base64,${(await readFile(image)).toString('base64')}`;
    const [a, b] = await Promise.all(
      [url, image].map((source) =>
        model
          .chat(greedy)
          .send('What?', { images: [source] })
          .result(),
      ),
    );
    expect(a!.tokenIds).toEqual(b!.tokenIds);
  });
});
