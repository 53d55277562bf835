import { ConfigError, WeftError, WeightError } from '@weft/errors';
import { checkThreads } from '@weft/runtime';
import type { Model } from '@weft/spec';
import { collate, type Batch } from './batch.js';
import type { TrainingExample } from './training-example.js';
import { sampleIndex, type Dataset } from './dataset.js';
import { listParameters } from './describe.js';
import type { Metric } from './metric.js';
import { appendMetric, openMetrics, writeLossPlot } from './metrics.js';
import { Optimizer } from './optimizer.js';
import { loadRunState, runKey, saveRunState, type RunState } from './run-state.js';
import { planStage, type Stage } from './stage.js';

export interface StageRun {
  readonly stage: Stage;
  readonly data: Dataset;
}

export interface FitOptions {
  readonly model: Model;
  /** Values of all parameters by path before the first stage. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly stages: readonly StageRun[];
  /** Folder for the state, `metrics.jsonl` and `loss.svg`. A run in it goes on where it stopped. */
  readonly folder: string;
  readonly seed: number;
  /** Held-out samples, and the updates between two looks at them. */
  readonly evaluation?: { readonly data: Dataset; readonly samples: number; readonly every: number };
  /** Updates between two saved states. Default 200. */
  readonly saveEvery?: number;
  /** Threads of ONNX Runtime, at most as many as the machine has processors; the physical cores unless given. */
  readonly threads?: number;
  readonly onMetric?: (metric: Metric, stage: Stage) => void;
  /** Stops after the update in progress; the state is saved. */
  readonly signal?: AbortSignal;
}

/**
 * Trains a model through its stages and returns the weights.
 *
 * The same options give the same bits, also when the run is stopped and goes on.
 *
 * @throws ConfigError if a weight is missing, or the folder holds another run, or one of another model
 * @throws InputError if there are more threads than processors
 * @throws FileError if the folder cannot be written
 * @throws WeftError with the code `WEFT_ABORTED` after the signal
 */
export async function fit(options: FitOptions): Promise<Map<string, Float32Array>> {
  const { model, stages, folder, seed } = options;
  checkThreads(options.threads, 'fit');
  const parameters = listParameters(model);
  const weights = new Map(
    parameters.map(({ path, shape }) => {
      const data = options.weights.get(path);
      if (!data) throw new ConfigError({ message: `There are no values for the parameter '${path}'.` });
      return [path, { shape, data }] as const;
    }),
  );
  const key = await runKey(
    model,
    stages.map((run) => run.stage),
    seed,
  );
  let state: RunState | null = await loadRunState(folder, key);
  for (const [path, value] of state?.weights ?? []) {
    const shape = weights.get(path)?.shape;
    if (shape?.join() !== value.shape.join())
      throw new WeightError({
        message: `The state has the weight '${path}' of the shape [${value.shape.join(', ')}], expected ${shape ? `[${shape.join(', ')}]` : 'no such weight'}.`,
        where: folder,
        hint: 'The state was changed, or is that of another model. Use an empty folder.',
      });
    weights.set(path, value);
  }
  const begun = state ?? { stage: 0, step: 0 };
  const names = stages.map((run) => run.stage.name);
  const metrics = await openMetrics(folder, ({ stage, step }) => {
    const index = names.indexOf(stage);
    return index < begun.stage || (index === begun.stage && step <= begun.step);
  });
  const changed = new Set(state?.weights.keys());

  for (let index = state?.stage ?? 0; index < stages.length; index++) {
    const { stage, data } = stages[index]!;
    const planned = planStage(stage, parameters);
    for (const { path } of planned) changed.add(path);
    const optimizer = new Optimizer({
      model,
      stage,
      planned,
      weights,
      moments: state?.moments,
      step: state?.step,
      threads: options.threads,
    });
    state = null;
    const draw = batchSource(model, stage, data, seed + index);

    const save = async (stageNumber: number) => {
      for (const [path, values] of optimizer.weights())
        weights.set(path, { ...weights.get(path)!, data: values });
      const learnt = new Map([...weights].filter(([path]) => changed.has(path)));
      const over = stageNumber > index;
      await saveRunState(folder, key, {
        stage: stageNumber,
        step: over ? 0 : optimizer.step,
        weights: learnt,
        moments: over ? new Map() : optimizer.moments(),
      });
      await writeLossPlot(folder, metrics);
    };

    try {
      let next = optimizer.step < stage.steps ? draw(optimizer.step) : null;
      let held: Batch[] | null = null;
      while (next) {
        const batches = await next;
        const isLast = optimizer.step + 1 >= stage.steps;
        // Samples of the next update are made while this one runs, where the data set has workers.
        next = isLast ? null : draw(optimizer.step + 1);
        const begin = performance.now();
        const report = await optimizer.update(batches);
        const milliseconds = performance.now() - begin;
        let evaluation: number | undefined;
        if (options.evaluation && (isLast || optimizer.step % options.evaluation.every === 0)) {
          held ??= await heldOut(model, stage, options.evaluation);
          evaluation = await meanLoss(optimizer, held);
        }
        const { loss, gradientNorms, learningRates, tokens } = report;
        const metric: Metric = {
          stage: stage.name,
          step: optimizer.step,
          loss,
          gradientNorms,
          learningRates,
          tokens,
          milliseconds,
          ...(evaluation === undefined ? {} : { evaluation }),
        };
        if (!Number.isFinite(loss))
          throw new WeftError('WEFT_DIVERGED', {
            message: `The loss is ${loss} at update ${optimizer.step}.`,
            where: `stage '${stage.name}'`,
            hint: 'Lower the learning rate or lengthen the warm-up; the last saved state is intact.',
          });
        metrics.push(metric);
        await appendMetric(folder, metric);
        options.onMetric?.(metric, stage);
        const stop = options.signal?.aborted ?? false;
        if (!isLast && (stop || optimizer.step % (options.saveEvery ?? 200) === 0)) await save(index);
        if (stop && !isLast) {
          await next;
          throw new WeftError('WEFT_ABORTED', {
            message: `Stopped after update ${optimizer.step}.`,
            where: `stage '${stage.name}'`,
          });
        }
      }
      await save(index + 1);
    } finally {
      await optimizer.release();
    }
  }
  return new Map([...weights].map(([path, { data }]) => [path, data]));
}

