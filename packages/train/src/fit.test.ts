import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '@weft/errors';
import { isModule, module, mul, type AnyModule, type Value } from '@weft/graph';
import { initialWeights, mapModel, modelOf } from '@weft/models';
import { collate } from './batch.js';
import type { TrainingExample } from './training-example.js';
import type { Dataset } from './dataset.js';
import { describeStage, listParameters } from './describe.js';
import { fit, type FitOptions } from './fit.js';
import { Optimizer } from './optimizer.js';
import { planStage, type Stage } from './stage.js';

const model = await modelOf(
  {
    model_type: 'llava',
    image_token_index: 1,
    vision_feature_layer: -1,
    vision_feature_select_strategy: 'full',
    vision_config: {
      model_type: 'siglip_vision_model',
      hidden_size: 12,
      intermediate_size: 20,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      image_size: 14,
      patch_size: 7,
      vision_use_head: false,
    },
    text_config: {
      model_type: 'llama',
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      vocab_size: 30,
    },
  },
  { preprocessor: { image_processor_type: 'SiglipImageProcessor', size: { height: 14, width: 14 } } },
);
const weights = initialWeights(model.module, 3);

/** Samples of different lengths; every third has no picture. */
const data: Dataset = {
  size: 12,
  example: (index): TrainingExample => {
    const text = Array.from({ length: 3 + (index % 4) }, (_, i) => 2 + ((index * 5 + i * 3) % 28));
    if (index % 3 === 0) return { inputIds: text, labels: text, images: null };
    const pixels = Float32Array.from({ length: 3 * 14 * 14 }, (_, i) => Math.sin(index + i));
    return {
      inputIds: [1, 1, 1, 1, ...text],
      labels: [-100, -100, -100, -100, ...text],
      images: { pixel_values: { dtype: 'float32', shape: [1, 3, 14, 14], data: pixels } },
    };
  },
};

