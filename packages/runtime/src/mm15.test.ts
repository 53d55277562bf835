import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, modelOf } from '@weft/models';
import { senseOf, type Json, type Model, type Picture } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { writeModel } from './write-model.js';

const text = fixture('text-llama3');
const preprocessor = { image_processor_type: 'MM15ImageProcessor', min_tiles: 2, max_tiles: 4 };

/** A tiny MM1.5 with random weights around the tokenizer and the shape of a text model. */
async function tinyModel(more: Json): Promise<Model> {
  const textConfig = JSON.parse(await readFile(join(text, 'config.json'), 'utf8')) as Json;
  return modelOf(
    {
      model_type: 'mm1_5',
      vision_config: {
        hidden_size: 12,
        intermediate_size: 20,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        image_size: 28,
        patch_size: 4,
      },
      projector_config: {
        projector_type: 'c-abs',
        num_query_tokens: 9,
        hidden_size: 10,
        depth: 1,
        mlp_depth: 2,
        pos_emb: true,
        num_eos_tokens: 0,
      },
      text_config: { ...textConfig, ...more },
      image_token_id: Number(textConfig['vocab_size']) - 1,
    },
    { preprocessor },
  );
}

const picture = (seed: number, width: number, height: number): Picture => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(width * height * 3).map((_, i) => (seed * 31 + i * (seed + 7)) % 256),
});

describe.each([
  ['dense', {}],
  ['with experts in every second layer', { num_experts: 3, expert_layer_period: 2 }],
] as const)('an MM1.5 of random weights, %s', (_name, more) => {
  let folder: string;
  let model: LoadedModel;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weft-mm15-'));
    const made = await tinyModel(more);
    // A norm of the weights at which pictures change what is said.
    const weights = initialWeights(made.module, 5, (_path, { shape, initializer }) =>
      initializer.kind === 'normal' && shape.length > 1 ? { kind: 'normal', std: 0.25 } : initializer,
    );
    await writeModel(folder, { model: made, weights, tokenizerFrom: text, preprocessor });
    model = await load(folder);
  });
  afterAll(async () => {
    await model.close();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = (images: readonly Picture[], question = 'Where is it?') =>
    model
      .generate({
        prompt: `${images.map(() => '<image>').join('')}${question}`,
        images,
        doSample: false,
        maxNewTokens: 8,
      })
      .result();

  it('answers about pictures, each view on nine tokens', async () => {
    const wide = await ask([picture(1, 60, 30)]);
    // A row of two tiles and the whole.
    expect(wide.imageTokens).toBe(3 * 9);
    expect(wide.generatedTokens).toBeGreaterThan(0);
    expect((await ask([picture(2, 50, 50)])).imageTokens).toBe(5 * 9);
    const again = await ask([picture(1, 60, 30)]);
    expect(again.tokenIds).toEqual(wide.tokenIds);
  });

  it('sees what is in a picture', async () => {
    const inputs = async (image: Picture) => {
      const { inputs: pixels, images } = senseOf(model.model, 'image')!.processor.process([image]);
      const ids = model.tokenizer.encode(`${images[0]!.prompt}Where?`, { addSpecialTokens: true });
      const data = BigInt64Array.from(ids, BigInt);
      return { ...pixels, input_ids: { dtype: 'int64' as const, shape: [1, ids.length], data } };
    };
    const [a, b] = [
      await model.forward(await inputs(picture(1, 60, 30))),
      await model.forward(await inputs(picture(9, 60, 30))),
    ];
    const difference = a.data.reduce<number>(
      (most, x, i) => Math.max(most, Math.abs(Number(x) - Number(b.data[i]))),
      0,
    );
    expect(difference).toBeGreaterThan(0.01);
  });

  it('shows three pictures whole, and two in tiles', async () => {
    const pictures = [picture(1, 60, 30), picture(2, 30, 60), picture(3, 40, 40)];
    expect((await ask(pictures.slice(0, 2))).imageTokens).toBe(2 * 3 * 9);
    expect((await ask(pictures)).imageTokens).toBe(3 * 9);
  });

  it('cuts the pictures of a chat again when the third comes, as if all had been there at once', async () => {
    const options = { doSample: false, maxNewTokens: 4 };
    const chat = model.chat(options);
    const images = [picture(1, 60, 30), picture(2, 30, 60), picture(3, 40, 40)];
    await chat.send('Look.', { images: images.slice(0, 2) }).result();
    const messages = [
      ...chat.messages,
      {
        role: 'user' as const,
        content: [
          { type: 'image' as const, image: images[2]! },
          { type: 'text' as const, text: 'And now?' },
        ],
      },
    ];
    const turn = await chat.send('And now?', { images: images.slice(2) }).result();
    expect(turn.imageTokens).toBe(3 * 9);
    const fresh = await model.generate({ messages, ...options }).result();
    expect(turn.tokenIds).toEqual(fresh.tokenIds);
  });
});