/**
 * The batches of each update of a stage, by its number from 0. They depend on the seed and the number only, so a run
 * goes on anywhere.
 */
function batchSource(
  model: Model,
  stage: Stage,
  data: Dataset,
  seed: number,
): (update: number) => Promise<Batch[]> {
  const { batchSize, accumulate = 1, lengthWindow = 1 } = stage;
  const perUpdate = batchSize * accumulate;
  let drawn: { readonly window: number; readonly examples: Promise<TrainingExample[]> } | null = null;
  const draw = async (window: number): Promise<TrainingExample[]> => {
    const first = window * perUpdate * lengthWindow;
    const indices = Array.from({ length: perUpdate * lengthWindow }, (_, i) =>
      sampleIndex(data.size, seed, first + i),
    );
    const examples = await Promise.all(indices.map((i) => data.example(i)));
    return lengthWindow === 1 ? examples : examples.toSorted((a, b) => a.inputIds.length - b.inputIds.length);
  };
  return async (update) => {
    const window = Math.floor(update / lengthWindow);
    if (drawn?.window !== window) drawn = { window, examples: draw(window) };
    // Short and long batches alternate by lot, so that no window begins with all of the short ones.
    const slot = sampleIndex(lengthWindow, seed + window, update % lengthWindow);
    const examples = (await drawn.examples).slice(slot * perUpdate, (slot + 1) * perUpdate);
    return Array.from({ length: accumulate }, (_, i) =>
      collate(examples.slice(i * batchSize, (i + 1) * batchSize), model),
    );
  };
}

async function heldOut(
  model: Model,
  stage: Stage,
  { data, samples }: NonNullable<FitOptions['evaluation']>,
): Promise<Batch[]> {
  const examples = await Promise.all(
    Array.from({ length: Math.min(samples, data.size) }, (_, i) => data.example(i)),
  );
  const batches: Batch[] = [];
  for (let i = 0; i < examples.length; i += stage.batchSize)
    batches.push(collate(examples.slice(i, i + stage.batchSize), model));
  return batches;
}

async function meanLoss(optimizer: Optimizer, batches: readonly Batch[]): Promise<number> {
  let [loss, targets] = [0, 0];
  for (const batch of batches) {
    loss += await optimizer.loss(batch);
    targets += batch.targets;
  }
  return loss / Math.max(1, targets);
}
