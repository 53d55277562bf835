import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { part, senseOf, type Model, type VisualLayout } from '@weft/spec';
import type { Engine } from './engine.js';
import { crossSight, type BatchIds, type BatchSight } from './batch-sight.js';
import { sightRuns, type SightRun } from './encoder-inputs.js';
import { visualTokenIds } from './place-visuals.js';
import { joined } from './sequence.js';

/**
 * Forward inputs under their Hugging Face names: `input_ids` int64 `[B, L]`, on demand `attention_mask` of that shape
 * and `position_ids`, and the encoder's inputs such as `pixel_values`. Positions are `[B, L]`, or `[axes, B, L]` where
 * the model has a rule for them.
 */
export type ForwardInputs = { readonly input_ids: TensorData } & Readonly<Record<string, TensorData>>;

/** Logits `[B, L, V]`. */
export interface Logits {
  readonly shape: readonly [batch: number, length: number, vocabSize: number];
  readonly data: Float32Array;
}

/** A batch of ids with the embeddings of its image tokens. */
export interface PaddedBatch extends BatchIds {
  /** `[B, L]` or `[axes, B, L]`. */
  readonly positionIds: BigInt64Array;
  /** Positions as generation counts them, from the first token that is not padding. */
  readonly counted: CountedPositions;
  /** `[N, D]` for the tokens of pictures and videos, row by row; empty if none stand among tokens. */
  readonly imageEmbeds: Float32Array;
  /** All rows of the connector. */
  readonly features: Float32Array;
  /** Of each row the pictures that cross-attention sees, by handle. */
  readonly seenKeys: readonly (readonly number[])[];
  /** `[B, L, tiles]`: which of their tiles a token sees. */
  readonly seenMask: BigInt64Array;
}

export interface CountedPositions {
  /** `[B, L]` or `[axes, B, L]`; 0 at padding. */
  readonly positionIds: BigInt64Array;
  /** Position of each row's next token. */
  readonly next: readonly number[];
}

/**
 * Reads forward inputs, and runs the encoder on its share.
 *
 * @throws InputError if a shape does not fit, or if there are more or fewer image tokens than embeddings
 */
export async function readBatch(engine: Engine, model: Model, inputs: ForwardInputs): Promise<PaddedBatch> {
  const { shape } = inputs.input_ids;
  const [batch = 0, length = 0] = shape;
  if (shape.length !== 2 || batch * length === 0)
    throw new InputError({
      message: `input_ids is [${shape.join(', ')}], expected [batch, length].`,
      where: 'forward',
    });
  const { vocabSize, hiddenSize, extraTokens = 0 } = part(model, 'backbone').shape;
  const inputIds = integers(inputs.input_ids);
  const outside = inputIds.find((id) => id < 0n || id >= vocabSize + extraTokens);
  if (outside !== undefined)
    throw new InputError({
      message: `The id ${outside} is outside of the vocabulary of ${vocabSize}.`,
      where: 'input_ids',
    });
  const optional = (name: string, shape: readonly number[] = [batch, length]): BigInt64Array | undefined => {
    const tensor = inputs[name];
    if (!tensor) return undefined;
    if (tensor.shape.join() !== shape.join())
      throw new InputError({
        message: `${name} is [${tensor.shape.join(', ')}], expected [${shape.join(', ')}].`,
        where: 'forward',
      });
    return integers(tensor);
  };
  const mask = optional('attention_mask') ?? new BigInt64Array(batch * length).fill(1n);
  const ids = { batch, length, inputIds, mask };
  const isCrossed = senseOf(model, 'image')?.cross !== undefined;
  const runs = isCrossed ? [] : inTokenOrder(sightRuns(model, inputs), inputIds, model);
  const sight = isCrossed ? await crossSight(engine, model, inputs, ids) : await placedSight(engine, runs);
  const { imageEmbeds } = sight;
  const places = inputIds.filter(isVisualToken(model)).length;
  const isSeen = sight.features.length > 0 && model.fusion.method !== 'B';
  if (isSeen && imageEmbeds.length !== places * hiddenSize)
    throw new InputError({
      message: `input_ids has ${places} image tokens, but the images give ${imageEmbeds.length / hiddenSize} embeddings.`,
      where: 'forward',
      hint: 'Both must come from one run of the processor.',
    });
  const counted = countPositions(model, ids, runs);
  const { positions } = model;
  const positionIds = positions
    ? (optional('position_ids', [positions.axes, batch, length]) ?? counted.positionIds)
    : (optional('position_ids') ?? BigInt64Array.from(inputIds, (_, i) => BigInt(i % length)));
  return { ...ids, positionIds, counted, ...sight };
}

async function placedSight(engine: Engine, runs: readonly SightRun[]): Promise<BatchSight> {
  const embeds: Float32Array[] = [];
  for (const run of runs) embeds.push((await engine.encodeTensors(run.inputs)).embeds);
  const features = joined(embeds);
  return { features, imageEmbeds: features, seenKeys: [], seenMask: new BigInt64Array(0) };
}

const isVisualToken = (model: Model): ((id: bigint) => boolean) => {
  const ids = visualTokenIds(model).map(BigInt);
  return (id) => ids.includes(id);
};

