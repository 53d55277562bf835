import {
  differentiate,
  gradientName,
  momentNames,
  nextName,
  stateNames,
  updateGraph,
  updateScalars,
} from '@weft/autodiff';
import { add, input, makeGraph, type Graph } from '@weft/graph';
import { trainingGraph } from '@weft/models';
import { emitModel } from '@weft/onnx';
import type { Model } from '@weft/spec';
import type { Tensor } from 'onnxruntime-common';
import type { Batch } from './batch.js';
import { openProgram, scalar, tensor, type Feeds, type Program } from './ort.js';
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

const sumName = (path: string): string => `sum:${path}`;

/** Adds inputs that hold earlier gradient sums, so that passes add up inside of the graph. */
function accumulating(graph: Graph, paths: readonly string[]): Graph {
  const outputs = { ...graph.outputs };
  for (const path of paths) {
    const gradient = outputs[gradientName(path)]!;
    outputs[gradientName(path)] = add(gradient, input(sumName(path), gradient));
  }
  return makeGraph(outputs);
}

/** Weights, moments and graphs of one stage. Updates replace tensors; nothing is written in place. */
export class Optimizer {
  readonly #weights: Map<string, Tensor>;
  readonly #moments = new Map<string, Tensor>();
  readonly #programs = new Map<string, Program>();
  #update: Program | undefined;

  constructor(
    readonly model: Model,
    readonly stage: Stage,
    readonly planned: readonly PlannedParameter[],
    weights: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
    moments: ReadonlyMap<string, Float32Array> | null,
    /** Updates done in this stage. */
    public step: number,
    readonly threads?: number,
  ) {
    this.#weights = new Map(
      [...weights].map(([path, { data, shape }]) => [path, tensor('float32', data, shape)]),
    );
    for (const parameter of planned)
      for (const name of momentNames(parameter)) {
        const known = moments?.get(name);
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

  async #program(kind: 'first' | 'next' | 'loss', images: boolean): Promise<Program> {
    const key = `${kind} ${images}`;
    const known = this.#programs.get(key);
    if (known) return known;
    const forward = trainingGraph(this.model, { images });
    // A text-only batch says nothing about the encoder: only what the loss depends on gets gradients.
    const paths = this.planned.map((p) => p.path).filter((path) => forward.parameters.has(path));
    const graph = kind === 'loss' ? forward : differentiate(forward, 'loss', paths);
    const program = await openProgram(
      kind === 'loss' ? 'evaluation' : 'training',
      emitModel(kind === 'next' ? accumulating(graph, paths) : graph, { weights: 'input' }),
      { threads: this.threads },
    );
    this.#programs.set(key, program);
    return program;
  }

  /** Summed loss of a batch, without learning. */
  async loss(batch: Batch): Promise<number> {
    if (batch.targets === 0) return 0;
    const program = await this.#program('loss', batch.hasImages);
    const { loss } = await program.run({ ...batch.feeds, ...Object.fromEntries(this.#weights) });
    return Number(loss!.data[0]);
  }

  /** One update from the gradients of all batches together, weighted by supervised tokens. */
  async update(batches: readonly Batch[]): Promise<UpdateReport> {
    const sums = new Map<string, Tensor>();
    let [loss, targets, tokens] = [0, 0, 0];
    for (const batch of batches) {
      tokens += batch.tokens;
      if (batch.targets === 0) continue;
      const program = await this.#program(sums.size === 0 ? 'first' : 'next', batch.hasImages);
      const earlier = this.planned.map(
        ({ path, shape }) => [sumName(path), sums.get(path) ?? zeros(shape)] as const,
      );
      const outputs = await program.run({
        ...batch.feeds,
        ...Object.fromEntries(this.#weights),
        ...Object.fromEntries(earlier),
      });
      loss += Number(outputs['loss']!.data[0]);
      targets += batch.targets;
      for (const { path } of this.planned) {
        const gradient = outputs[gradientName(path)];
        if (gradient) sums.set(path, gradient);
      }
    }
    this.step++;
    const factor = scheduleFactor(this.stage, this.step);
    const learningRates = Object.fromEntries(this.planned.map((p) => [p.group, p.learningRate * factor]));
    if (targets === 0) return { loss: 0, gradientNorms: {}, learningRates, targets, tokens };

    this.#update ??= await openProgram(
      'optimizer',
      emitModel(updateGraph(this.planned, updateOptions(this.stage)), { weights: 'input' }),
      {
        threads: this.threads,
      },
    );
    const feeds: Record<string, Tensor> = {};
    for (const [name, value] of Object.entries(updateScalars(this.step, targets, updateOptions(this.stage))))
      feeds[name] = scalar(value);
    for (const [group, rate] of Object.entries(learningRates)) feeds[`learning_rate:${group}`] = scalar(rate);
    for (const { path, shape } of this.planned) {
      feeds[path] = this.#weights.get(path)!;
      feeds[stateNames(path).gradient] = sums.get(path) ?? zeros(shape);
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

  async release(): Promise<void> {
    for (const program of [...this.#programs.values(), ...(this.#update ? [this.#update] : [])])
      await program.release();
    this.#programs.clear();
    this.#update = undefined;
  }
}

const zeros = (shape: readonly number[]): Tensor =>
  tensor('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);

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
