import { InputError } from '@weft/errors';
import { modelOf } from '@weft/models';
import { part, senseOf, type ImagePlacement, type Picture } from '@weft/spec';
import { openSafetensors } from '@weft/weights';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { mostPictureBytes, PictureMemory } from './picture-memory.js';

const folder = fixture('llava-onevision-shared');
const images = ['image-0.png', 'image-1.png'].map((name) => join(folder, name));

describe('pictures of one conversation with LLaVA-OneVision', () => {
  let model: LoadedModel;
  let golden: number[];
  beforeAll(async () => {
    model = await load(folder, { worker: false, threads: 1 });
    const file = await openSafetensors(join(folder, 'golden.safetensors'));
    golden = Array.from(new BigInt64Array((await file.read('generated')).slice().buffer), Number);
    await file.close();
  });
  afterAll(() => model.close());

  it('are seen as wholes, and answered about as transformers answers', async () => {
    const prompt = await readFile(join(folder, 'prompt.txt'), 'utf8');
    const { tokenIds, imageTokens } = await model
      .generate({ prompt, images, maxNewTokens: golden.length, temperature: 0 })
      .result();
    const grid = senseOf(model.model, 'image')!.processor.place({ width: 1, height: 1 }, 0, 2).tokens;
    expect(imageTokens).toBe(2 * grid);
    // The reference does not stop at the end of its answer.
    expect(tokenIds).toEqual(golden.slice(0, tokenIds.length));
    expect(tokenIds.length).toBeGreaterThan(2);
  });

  it('are as many in messages, and one alone is cut', async () => {
    const tokensOf = async (...pictures: string[]): Promise<number> => {
      const content = [
        ...pictures.map((image) => ({ type: 'image', image }) as const),
        { type: 'text', text: '?' } as const,
      ];
      const stream = model.generate({ messages: [{ role: 'user', content }], maxNewTokens: 1 });
      return (await stream.result()).imageTokens;
    };
    const [one, two, three] = [
      await tokensOf(images[0]!),
      await tokensOf(...images),
      await tokensOf(...images, images[0]!),
    ];
    expect(three).toBe((two / 2) * 3);
    expect(one).toBeGreaterThan(two);
  });
});

describe('memory of the pictures of a request', () => {
  const picture = (width: number, height: number): Picture => ({
    width,
    height,
    channels: 3,
    data: new Uint8Array(width * height * 3),
  });

  it('is refused before it is taken, with the number of the picture, its size and what it needs', async () => {
    const model = await load(fixture('llava-clip'), { worker: false, threads: 1 });
    // One array, which counts as often as it is given.
    const large = picture(10_000, 9_000);
    const fitting = Math.floor(mostPictureBytes / large.data.length);
    const request = (count: number) => ({
      prompt: `${'<image>'.repeat(count)} hi`,
      images: Array.from({ length: count }, () => large),
      maxNewTokens: 1,
    });
    const failure: unknown = await model
      .generate(request(fitting + 1))
      .result()
      .catch((error: unknown) => error);
    await model.close();
    expect(failure).toBeInstanceOf(InputError);
    expect((failure as Error).message).toMatch(
      new RegExp(`Picture ${fitting} of the request is 10000 x 9000 pixels and needs 258 MiB as RGB`),
    );
  });

  it.each(['llava-clip', 'qwen2-vl-two', 'mllama-two-tiles', 'aria-two', 'pixtral-hub', 'fuyu-small'])(
    'counts the tensors that pictures become: %s',
    async (name) => {
      const files = await readCheckpointFiles(fixture(name));
      const model = await modelOf(files.config, files);
      const { processor } = senseOf(model, 'image')!;
      const one = picture(40, 30);
      const { inputs, images } = processor.process([one]);
      const { shape } = inputs['pixel_values'] ?? inputs['image_patches']!;
      const bytes = 4 * shape.reduce((product, side) => product * side, 1);
      const placement = images[0]!;
      // The tensors of Llama 3.2 Vision have four tiles, whatever a picture has.
      const views = placement.layout
        ? 1
        : Math.max(placement.tiles, part(model, 'encoder').pixels.maxTiles ?? 0);
      /** A placement of so many views, or of a video so long. */
      const placed = (count: number): ImagePlacement => ({
        ...placement,
        tiles: count,
        ...(placement.layout ? { layout: { ...placement.layout, frames: count } } : {}),
      });
      const most = Math.floor((mostPictureBytes * views) / bytes);
      const count = (views: number) => () => new PictureMemory().addTensors(model, [one], [placed(views)]);
      expect(count(most)).not.toThrow();
      expect(count(most + 1)).toThrow(/Picture 0 of the request is 40 x 30 pixels and needs 2049? MiB as/);
    },
  );
});
