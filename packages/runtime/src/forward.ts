import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import type { Model } from '@weft/spec';
import type { Engine } from './engine.js';
import { expectedInputs } from './encoder-inputs.js';

/**
 * Forward inputs under their Hugging Face names: `input_ids` int64 `[B, L]`, on demand `attention_mask` and
 * `position_ids` of that shape, and the encoder's inputs such as `pixel_values`.
 */
export type ForwardInputs = { readonly input_ids: TensorData } & Readonly<Record<string, TensorData>>;

/** Logits `[B, L, V]`. */
export interface Logits {
  readonly shape: readonly [batch: number, length: number, vocabSize: number];
  readonly data: Float32Array;
}

/** A batch of ids with the embeddings of its image tokens. */
export interface PaddedBatch {
  readonly batch: number;
  readonly length: number;
  readonly inputIds: BigInt64Array;
  readonly mask: BigInt64Array;
  readonly positionIds: BigInt64Array;
  /** `[N, D]` for the image tokens, row by row. */
  readonly imageEmbeds: Float32Array;
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
    throw new InputError({ message: `input_ids is [${shape.join(', ')}], expected [batch, length].`, where: 'forward' });
  const { vocabSize, hiddenSize } = model.backbone.shape;
  const inputIds = integers(inputs.input_ids);
  const outside = inputIds.find((id) => id < 0n || id >= vocabSize);
  if (outside !== undefined)
    throw new InputError({ message: `The id ${outside} is outside of the vocabulary of ${vocabSize}.`, where: 'input_ids' });
  const optional = (name: string): BigInt64Array | undefined => {
    const tensor = inputs[name];
    if (!tensor) return undefined;
    if (tensor.shape.length !== 2 || tensor.shape[0] !== batch || tensor.shape[1] !== length)
      throw new InputError({ message: `${name} is [${tensor.shape.join(', ')}], expected [${batch}, ${length}].`, where: 'forward' });
    return integers(tensor);
  };
  const mask = optional('attention_mask') ?? new BigInt64Array(batch * length).fill(1n);
  const positionIds = optional('position_ids') ?? BigInt64Array.from(inputIds, (_, i) => BigInt(i % length));
  const sight = expectedInputs(model, inputs);
  const imageEmbeds = sight ? await engine.encodeTensors(sight) : new Float32Array(0);
  const places = model.vision ? inputIds.filter((id) => id === BigInt(model.vision!.imageTokenId)).length : 0;
  if (sight && imageEmbeds.length !== places * hiddenSize)
    throw new InputError({
      message: `input_ids has ${places} image tokens, but the images give ${imageEmbeds.length / hiddenSize} embeddings.`,
      where: 'forward',
      hint: 'Both must come from one run of the processor.',
    });
  return { batch, length, inputIds, mask, positionIds, imageEmbeds };
}

const integers = ({ data }: TensorData): BigInt64Array =>
  data instanceof BigInt64Array ? data.slice() : BigInt64Array.from(Array.from(data as Int32Array, BigInt));

/**
 * Runs columns `[start, end)` of a batch on a cache that holds those before.
 *
 * @returns logits of all these tokens, `[B, end - start, V]`
 */
export async function runColumns(engine: Engine, cache: number, model: Model, batch: PaddedBatch, range: readonly [start: number, end: number]): Promise<Float32Array> {
  const [start, end] = range;
  const length = end - start;
  const cut = (all: BigInt64Array): BigInt64Array => {
    const result = new BigInt64Array(batch.batch * length);
    for (let row = 0; row < batch.batch; row++)
      result.set(all.subarray(row * batch.length + start, row * batch.length + end), row * length);
    return result;
  };
  const { hiddenSize } = model.backbone.shape;
  const image = batch.imageEmbeds.length > 0 ? BigInt(model.vision?.imageTokenId ?? -1) : -1n;
  const places: bigint[] = [];
  const rows: number[] = [];
  let seen = 0;
  for (const [flat, id] of batch.inputIds.entries()) {
    if (id !== image) continue;
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
  });
}

/** The whole model once: logits of all tokens. */
export async function forward(engine: Engine, model: Model, inputs: ForwardInputs): Promise<Logits> {
  const batch = await readBatch(engine, model, inputs);
  const cache = await engine.open(batch.batch);
  try {
    const data = await runColumns(engine, cache, model, batch, [0, batch.length]);
    return { shape: [batch.batch, batch.length, model.backbone.shape.vocabSize], data };
  } finally {
    await engine.release(cache);
  }
}
