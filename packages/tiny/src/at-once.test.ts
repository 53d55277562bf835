import { load, type GenerationRequest } from '@weft/runtime';
import { expect, it } from 'vitest';
import { tinyFolder } from './folder.js';
import { paint } from './world/raster.js';
import { Random } from './world/random.js';
import { randomScene } from './world/scene.js';

it('answers 16 questions at once as one after another, about one picture or several', async () => {
  const questions = [
    'Describe the picture.',
    'How many objects are there?',
    'Read the number.',
    'Is there a red circle?',
  ];
  const requests = Array.from({ length: 16 }, (_, i): GenerationRequest => {
    const image = paint(randomScene(new Random(i < 8 ? 0 : i)), 128);
    const content = [
      { type: 'image', image },
      { type: 'text', text: questions[i % 4]! },
    ] as const;
    return { messages: [{ role: 'user', content }], doSample: false };
  });
  const forgetful = await load(tinyFolder(), { prefixCacheBytes: 0, pictureCacheBytes: 0 });
  const alone: string[] = [];
  for (const request of requests) alone.push((await forgetful.generate(request).result()).text);
  await forgetful.close();
  const model = await load(tinyFolder());
  const atOnce = await Promise.all(requests.map((request) => model.generate(request).result()));
  await model.close();
  expect(atOnce.map(({ text }) => text)).toEqual(alone);
  expect(atOnce.filter(({ cachedTokens }) => cachedTokens >= 64)).toHaveLength(7);
});
