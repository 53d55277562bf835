import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { part, senseOf } from '@weft/spec';
import { openSafetensors } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fixture } from '../test/fixtures.js';
import type { Chat } from './chat.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';

const folder = fixture('mllama-apart');
const images = [0, 1].map((i) => join(folder, `image-${i}.png`));
const greedy = { doSample: false, maxNewTokens: 8 };

let model: LoadedModel;
/** The same, but it keeps nothing of earlier requests. */
let forgetful: LoadedModel;
beforeAll(async () => {
  const recipe = { capture: 'before' };
  model = await load(folder, { recipe });
  forgetful = await load(folder, { recipe, prefixCacheBytes: 0, pictureCacheBytes: 0 });
});
afterAll(() => Promise.all([model.close(), forgetful.close()]));

const fresh = (chat: Chat) =>
  forgetful.generate({ messages: chat.messages.slice(0, -1), ...greedy }).result();

async function golden(): Promise<number[]> {
  const file = await openSafetensors(join(folder, 'golden.safetensors'));
  try {
    return Array.from(new BigInt64Array((await file.read('generated')).buffer), Number);
  } finally {
    await file.close();
  }
}

describe('a model that sees by cross-attention', () => {
  it('generates the tokens of the reference implementation from text and picture files', async () => {
    const prompt = await readFile(join(folder, 'prompt.txt'), 'utf8');
    const { tokenIds } = await model.generate({ prompt, images, ...greedy }).result();
    expect(tokenIds).toEqual((await golden()).slice(0, greedy.maxNewTokens));
  });

  it('answers in a batch as it does alone, whatever pictures the other rows have', async () => {
    const requests = [
      { prompt: 'A red <|image|> star or <|image|> not', images, ...greedy },
      { prompt: 'No picture here', ...greedy },
      { prompt: '<|image|>One', images: images.slice(1), ...greedy },
    ];
    const batch = await model.generateBatch(requests);
    for (const [i, request] of requests.entries())
      expect(batch[i]!.tokenIds, `request ${i}`).toEqual((await model.generate(request).result()).tokenIds);
  });

  it('computes keys of a picture once, and gives every step the same', async () => {
    const own = await load(folder, { recipe: { capture: 'before' }, worker: false });
    const { engine } = own.parts;
    const [see, step] = [vi.spyOn(engine, 'see'), vi.spyOn(engine, 'step')];
    try {
      const prompt = 'A <|image|> or <|image|>?';
      const { tokenIds } = await own.generate({ prompt, images, ...greedy }).result();
      expect(tokenIds).toHaveLength(greedy.maxNewTokens);
      expect(see.mock.calls.flatMap(([sights]) => sights)).toHaveLength(2);
      const handles = step.mock.calls.map(([rows]) => rows.flatMap(({ seen }) => seen?.pictures ?? []));
      expect(handles.length).toBeGreaterThanOrEqual(greedy.maxNewTokens);
      expect(new Set(handles[0]).size).toBe(2);
      expect(new Set(handles.map((ids) => ids.join())).size).toBe(1);
      const again = await own.generate({ prompt, images, ...greedy }).result();
      expect(again.tokenIds).toEqual(tokenIds);
      expect(see.mock.calls.flatMap(([sights]) => sights)).toHaveLength(2);
    } finally {
      await own.close();
    }
  });

  it('keeps the keys of a picture over the turns of a chat', async () => {
    const chat = forgetful.chat(greedy);
    const first = await chat.send('A star?', { images: images.slice(0, 1) }).result();
    expect(first.timings.encode).toBeGreaterThan(0);
    const second = await chat.send('And the colour?').result();
    expect(second.cachedTokens).toBeGreaterThanOrEqual(first.promptTokens);
    expect(second.timings.encode).toBe(0);
    expect(second.tokenIds).toEqual((await fresh(chat)).tokenIds);
    const third = await chat.send('And this?', { images: images.slice(1) }).result();
    expect(third.imageTokens).toBe(2);
    expect(third.tokenIds).toEqual((await fresh(chat)).tokenIds);
  });

  it.each([
    ['mlp', 0],
    ['attention-and-mlp', 1],
  ] as const)('begins without pictures and sees one in a later turn (unseen: %s)', async (unseen, kept) => {
    const own = await load(folder, { recipe: { capture: 'before', unseen } });
    try {
      const chat = own.chat(greedy);
      const again = () => own.generate({ messages: chat.messages.slice(0, -1), ...greedy }).result();
      const first = await chat.send('Hello.').result();
      expect(first.tokenIds).toEqual((await again()).tokenIds);
      const second = await chat.send('A star?', { images: images.slice(1) }).result();
      // Where tokens that see no picture attend to all, a new picture changes them.
      expect(second.cachedTokens).toBeGreaterThanOrEqual(kept * first.promptTokens);
      expect(second.cachedTokens > 0).toBe(kept === 1);
      expect(second.tokenIds).toEqual((await again()).tokenIds);
    } finally {
      await own.close();
    }
  });

  it('gives every beam the pictures of its prompt', async () => {
    const request = { prompt: '<|image|>One', images: images.slice(0, 1), ...greedy };
    const { sequences } = await model.generate({ ...request, numBeams: 3, numReturnSequences: 3 }).result();
    const best = Math.max(...sequences!.map(({ score }) => score));
    expect(sequences).toHaveLength(3);
    expect(sequences![0]!.score).toBe(best);
    const other = await model.generate({ ...request, images: images.slice(1), numBeams: 3 }).result();
    expect(other.tokenIds).not.toEqual(sequences![0]!.tokenIds);
  });

  it('gives the embeddings of all tiles when asked for those of a picture', async () => {
    const [embeds] = await model.encodeImages(images.slice(0, 1));
    const [connector, encoder] = [part(model.model, 'connector'), part(model.model, 'encoder')];
    const { cross } = senseOf(model.model, 'image')!;
    expect(embeds).toHaveLength(
      4 * connector.countTokens(encoder.grid!) * part(model.model, 'backbone').shape.hiddenSize,
    );
    expect(cross!.tokensPerTile).toBe(10);
  });
});
