import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '@weft/errors';
import { modelOf } from '@weft/models';
import { part, senseOf, type Picture } from '@weft/spec';
import { openSafetensors, writeSafetensors } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import type { Chat } from './chat.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { load } from './load.js';
import type { GenerationRequest, LoadedModel } from './loaded-model.js';
import type { Message, Question } from './message.js';
import { partWeights } from './part-weights.js';
import { buildPrompt } from './prompt.js';
import { readVisuals } from './read-visuals.js';
import { verify } from './verify.js';
import { writeModel } from './write-model.js';

const greedy = { doSample: false, maxNewTokens: 8 };
const picture = (width: number, height: number, seed: number): Picture => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37 * seed + ((i * i) % 251)) % 256),
});
const [wide, tall, small] = [picture(43, 27, 1), picture(19, 34, 2), picture(9, 11, 3)];
const text = (value: string) => ({ type: 'text', text: value }) as const;
const film = { type: 'video', frames: [1, 2, 3, 4, 5].map((seed) => picture(20, 12, seed)), fps: 1 } as const;

describe.each(['qwen2-vl-two', 'qwen2.5-vl-video', 'pixtral-hub'])('pictures of any size (%s)', (name) => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await load(fixture(name));
  });
  afterAll(() => model.close());
  const fresh = (chat: Chat) => model.generate({ messages: chat.messages.slice(0, -1), ...greedy }).result();

  it('answers in a later turn with a new picture as afresh, and reads only what is new', async () => {
    const chat = model.chat(greedy);
    const first = await chat.send('What is it?', { images: [wide, tall] }).result();
    expect(first.tokenIds).toEqual((await fresh(chat)).tokenIds);
    const second = await chat.send([text('And '), { type: 'image', image: small }, text('this?')]).result();
    expect(second.cachedTokens).toBeGreaterThanOrEqual(first.promptTokens);
    expect(second.imageTokens).toBeGreaterThan(first.imageTokens);
    const third = await chat.send('Really?').result();
    expect(third.timings.encode).toBe(0);
    expect(third.tokenIds).toEqual((await fresh(chat)).tokenIds);
  });

  it('answers several questions with different pictures in one batch as one by one', async () => {
    const requests = [[wide], [tall, small], []].map((images, i): GenerationRequest => ({
      messages: [
        {
          role: 'user',
          content: [...images.map((image) => ({ type: 'image', image }) as const), text(`What is it? ${i}`)],
        },
      ],
      ...greedy,
    }));
    const batch = await model.generateBatch(requests);
    for (const [i, request] of requests.entries())
      expect(batch[i]!.tokenIds).toEqual((await model.generate(request).result()).tokenIds);
  });

  it('scores beams as the whole forward does', async () => {
    const messages: Message[] = [{ role: 'user', content: [{ type: 'image', image: tall }, text('What?')] }];
    const { sequences } = await model
      .generate({ messages, ...greedy, numBeams: 3, numReturnSequences: 3 })
      .result();
    const { ids } = buildPrompt(model.parts, { messages }, [tall]);
    const { inputs } = senseOf(model.model, 'image')!.processor.process([tall]);
    for (const { tokenIds, score } of sequences!) {
      const all = [...ids, ...tokenIds];
      const { data } = await model.forward({
        ...inputs,
        input_ids: { dtype: 'int64', shape: [1, all.length], data: BigInt64Array.from(all, BigInt) },
      });
      const size = data.length / all.length;
      const sum = tokenIds.reduce((total, token, i) => {
        const logits = data.subarray((ids.length + i - 1) * size, (ids.length + i) * size);
        return total + logits[token]! - Math.log(logits.reduce((mass, logit) => mass + Math.exp(logit), 0));
      }, 0);
      expect(score).toBeCloseTo(sum / tokenIds.length, 4);
    }
  });

  it('encodes each picture to as many rows as its prompt has tokens', async () => {
    const rows = await model.encodeImages([wide, small]);
    const { processor } = senseOf(model.model, 'image')!;
    const { hiddenSize } = part(model.model, 'backbone').shape;
    expect(rows.map(({ length }) => length / hiddenSize)).toEqual(
      [wide, small].map((one) => processor.place(one).tokens),
    );
  });

  it('names a picture that is too elongated, its sides, and its place', async () => {
    const messages: Message[] = [
      {
        role: 'user',
        content: [
          { type: 'image', image: small },
          { type: 'image', image: picture(1, 999, 1) },
        ],
      },
    ];
    await expect(model.generate({ messages, ...greedy }).result()).rejects.toThrow(InputError);
    await expect(model.generate({ messages, ...greedy }).result()).rejects.toThrow(
      /Picture 1 is 1 x 999 pixels/,
    );
  });
});