/** Runs in the order of their tokens: videos may stand between pictures. */
function inTokenOrder(runs: readonly SightRun[], ids: BigInt64Array, model: Model): readonly SightRun[] {
  const [image, video] = [senseOf(model, 'image'), senseOf(model, 'video')];
  if (!image || !video) return runs;
  const kinds = {
    image: runs.filter(({ layout }) => layout?.kind !== 'video'),
    video: runs.filter(({ layout }) => layout?.kind === 'video'),
  };
  const ordered: SightRun[] = [];
  for (let at = 0; at < ids.length; at++) {
    const id = Number(ids[at]);
    const run =
      id === image.tokenId ? kinds.image.shift() : id === video.tokenId ? kinds.video.shift() : undefined;
    if (!run) continue;
    ordered.push(run);
    at += tokensOf(run, model) - 1;
  }
  // Those without a place come last, so that the counts are found to differ.
  return [...ordered, ...kinds.image, ...kinds.video];
}

const tokensOf = ({ layout }: Pick<SightRun, 'layout'>, model: Model): number =>
  layout ? layout.frames * part(model, 'connector').countTokens([layout.rows, layout.columns]) : 1;

/** The first of the layouts that wait, as many as fill the tokens. */
function takeLayouts(waiting: VisualLayout[], tokens: number, model: Model): VisualLayout[] {
  const taken: VisualLayout[] = [];
  for (let left = tokens; left > 0 && waiting.length > 0;) {
    const layout = waiting.shift()!;
    taken.push(layout);
    left -= tokensOf({ layout }, model);
  }
  return taken;
}

/** Positions of each row's tokens without its padding, by the model's rule or by counting. */
function countPositions(
  model: Model,
  { batch, length, inputIds, mask }: BatchIds,
  runs: readonly SightRun[],
): CountedPositions {
  const { positions: rule } = model;
  const waiting = runs.flatMap(({ layout }) => (layout ? [layout] : []));
  const visual = isVisualToken(model);
  const positionIds = new BigInt64Array((rule?.axes ?? 1) * batch * length);
  const next = Array.from({ length: batch }, (_, row) => {
    const places = Array.from({ length }, (_, column) => row * length + column).filter(
      (flat) => mask[flat] === 1n,
    );
    const ids = places.map((flat) => Number(inputIds[flat]!));
    const tokens = places.filter((flat) => visual(inputIds[flat]!)).length;
    const assigned = rule?.assign(ids, takeLayouts(waiting, tokens, model)) ?? {
      axes: [ids.map((_, i) => i)],
      next: ids.length,
    };
    for (const [axis, values] of assigned.axes.entries())
      for (const [i, value] of values.entries())
        positionIds[axis * batch * length + places[i]!] = BigInt(value);
    return assigned.next;
  });
  return { positionIds, next };
}

const integers = ({ data }: TensorData): BigInt64Array =>
  data instanceof BigInt64Array ? data.slice() : BigInt64Array.from(Array.from(data as Int32Array, BigInt));

/**
 * Runs columns `[start, end)` of a batch on a cache that holds those before.
 *
 * @returns logits of all these tokens, `[B, end - start, V]`
 */
export async function runColumns(
  engine: Engine,
  cache: number,
  model: Model,
  batch: PaddedBatch,
  range: readonly [start: number, end: number],
): Promise<Float32Array> {
  const [start, end] = range;
  const length = end - start;
  const cut = (all: BigInt64Array, width = 1): BigInt64Array => {
    const rows = all.length / batch.length / width;
    const result = new BigInt64Array(rows * length * width);
    for (let row = 0; row < rows; row++) {
      const first = row * batch.length;
      result.set(all.subarray((first + start) * width, (first + end) * width), row * length * width);
    }
    return result;
  };
  const { hiddenSize } = part(model, 'backbone').shape;
  const visual = batch.imageEmbeds.length > 0 ? isVisualToken(model) : () => false;
  const places: bigint[] = [];
  const rows: number[] = [];
  let seen = 0;
  for (const [flat, id] of batch.inputIds.entries()) {
    if (!visual(id)) continue;
    const column = flat % batch.length;
    if (column >= start && column < end) {
      places.push(BigInt(Math.floor(flat / batch.length) * length + column - start));
      rows.push(seen);
    }
    seen++;
  }
  const imageEmbeds = new Float32Array(rows.length * hiddenSize);
  for (const [to, from] of rows.entries())
    imageEmbeds.set(batch.imageEmbeds.subarray(from * hiddenSize, (from + 1) * hiddenSize), to * hiddenSize);
  return engine.run(cache, {
    length,
    inputIds: cut(batch.inputIds),
    positionIds: cut(batch.positionIds),
    mask: cut(batch.mask),
    logitPositions: BigInt64Array.from({ length: batch.batch * length }, (_, i) => BigInt(i)),
    imagePositions: BigInt64Array.from(places),
    imageEmbeds,
    seenKeys: batch.seenKeys,
    seenMask: cut(batch.seenMask, batch.seenMask.length / batch.inputIds.length || 1),
  });
}

/** The whole model once: logits of all tokens. */
export async function forward(engine: Engine, model: Model, inputs: ForwardInputs): Promise<Logits> {
  const batch = await readBatch(engine, model, inputs);
  const cache = await engine.open(batch.batch);
  try {
    const data = await runColumns(engine, cache, model, batch, [0, batch.length]);
    return { shape: [batch.batch, batch.length, part(model, 'backbone').shape.vocabSize], data };
  } finally {
    await engine.release(cache);
    await engine.forget(batch.seenKeys.flat());
  }
}
