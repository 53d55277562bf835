import { join } from 'node:path';
import { InputError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import type { Message, Question } from './message.js';

const folder = fixture('molmo-portrait');
const image = join(folder, 'image-0.png');
const greedy = { doSample: false, maxNewTokens: 6 };
const asked = (text: string) => [{ type: 'image', image } as const, { type: 'text', text } as const];

let model: LoadedModel;
beforeAll(async () => {
  model = await load(folder);
});
afterAll(() => model.close());

describe('Molmo', () => {
  it("writes conversations as Molmo's processor does, whatever template the folder has", async () => {
    const answer = (request: Question) => model.generate({ ...request, ...greedy }).result();
    const raw = '<|endoftext|><im_patch> User: Is it a star? Assistant:';
    const [written, whole] = [
      await answer({ messages: [{ role: 'user', content: asked('Is it a star?') }] }),
      await answer({ prompt: raw, images: [image] }),
    ];
    expect(written.promptTokens).toBe(whole.promptTokens);
    expect(written.tokenIds).toEqual(whole.tokenIds);
  });

  it('ends answers with the token that ends a text, and does not double their first space', async () => {
    const messages: Message[] = [
      { role: 'user', content: 'Who?' },
      { role: 'assistant', content: ' I.' },
      { role: 'user', content: ' Sure? ' },
    ];
    const prompt = '<|endoftext|> User: Who? Assistant: I.<|endoftext|> User:  Sure?  Assistant:';
    const [written, raw] = await Promise.all(
      [{ messages }, { prompt }].map((request) => model.generate({ ...request, ...greedy }).result()),
    );
    expect(written!.promptTokens).toBe(raw!.promptTokens);
    expect(written!.tokenIds).toEqual(raw!.tokenIds);
  });

  it('keeps the picture of the first turn in the second', async () => {
    const chat = model.chat(greedy);
    const first = await chat.send(asked('Is it a star?')).result();
    const second = await chat.send('And now?').result();
    expect(first.imageTokens).toBeGreaterThan(0);
    expect([second.imageTokens, second.timings.encode]).toEqual([first.imageTokens, 0]);
    expect(second.cachedTokens).toBeGreaterThanOrEqual(first.promptTokens);
    const fresh = await model.generate({ messages: chat.messages.slice(0, -1), ...greedy }).result();
    expect(second.tokenIds).toEqual(fresh.tokenIds);
  });

  it('refuses a second picture', async () => {
    const messages: Message[] = [{ role: 'user', content: [...asked('One?'), ...asked('Two?')] }];
    const answer = model.generate({ messages, ...greedy }).result();
    await expect(answer).rejects.toThrow(InputError);
    await expect(answer).rejects.toThrow(/2 pictures were given, but Molmo takes one in a conversation/);
  });
});