describe('videos', () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await load(fixture('qwen2.5-vl-video'));
  });
  afterAll(() => model.close());

  it('stand between pictures, in messages and in raw prompts, and stay in the cache', async () => {
    const chat = model.chat(greedy);
    await chat.send([{ type: 'image', image: small }, film, text('What is it?')]).result();
    const second = await chat.send([text('And '), { type: 'image', image: tall }]).result();
    expect(second.cachedTokens).toBeGreaterThan(0);
    const again = await model.generate({ messages: chat.messages.slice(0, -1), ...greedy }).result();
    expect(second.tokenIds).toEqual(again.tokenIds);
    expect(second.imageTokens).toBe(again.imageTokens);

    const messages: Message[] = [
      { role: 'user', content: [film, { type: 'image', image: small }, text('?')] },
    ];
    const written =
      '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|video_pad|><|vision_end|><|vision_start|><|image_pad|><|vision_end|>?<|im_end|>\n<|im_start|>assistant\n';
    const raw = { prompt: written, images: [small], videos: [film] };
    const prompts = [];
    for (const question of [{ messages }, raw])
      prompts.push(buildPrompt(model.parts, question, await readVisuals(question)));
    expect(prompts[0]!.ids).toEqual(prompts[1]!.ids);
    expect(prompts[0]!.positions).toEqual(prompts[1]!.positions);
    expect(prompts[0]!.pictures).toEqual([film, small]);
  });

  it('are refused without a place, and where a model sees pictures only', async () => {
    const question = { prompt: 'nothing here', videos: [film] };
    expect(() => buildPrompt(model.parts, question, [{ frames: film.frames, fps: 1 }])).toThrow(
      /0 places for videos \(<\|video_pad\|>\), but 1 videos were given[^]*video 0: 5 frames of 20 x 12 pixels/,
    );
    await expect(readVisuals({ messages: [{ role: 'user', content: [{ type: 'video' }] }] })).rejects.toThrow(
      /more video parts than the 0 videos/,
    );
    await expect(readVisuals({ messages: [], videos: [{ ...film, fps: 0 }] })).rejects.toThrow(
      /places for 0/,
    );
    const llava = await load(fixture('llava-clip'), { worker: false });
    await expect(
      llava.generate({ prompt: 'USER: hello', videos: [film], ...greedy }).result(),
    ).rejects.toThrow(/llava sees pictures only/);
    await llava.close();
  });

  it('follow the rule that the caller chooses', async () => {
    const other = await load(fixture('qwen2.5-vl-video'), {
      worker: false,
      recipe: { positionRule: 'side' },
    });
    const question: Question = { messages: [{ role: 'user', content: [film, text('?')] }] };
    const visuals = await readVisuals(question);
    const [largest, side] = [model, other].map(
      ({ parts }) => buildPrompt(parts, question, visuals).positions!,
    );
    await other.close();
    expect(largest!.axes[0]!.at(-1)).toBeGreaterThan(side!.axes[0]!.at(-1)!);
    expect(largest!.next).toBe(largest!.axes[0]!.at(-1)! + 1);
  });
});

describe('verify', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'weft-free-'));
  });
  afterAll(() => rm(root, { recursive: true }));

  it('finds the other rule for positions after a video', async () => {
    const folder = join(root, 'side');
    await cp(fixture('qwen2.5-vl-video'), folder, { recursive: true });
    const golden = await openSafetensors(join(folder, 'golden.safetensors'));
    const tensors = [];
    for (const [name, { dtype, shape }] of golden.tensors)
      tensors.push({ name, dtype, shape, data: await golden.read(name) });
    await golden.close();
    await writeSafetensors(join(folder, 'golden.safetensors'), tensors, {
      metadata: { ...golden.metadata, recipe_options: '{"positionRule":"side"}' },
    });
    const { checks } = await verify(folder);
    expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['position_ids', 'logits']),
    );
  });

  it("takes values from Mistral's own file", async () => {
    const folder = join(root, 'native');
    await cp(fixture('pixtral-native'), folder, { recursive: true });
    const params = JSON.parse(await readFile(join(folder, 'params.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(folder, 'params.json'), JSON.stringify({ ...params, rope_theta: 5 }));
    expect((await verify(folder)).checks.find(({ name }) => name === 'logits')?.ok).toBe(false);
  });
});

describe('writeModel', () => {
  it.each(['qwen2-vl-two', 'pixtral-native'])(
    'saves what it read, and the answers stay (%s)',
    async (name) => {
      const root = await mkdtemp(join(tmpdir(), 'weft-saved-'));
      const folder = fixture(name);
      const { config, preprocessor } = await readCheckpointFiles(folder);
      const model = await modelOf(config, { preprocessor });
      const weights = [];
      for (const part of ['encoder', 'connector', 'backbone'] as const)
        weights.push(...(await partWeights(folder, part, model)));
      await writeModel(root, { model, weights, preprocessor, tokenizerFrom: folder });
      const answers = [];
      for (const place of [folder, root]) {
        const loaded = await load(place, { worker: false });
        answers.push(
          (
            await loaded
              .generate({
                messages: [{ role: 'user', content: [{ type: 'image', image: wide }, text('?')] }],
                ...greedy,
              })
              .result()
          ).tokenIds,
        );
        await loaded.close();
      }
      expect(answers[1]).toEqual(answers[0]);
      await rm(root, { recursive: true });
    },
  );
});

describe('partWeights', () => {
  it('does not mix parts whose queries and keys have other orders', async () => {
    const { config, preprocessor } = await readCheckpointFiles(fixture('pixtral-hub'));
    await expect(
      partWeights(fixture('pixtral-native'), 'backbone', await modelOf(config, { preprocessor })),
    ).rejects.toThrow(/turn other channels of queries and keys together[^]*ropeInterleaved: true/);
  });
});
