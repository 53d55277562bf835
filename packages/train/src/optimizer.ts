import { momentNames, nextName, stateNames, updateGraph, updateScalars } from '@weft/autodiff';
import { WeightError } from '@weft/errors';
import { emitModel } from '@weft/onnx';
import type { Model } from '@weft/spec';
import type { Tensor } from 'onnxruntime-common';
import type { Batch } from './batch.js';
import { Gradients } from './gradients.js';
import { openProgram, scalar, tensor, zeros, type Feeds, type Program } from './ort.js';
import { scheduleFactor, type PlannedParameter, type Stage } from './stage.js';

/** What one update reports. */
export interface UpdateReport {
  /** Mean loss over the supervised tokens of the update. */
  readonly loss: number;
  /** Norms before clipping, by group or under `all`. */
  readonly gradientNorms: Readonly<Record<string, number>>;
  readonly learningRates: Readonly<Record<string, number>>;
  readonly targets: number;
  readonly tokens: number;
}

export interface OptimizerOptions {
  readonly model: Model;
  readonly stage: Stage;
  /** What learns, as `planStage` says. */
  readonly planned: readonly PlannedParameter[];
  /** Values of all parameters by path. */
  readonly weights: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
  /** Moments of earlier updates by the names of `stateNames`; zeros unless given. */
  readonly moments?: ReadonlyMap<string, Float32Array> | undefined;
  /** Updates done in this stage; 0 unless given. */
  readonly step?: number | undefined;
  readonly threads?: number | undefined;
}

/** Weights, moments and graphs of one stage. Updates replace tensors; nothing is written in place. */
export class Optimizer {
  readonly stage: Stage;
  readonly planned: readonly PlannedParameter[];
  /** Updates done in this stage. */
  step: number;
  readonly #weights: Map<string, Tensor>;
  readonly #moments = new Map<string, Tensor>();
  readonly #gradients: Gradients;
  readonly #threads: number | undefined;
  #update: Program | undefined;

  constructor({ model, stage, planned, weights, moments, step = 0, threads }: OptimizerOptions) {
    this.stage = stage;
    this.planned = planned;
    this.step = step;
    this.#threads = threads;
    this.#gradients = new Gradients(model, planned, threads);
    this.#weights = new Map(
      [...weights].map(([path, { data, shape }]) => [path, tensor('float32', data, shape)]),
    );
    for (const parameter of planned)
      for (const name of momentNames(parameter)) {
        const known = moments?.get(name);
        if (known && known.length !== parameter.shape.reduce((a, b) => a * b, 1))
          throw new WeightError({
            message: `The moment '${name}' has ${known.length} values, expected the shape [${parameter.shape.join(', ')}].`,
            where: `stage '${stage.name}'`,
            hint: 'The saved state was changed, or is that of another model.',
          });
        this.#moments.set(name, known ? tensor('float32', known, parameter.shape) : zeros(parameter.shape));
      }
  }

  /** Current values by path. */
  weights(): Map<string, Float32Array> {
    return new Map([...this.#weights].map(([path, value]) => [path, value.data as Float32Array]));
  }

  /** Moments by the names of `stateNames`. */
  moments(): Map<string, Float32Array> {
    return new Map([...this.#moments].map(([name, value]) => [name, value.data as Float32Array]));
  }

  /** Summed loss of a batch, without learning. */
  loss(batch: Batch): Promise<number> {
    return this.#gradients.loss(batch, Object.fromEntries(this.#weights));
  }

  /** Summed loss of all batches together and its gradients by path, without learning. */
  async gradients(
    batches: readonly Batch[],
  ): Promise<{ readonly loss: number; readonly gradients: ReadonlyMap<string, Tensor> }> {
    const gradients = new Map<string, Tensor>();
    const weights = Object.fromEntries(this.#weights);
    let loss = 0;
    for (const batch of batches) loss += await this.#gradients.add(batch, weights, gradients);
    return { loss, gradients };
  }

  /** One update from the gradients of all batches together, weighted by supervised tokens. */
  async update(batches: readonly Batch[]): Promise<UpdateReport> {
    const { loss, gradients } = await this.gradients(batches);
    const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
    const targets = batches.reduce((sum, batch) => sum + batch.targets, 0);
    this.step++;
    const factor = scheduleFactor(this.stage, this.step);
    const learningRates = Object.fromEntries(this.planned.map((p) => [p.group, p.learningRate * factor]));
    if (targets === 0) return { loss: 0, gradientNorms: {}, learningRates, targets, tokens };

    this.#update ??= await openProgram(
      'optimizer',
      emitModel(updateGraph(this.planned, updateOptions(this.stage)), { weights: 'input' }),
      {
        threads: this.#threads,
      },
    );
    const feeds: Record<string, Tensor> = {};
    for (const [name, value] of Object.entries(updateScalars(this.step, targets, updateOptions(this.stage))))
      feeds[name] = scalar(value);
    for (const [group, rate] of Object.entries(learningRates)) feeds[`learning_rate:${group}`] = scalar(rate);
    for (const { path, shape } of this.planned) {
      feeds[path] = this.#weights.get(path)!;
      feeds[stateNames(path).gradient] = gradients.get(path) ?? zeros(shape);
    }
    const outputs = await this.#update.run({ ...feeds, ...Object.fromEntries(this.#moments) } as Feeds);
    const gradientNorms: Record<string, number> = {};
    for (const [name, value] of Object.entries(outputs)) {
      if (name.startsWith('gradient_norm'))
        gradientNorms[name.split(':')[1] ?? 'all'] = Number(value.data[0]);
    }
    for (const state of [this.#weights, this.#moments])
      for (const name of state.keys()) {
        const next = outputs[nextName(name)];
        if (next) state.set(name, next);
      }
    return { loss: loss / targets, gradientNorms, learningRates, targets, tokens };
  }

  /** Frees the sessions. A second call does nothing. */
  async release(): Promise<void> {
    await this.#gradients.release();
    await this.#update?.release();
    this.#update = undefined;
  }
}

const updateOptions = ({
  beta1 = 0.9,
  beta2 = 0.999,
  eps = 1e-8,
  momentum = 0.95,
  maxGradientNorm = 1,
  clip = 'global',
}: Stage) => ({
  beta1,
  beta2,
  eps,
  momentum,
  maxGradientNorm,
  clip,
});
