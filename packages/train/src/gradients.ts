import { differentiate, gradientName } from '@weft/autodiff';
import { InputError } from '@weft/errors';
import { add, input, makeGraph, type Graph } from '@weft/graph';
import { trainingGraph, visionGraph, visionLossGraph } from '@weft/models';
import { emitModel } from '@weft/onnx';
import type { Model } from '@weft/spec';
import type { Tensor } from 'onnxruntime-common';
import type { Batch } from './batch.js';
import { openProgram, tensor, zeros, type Feeds, type Program } from './ort.js';

/** Parts of a model that are computed at once: all of it, with or without pictures, or text and pictures apart. */
type Pass = 'text' | 'whole' | 'seen' | 'sight';

/** `loss` computes no gradient; `first` gives those of a batch, `next` adds them to those of earlier ones. */
type Kind = 'loss' | 'first' | 'next';

interface GradientProgram extends Program {
  /** Parameters whose gradients it gives. */
  readonly paths: readonly string[];
}

const embeds = 'image_embeds';
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

/**
 * Losses of batches and their gradients by some parameters.
 *
 * Pictures that can, pass the graph of the whole model together. Where each has a shape of its own, or an arranger orders
 * those of a prompt, they pass the graph of sight one after another; their embeddings are an input of the graph of the
 * text, and its gradient by them goes back through the graph of sight, picture after picture. That computes the
 * features of pictures twice, but holds those of one picture at a time, and any number of shapes needs no new graph. If
 * no parameter of sight learns, nothing goes back.
 */
export class Gradients {
  readonly #model: Model;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #threads: number | undefined;
  readonly #programs = new Map<string, GradientProgram>();

  /** @param parameters those that learn, by path and shape */
  constructor(
    model: Model,
    parameters: readonly { readonly path: string; readonly shape: readonly number[] }[],
    threads: number | undefined,
  ) {
    this.#model = model;
    this.#shapes = new Map(parameters.map(({ path, shape }) => [path, shape]));
    this.#threads = threads;
  }

  /**
   * Summed loss of a batch.
   *
   * @param weights of all parameters by path
   */
  async loss(batch: Batch, weights: Feeds): Promise<number> {
    if (batch.targets === 0) return 0;
    const { pass, feeds } = await this.#forward(batch, weights);
    const { loss } = await (await this.#program(pass, 'loss')).run({ ...feeds, ...weights });
    return Number(loss!.data[0]);
  }

  /**
   * Adds the gradients of a batch's summed loss to `sums`, by path.
   *
   * @returns the summed loss
   */
  async add(batch: Batch, weights: Feeds, sums: Map<string, Tensor>): Promise<number> {
    if (batch.targets === 0) return 0;
    const { pass, feeds, counts } = await this.#forward(batch, weights);
    const outputs = await this.#backward(pass, { ...feeds, ...weights }, sums);
    const upstream = outputs[gradientName(embeds)];
    if (upstream) {
      const [, width = 0] = upstream.dims;
      let from = 0;
      for (const [i, run] of batch.runs.entries()) {
        const to = from + counts[i]! * width;
        const own = tensor('float32', (upstream.data as Float32Array).slice(from, to), [counts[i]!, width]);
        from = to;
        await this.#backward('sight', { ...run, ...weights, image_embeds_gradient: own }, sums);
      }
    }
    return Number(outputs['loss']!.data[0]);
  }

  /** Frees the sessions. A second call does nothing. */
  async release(): Promise<void> {
    for (const program of this.#programs.values()) await program.release();
    this.#programs.clear();
  }

  /** The pass that has the loss and what it takes; pictures that do not pass with the text have passed. */
  async #forward(
    { feeds, runs, hasImages }: Batch,
    weights: Feeds,
  ): Promise<{ readonly pass: Pass; readonly feeds: Feeds; readonly counts: readonly number[] }> {
    if (runs.length === 0) return { pass: hasImages ? 'whole' : 'text', feeds, counts: [] };
    const program = await this.#program('sight', 'loss');
    const seen: Tensor[] = [];
    for (const run of runs) seen.push((await program.run({ ...run, ...weights }))[embeds]!);
    const counts = seen.map(({ dims }) => dims[0]!);
    const [tokens, places] = [
      counts.reduce((sum, count) => sum + count, 0),
      feeds['image_positions']!.dims[0],
    ];
    if (tokens !== places)
      throw new InputError({
        message: `The batch has ${places} image tokens, but its pictures give ${tokens} embeddings.`,
        where: 'training',
        hint: 'Tokens and tensors of a sample must come from one run of the processor.',
      });
    const width = seen[0]!.dims[1]!;
    const data = new Float32Array(tokens * width);
    let at = 0;
    for (const { data: own } of seen) {
      data.set(own as Float32Array, at);
      at += own.length;
    }
    return { pass: 'seen', feeds: { ...feeds, [embeds]: tensor('float32', data, [tokens, width]) }, counts };
  }

  async #backward(pass: Pass, feeds: Feeds, sums: Map<string, Tensor>): Promise<Feeds> {
    const program = await this.#program(pass, sums.size === 0 ? 'first' : 'next');
    const earlier = program.paths.map(
      (path) => [sumName(path), sums.get(path) ?? zeros(this.#shapes.get(path)!)] as const,
    );
    const outputs = await program.run({ ...feeds, ...Object.fromEntries(earlier) });
    for (const path of program.paths) sums.set(path, outputs[gradientName(path)]!);
    return outputs;
  }

  async #program(pass: Pass, kind: Kind): Promise<GradientProgram> {
    const key = `${pass} ${kind}`;
    const program = this.#programs.get(key) ?? (await this.#open(pass, kind));
    this.#programs.set(key, program);
    return program;
  }

  async #open(pass: Pass, kind: Kind): Promise<GradientProgram> {
    const isLoss = kind === 'loss';
    const graph = graphOf(this.#model, pass, isLoss);
    // A text-only batch says nothing about the encoder: only what the loss depends on gets gradients.
    const paths = [...this.#shapes.keys()].filter((path) => graph.parameters.has(path));
    const wanted = pass === 'seen' && this.#sightLearns() ? [...paths, embeds] : paths;
    const backward = isLoss ? graph : differentiate(graph, 'loss', wanted);
    const program = await openProgram(
      isLoss ? 'evaluation' : 'training',
      emitModel(kind === 'next' ? accumulating(backward, paths) : backward, { weights: 'input' }),
      { threads: this.#threads },
    );
    return { ...program, paths };
  }

  #sightLearns(): boolean {
    const { parameters } = visionGraph(this.#model);
    return [...this.#shapes.keys()].some((path) => parameters.has(path));
  }
}

function graphOf(model: Model, pass: Pass, isForward: boolean): Graph {
  if (pass === 'sight') return isForward ? visionGraph(model) : visionLossGraph(model);
  return trainingGraph(model, { images: pass !== 'text', areSeen: pass === 'seen' });
}
