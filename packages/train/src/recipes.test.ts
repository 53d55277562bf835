import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readPictures } from '@weft/runtime';
import { senseOf, type ImagePlacement, type Model } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { goldenImages, openFixture, readJson, type TrainingFixture } from '../test/fixture.js';
import { collate } from './batch.js';
import { listParameters } from './describe.js';
import { Optimizer } from './optimizer.js';
import { planStage, type Stage } from './stage.js';
import type { TrainingExample } from './training-example.js';

/** A gradient of PyTorch's: its largest number, some of its numbers, and a sum of all with fixed signs. */
interface GoldenGradient {
  readonly shape: readonly number[];
  readonly largest: number;
  readonly sum: number;
  readonly places: readonly number[];
  readonly values: readonly number[];
}

interface GoldenBatch {
  readonly samples: readonly { readonly ids: readonly number[]; readonly labels: readonly number[] }[];
  readonly loss: number;
  /** By the names of the checkpoint's tensors. */
  readonly gradients: Readonly<Record<string, GoldenGradient>>;
}

const golden = new URL('./__fixtures__/sft/', import.meta.url);
const names = (await readdir(golden)).map((file) => file.replace(/\.json$/, '')).toSorted();

/** Everything learns. */
const everything = (model: Model): Stage => ({
  name: 'all',
  trainable: [...new Set(listParameters(model).map(({ part }) => part))],
  steps: 1,
  batchSize: 2,
  learningRate: 1e-3,
});

/** Placements of the folder's pictures, for models that see them by cross-attention. */
async function placementsOf(folder: string, model: Model): Promise<readonly ImagePlacement[] | undefined> {
  const sense = senseOf(model, 'image');
  if (!sense?.cross) return undefined;
  const files = (await readdir(folder)).filter((name) => /^image-\d+\.png$/.test(name)).toSorted();
  const images = files.map((name) => join(folder, name));
  return sense.processor.process(await readPictures({ prompt: '', images })).images;
}

const signAt = (index: number): number => ((index * index + 3 * index) % 7 < 3 ? 1 : -1);

/** Gradients put together again as the checkpoint's tensors are, of which parameters may be pieces. */
function byTensor(
  { places }: TrainingFixture,
  gradients: ReadonlyMap<string, { readonly data: unknown }>,
  sizes: Readonly<Record<string, number>>,
): ReadonlyMap<string, Float64Array> {
  const tensors = new Map<string, Float64Array>();
  for (const [path, { tensor, start }] of places) {
    const whole = tensors.get(tensor) ?? new Float64Array(sizes[tensor]!);
    tensors.set(tensor, whole);
    const gradient = gradients.get(path);
    if (gradient) whole.set(gradient.data as Float32Array, start);
  }
  return tensors;
}

describe.each(names)('a batch of %s', (name) => {
  it("has PyTorch's loss and every gradient of it", async () => {
    const { samples, loss, gradients } = await readJson<GoldenBatch>(new URL(`${name}.json`, golden));
    const opened = await openFixture(name);
    const { model, folder, weights } = opened;
    const images = await goldenImages(folder);
    const placements = await placementsOf(folder, model);
    const examples = samples.map(({ ids, labels }): TrainingExample => ({
      inputIds: ids,
      labels,
      images,
      placements,
    }));
    const stage = everything(model);
    const planned = planStage(stage, listParameters(model));
    const optimizer = new Optimizer({ model, stage, planned, weights, threads: 1 });
    try {
      const batch = collate(examples, model);
      const found = await optimizer.gradients([batch]);
      expect(Math.abs(found.loss - loss) / loss).toBeLessThan(1e-5);
      expect(await optimizer.loss(batch)).toBeCloseTo(found.loss, 3);

      const sizes = Object.fromEntries(
        Object.entries(gradients).map(([key, { shape }]) => [key, shape.reduce((a, b) => a * b, 1)]),
      );
      const differences: string[] = [];
      for (const [key, own] of byTensor(opened, found.gradients, sizes)) {
        const { largest, sum, places, values } = gradients[key]!;
        // Of the mean loss, as training takes it.
        const bound = 1e-4 * (largest / batch.targets) + 1e-6;
        const compare = (what: string, mine: number, theirs: number): void => {
          const apart = Math.abs(mine - theirs) / batch.targets;
          if (!(apart <= bound)) differences.push(`${key} ${what}: ${mine}, expected ${theirs}`);
        };
        for (const [i, place] of places.entries()) compare(`at ${place}`, own[place]!, values[i]!);
        compare(
          'largest',
          own.reduce((most, x) => Math.max(most, Math.abs(x)), 0),
          largest,
        );
        compare('sum', own.reduce((total, x, i) => total + x * signAt(i), 0) / Math.sqrt(own.length), sum);
      }
      expect(differences).toEqual([]);
      const learnt = Object.values(gradients).filter(({ largest }) => largest > 0);
      expect(learnt.length).toBeGreaterThan(Object.keys(gradients).length / 2);
    } finally {
      await optimizer.release();
    }
  });
});
