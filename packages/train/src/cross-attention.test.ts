import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namedParameters, type TensorData } from '@weft/graph';
import { initialWeights, modelOf } from '@weft/models';
import { load, type LoadedModel } from '@weft/runtime';
import { loadChatTemplate } from '@weft/text';
import { senseOf, type Json, type Model, type Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { composed, crossed } from '../test/composed.js';
import { openFixture } from '../test/fixture.js';
import { collate, ignored } from './batch.js';
import type { TrainingExample } from './training-example.js';
import type { Dataset } from './dataset.js';
import { describeStage, listParameters } from './describe.js';
import { fit } from './fit.js';
import { Optimizer } from './optimizer.js';
import { sftExample } from './sft.js';
import { planStage, type Stage } from './stage.js';

const stage: Stage = {
  name: 'adapt',
  trainable: ['connector', 'fusion'],
  steps: 40,
  batchSize: 4,
  learningRate: 3e-2,
  weightDecay: 0,
};

describe('training by cross-attention', () => {
  /** The answer is the picture's colour; every fourth sample is text, from which nothing is asked. */
  const data = (model: Model): Dataset => ({
    size: 16,
    example: (index): TrainingExample => {
      if (index % 4 === 3) return { inputIds: [1, 2, 3], labels: [ignored, ignored, ignored], images: null };
      const colour = index % 2;
      const pixels = new Uint8Array(8 * 8 * 3).fill(colour * 255);
      const picture: Picture = { width: 8, height: 8, channels: 3, data: pixels };
      const { inputs, images } = senseOf(model, 'image')!.processor.process([picture]);
      const marks = Array.from({ length: images[0]!.tokens }, () => 19);
      const inputIds = [1, ...marks, 2, 10 + colour];
      const labels = inputIds.map((id) => (id >= 10 && id < 19 ? id : ignored));
      return { inputIds, labels, images: inputs, placements: images };
    },
  });

  it('changes the connector and the new layers alone, and learns what is in the picture', async () => {
    const model = await composed(crossed);
    const weights = initialWeights(model.module, 3);
    // A frozen head must be able to be sure.
    for (const [path, values] of weights)
      if (path.endsWith('lm_head.weight'))
        weights.set(
          path,
          values.map((value) => 40 * value),
        );
    const folder = await mkdtemp(join(tmpdir(), 'weft-cross-train-'));
    try {
      const losses: number[] = [];
      const trained = await fit({
        model,
        weights,
        stages: [{ stage, data: data(model) }],
        folder,
        seed: 1,
        threads: 1,
        onMetric: ({ loss }) => losses.push(loss),
      });
      expect(losses.at(-1)).toBeLessThan(losses[0]! / 10);
      const changed = new Set(
        listParameters(model).flatMap(({ path, part }) =>
          trained.get(path)!.some((value, i) => value !== weights.get(path)![i]) ? [part] : [],
        ),
      );
      expect([...changed].sort()).toEqual(['connector', 'fusion']);
      expect(
        Math.abs(trained.get('language_model.model.cross_attn_layers.0.cross_attn_attn_gate')![0]!),
      ).toBeGreaterThan(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('goes over batches of text, which say nothing about what learns', async () => {
    const model = await composed(crossed);
    const values = new Map(
      [...initialWeights(model.module, 3)].map(([path, values]) => [
        path,
        { shape: namedParameters(model.module).get(path)!.shape, data: values },
      ]),
    );
    const optimizer = new Optimizer({
      model,
      stage,
      planned: planStage(stage, listParameters(model)),
      weights: values,
      threads: 1,
    });
    const text = collate([{ inputIds: [1, 2, 3], labels: [ignored, 2, 3], images: null }], model);
    const { gradientNorms } = await optimizer.update([text]);
    expect(Object.values(gradientNorms).every((norm) => norm === 0)).toBe(true);
    await optimizer.release();
  });

  it('names the new layers as a part of their own', async () => {
    const text = describeStage(await composed(crossed), stage);
    expect(text).toMatch(/^backbone +[\d,]+ +0 +frozen/m);
    expect(text).toMatch(/^fusion +([\d,]+) +\1 +trainable/m);
    const merged = await modelOf((await modelOf({ model_type: 'mllama', image_token_index: 128256 })).config);
    const parts = new Map(listParameters(merged).map(({ path, part }) => [path, part]));
    expect(parts.get('language_model.model.layers.3.mlp.up_proj.weight')).toBe('fusion');
    expect(parts.get('language_model.model.layers.4.mlp.up_proj.weight')).toBe('backbone');
  });
});

/** Mean cross-entropy of the supervised tokens from the logits of the model that runs. */
async function lossByForward(
  model: LoadedModel,
  { inputIds, labels }: TrainingExample,
  pictures: Json,
): Promise<number> {
  const ids = BigInt64Array.from(inputIds, BigInt);
  const { data, shape } = await model.forward({
    input_ids: { dtype: 'int64', shape: [1, ids.length], data: ids },
    ...(pictures as Readonly<Record<string, TensorData>>),
  });
  const size = shape[2];
  let sum = 0;
  for (const [at, label] of labels.slice(1).entries()) {
    if (label === ignored) continue;
    const logits = data.subarray(at * size, (at + 1) * size);
    const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
    sum +=
      Math.log(logits.reduce((total, logit) => total + Math.exp(logit - most), 0)) + most - logits[label]!;
  }
  return sum;
}

describe.each(['mllama-apart', 'nvlm-x', 'nvlm-h'])('the loss of %s', (name) => {
  it('is the one of the logits, sample by sample and in a batch', async () => {
    const { folder, weights } = await openFixture(name);
    const loaded = await load(folder, { worker: false });
    const { model, tokenizer } = loaded;
    const tools = { model, tokenizer, chatTemplate: await loadChatTemplate(folder) };
    const picture = (width: number, height: number): Picture => ({
      width,
      height,
      channels: 3,
      data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37) % 251),
    });
    const image = { type: 'image' } as const;
    const text = (words: string) => ({ type: 'text', text: words }) as const;
    const samples = [
      { content: [image, text('A star?')], images: [picture(40, 17)] },
      {
        content: [text('See '), image, text(' or '), image, text('?')],
        images: [picture(16, 16), picture(15, 44)],
      },
    ];
    const learn: Stage = { ...stage, trainable: ['fusion'] };
    const optimizer = new Optimizer({
      model,
      stage: learn,
      planned: planStage(learn, listParameters(model)),
      weights,
      threads: 1,
    });
    try {
      const examples: TrainingExample[] = [];
      const expected: number[] = [];
      for (const { content, images } of samples) {
        const example = await sftExample({
          ...tools,
          messages: [
            { role: 'user', content },
            { role: 'assistant', content: 'It is red.' },
          ],
          images,
        });
        const { inputs, images: placed } = senseOf(model, 'image')!.processor.process(images);
        const counts = BigInt64Array.from(placed, ({ tiles }) => BigInt(tiles));
        const shape = [1, counts.length];
        const tiles = name.startsWith('nvlm') ? { num_tiles: { dtype: 'int64', shape, data: counts } } : {};
        expected.push(await lossByForward(loaded, example, { ...inputs, ...tiles }));
        examples.push(example);
        expect(await optimizer.loss(collate([example], model))).toBeCloseTo(expected.at(-1)!, 3);
      }
      const together = await optimizer.loss(collate(examples, model));
      expect(together).toBeCloseTo(expected[0]! + expected[1]!, 3);
    } finally {
      await Promise.all([optimizer.release(), loaded.close()]);
    }
  });
});