const align: Stage = {
  name: 'align',
  trainable: ['connector'],
  steps: 3,
  batchSize: 3,
  learningRate: 1e-2,
  lengthWindow: 2,
};
const tune: Stage = {
  name: 'tune',
  trainable: ['connector', 'backbone'],
  steps: 4,
  batchSize: 2,
  accumulate: 2,
  learningRate: 1e-2,
  warmupSteps: 1,
  weightDecay: 0.1,
  muon: ['**.self_attn.*.weight'],
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-fit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = (name: string, changes: Partial<FitOptions> = {}): FitOptions => ({
  model,
  weights,
  stages: [align, tune].map((stage) => ({ stage, data })),
  folder: join(folder, name),
  seed: 11,
  threads: 1,
  ...changes,
});

describe('fit', () => {
  it('goes on from a stopped run with the same bits', async () => {
    const whole = await fit(options('whole'));
    for (const stopAt of [2, 3, 5]) {
      const stop = new AbortController();
      let updates = 0;
      const onMetric = () => {
        if (++updates === stopAt) stop.abort();
      };
      const name = `stopped-${stopAt}`;
      const first = fit(options(name, { signal: stop.signal, onMetric }));
      // The last update of a stage ends it whole; the signal then acts in the next one.
      await expect(first).rejects.toMatchObject({ code: 'WEFT_ABORTED' });
      const resumed = await fit(options(name));
      for (const [path, values] of whole)
        expect(Buffer.from(resumed.get(path)!.buffer).equals(Buffer.from(values.buffer)), path).toBe(true);
      const lines = (await readFile(join(folder, name, 'metrics.jsonl'), 'utf8')).trim().split('\n');
      expect(
        lines
          .map((line) => JSON.parse(line) as { stage: string; step: number })
          .map((m) => `${m.stage} ${m.step}`),
      ).toEqual([...[1, 2, 3].map((step) => `align ${step}`), ...[1, 2, 3, 4].map((step) => `tune ${step}`)]);
    }
  });

  it('leaves frozen parameters as they were and changes every other', async () => {
    const trained = await fit(options('frozen'));
    for (const { path, part } of listParameters(model)) {
      const same = Buffer.from(trained.get(path)!.buffer).equals(Buffer.from(weights.get(path)!.buffer));
      expect(same, path).toBe(part === 'encoder');
    }
  });

  it('lowers the loss, measures held-out samples, and leaves one state, the metrics and a plot', async () => {
    const losses: number[] = [];
    const long = { ...tune, steps: 40 };
    await fit(
      options('long', {
        stages: [{ stage: long, data }],
        evaluation: { data, samples: 4, every: 20 },
        onMetric: (m) => losses.push(m.loss),
      }),
    );
    expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.5);
    const files = await readdir(join(folder, 'long'));
    expect(files.filter((file) => file.endsWith('.safetensors'))).toEqual(['state-1-0.safetensors']);
    expect(await readFile(join(folder, 'long', 'loss.svg'), 'utf8')).toMatch(/^<svg[\s\S]*<circle/);
  });

  it('refuses the folder of another run', async () => {
    await fit(options('mine', { stages: [{ stage: align, data }] }));
    await expect(
      fit(options('mine', { stages: [{ stage: { ...align, learningRate: 1 }, data }] })),
    ).rejects.toThrow(/other stages or another seed/);
  });

  it('refuses the folder of a run of another model, though it has the same parameters', async () => {
    const stages = [{ stage: { ...align, steps: 1 }, data }];
    const trained = await fit(options('model', { stages }));
    const changed = mapModel(model, (one, path) => {
      if (!isModule(one) || !path.endsWith('.mlp')) return one;
      const base = one as AnyModule & ((x: Value) => Value);
      return module('Dampened', { base }, (m, x: Value) => mul(m.base(x), 0.1), { paths: { base: '' } });
    });
    const other = fit(options('model', { stages, model: changed }));
    await expect(other).rejects.toThrow(ConfigError);
    await expect(other).rejects.toThrow(/a run of another model/);
    expect(await fit(options('model', { stages }))).toEqual(trained);
  });

  it('goes on from a run of a version that did not note the model', async () => {
    const stages = [{ stage: { ...align, steps: 1 }, data }];
    const trained = await fit(options('old', { stages }));
    const file = join(folder, 'old', 'run.json');
    const { model: _, ...pointer } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    await writeFile(file, JSON.stringify(pointer));
    expect(await fit(options('old', { stages }))).toEqual(trained);
  });

  it('reads past a metrics line that a crash cut short', async () => {
    await fit(options('cut', { stages: [{ stage: align, data }] }));
    const file = join(folder, 'cut', 'metrics.jsonl');
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text}{"stage":"al`);
    await fit(options('cut', { stages: [{ stage: align, data }] }));
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('tells where a loss that is not a number came from', async () => {
    const wild = { ...align, learningRate: 1e30, maxGradientNorm: null, steps: 6 };
    await expect(fit(options('wild', { stages: [{ stage: wild, data }] }))).rejects.toThrow(
      /The loss is (NaN|Infinity)[\s\S]*stage 'align'/,
    );
  });
});

describe('gradients of several passes', () => {
  it('equal those of one pass with all samples, though they hold different numbers of tokens', async () => {
    const parameters = listParameters(model);
    const planned = planStage(tune, parameters);
    const start = () =>
      new Map(parameters.map(({ path, shape }) => [path, { shape, data: weights.get(path)! }]));
    const examples = [1, 2, 4, 5].map((i) => data.example(i) as TrainingExample);
    const [one, two] = [1, 2].map(
      () => new Optimizer({ model, stage: tune, planned, weights: start(), threads: 1 }),
    ) as [Optimizer, Optimizer];
    const together = await one.update([collate(examples, model)]);
    const apart = await two.update([collate(examples.slice(0, 1), model), collate(examples.slice(1), model)]);
    expect(apart.targets).toBe(together.targets);
    expect(apart.loss).toBeCloseTo(together.loss, 5);
    expect(apart.gradientNorms['all']!).toBeCloseTo(together.gradientNorms['all']!, 4);
    await Promise.all([one.release(), two.release()]);
  });
});

describe('the table of a stage', () => {
  it('shows what learns', () => {
    const text = describeStage(model, tune);
    expect(text).toMatch(/encoder\s+[\d,]+\s+0\s+frozen/);
    expect(text).toMatch(/connector\s+([\d,]+)\s+\1\s+trainable\s+1\.0e-2/);
  });
});
