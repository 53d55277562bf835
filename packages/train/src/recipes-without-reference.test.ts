import { differentiate, gradientName } from '@weft/autodiff';
import { relabel, substitute, type Graph } from '@weft/graph';
import { trainingGraph, visionGraph } from '@weft/models';
import type { Model, Picture } from '@weft/spec';
import { interpreter, randomNumbers, type Tensor, type Tensors } from '@weft/testing';
import { loadChatTemplate, loadTokenizer } from '@weft/text';
import { describe, expect, it } from 'vitest';
import { openFixture, type TrainingFixture } from '../test/fixture.js';
import { collate } from './batch.js';
import { listParameters } from './describe.js';
import { Optimizer } from './optimizer.js';
import type { Feeds } from './ort.js';
import { sftExample } from './sft.js';
import { planStage, type Stage } from './stage.js';
import type { TrainingExample } from './training-example.js';

const picture = (width: number, height: number): Picture => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37 + width) % 251),
});

/** Two conversations, each about a picture of another shape. */
async function examplesOf({ folder, model }: TrainingFixture): Promise<TrainingExample[]> {
  const tokenizer = await loadTokenizer(folder, {
    placeholders: model.senses.map(({ placeholder }) => placeholder),
  });
  const chatTemplate = model.prompt.chatTemplate ?? (await loadChatTemplate(folder));
  const conversations = [
    { asked: 'A star?', answer: 'It is red.', image: picture(40, 17) },
    { asked: 'And?', answer: 'No.', image: picture(15, 44) },
  ];
  return Promise.all(
    conversations.map(({ asked, answer, image }) =>
      sftExample({
        model,
        tokenizer,
        chatTemplate,
        messages: [
          { role: 'user', content: asked },
          { role: 'assistant', content: answer },
        ],
        images: [image],
      }),
    ),
  );
}

const numbersOf = (feeds: Feeds): Tensors =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { dims, data }]) => [
      name,
      { shape: dims, data: Float64Array.from(data as Float32Array, Number) },
    ]),
  );

/** The whole model as one graph, from pixels to the loss; of one sample where pictures differ in shape. */
function wholeGraph(model: Model, areSeen: boolean): Graph {
  const text = trainingGraph(model, { images: true, areSeen });
  if (!areSeen) return text;
  const embeds = visionGraph(model).outputs['image_embeds']!;
  return substitute(text, { image_embeds: relabel(embeds, text.inputs.get('image_embeds')!.shape) });
}

describe.each(['mm1.5-two', 'molmo-portrait', 'molmoe-odd', 'nvlm-d', 'nvlm-h', 'nvlm-x'])(
  'a batch of %s, of which there is no reference that trains',
  (name) => {
    it('has the gradients of the whole graph in double precision, and those are finite differences', async () => {
      const opened = await openFixture(name);
      const { model, weights } = opened;
      const parameters = listParameters(model);
      const stage: Stage = {
        name: 'all',
        trainable: [...new Set(parameters.map(({ part }) => part))],
        steps: 1,
        batchSize: 2,
        learningRate: 1e-3,
      };
      const planned = planStage(stage, parameters);
      const optimizer = new Optimizer({ model, stage, planned, weights, threads: 1 });
      try {
        const examples = await examplesOf(opened);
        const batch = collate(examples, model);
        const { loss, gradients } = await optimizer.gradients([batch]);

        const graph = wholeGraph(model, batch.runs.length > 0);
        const wanted = [...graph.parameters.keys()];
        expect([...gradients.keys()].toSorted()).toEqual(wanted.toSorted());
        const samples = examples.map((example) => {
          const { feeds, runs } = collate([example], model);
          return numbersOf({ ...feeds, ...runs[0] });
        });
        const backward = interpreter(differentiate(graph, 'loss', wanted));
        const start = Object.fromEntries(
          [...weights].map(([path, { shape, data }]): [string, Tensor] => [
            path,
            { shape, data: Float64Array.from(data) },
          ]),
        );
        const results = samples.map((sample) => backward(sample, start));
        const sumOf = (key: string, at = 0): number =>
          results.reduce((sum, result) => sum + result[key]!.data[at]!, 0);
        expect(Math.abs(loss / sumOf('loss') - 1)).toBeLessThan(1e-5);

        const differences: string[] = [];
        const directions = new Map<string, Float64Array>();
        const next = randomNumbers(5);
        let slope = 0;
        for (const path of wanted) {
          const exact = start[path]!.data.map((_, i) => sumOf(gradientName(path), i) / batch.targets);
          const largest = exact.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
          const own = gradients.get(path)!.data as Float32Array;
          const worst = exact.reduce(
            (most, x, i) => Math.max(most, Math.abs(own[i]! / batch.targets - x)),
            0,
          );
          if (!(worst <= 1e-4 * largest + 1e-6)) differences.push(`${path}: ${worst} of ${largest}`);
          // Tensors of small gradients move further, so that each of them counts in the slope.
          const size = 1 / (Math.sqrt(exact.length) * Math.max(largest, 1e-2));
          directions.set(
            path,
            exact.map(() => (next() < 0.5 ? -size : size)),
          );
          slope += exact.reduce((sum, x, i) => sum + x * directions.get(path)![i]!, 0);
        }
        expect(differences).toEqual([]);

        const forward = interpreter(graph);
        const lossAt = (step: number): number => {
          const moved = Object.fromEntries(
            Object.entries(start).map(([path, { shape, data }]): [string, Tensor] => [
              path,
              { shape, data: data.map((x, i) => x + step * (directions.get(path)?.[i] ?? 0)) },
            ]),
          );
          return (
            samples.reduce((sum, sample) => sum + forward(sample, moved)['loss']!.data[0]!, 0) / batch.targets
          );
        };
        const step = 1e-6;
        const difference = (lossAt(step) - lossAt(-step)) / (2 * step);
        expect(Math.abs(difference - slope)).toBeLessThan(1e-5 * Math.max(1, Math.abs(slope)));
      } finally {
        await optimizer.release();
      }
    });
  },
);
