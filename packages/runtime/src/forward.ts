import { InputError } from '@weft/errors';
import {
  batchPositions,
  inTokenOrder,
  isVisualToken,
  picturesByRow,
  requireAllRead,
  sightRuns,
  visualPlaces,
  watched,
  type BatchPositions,
  type GivenPicture,
  type PlacedRow,
  type SightRun,
  type Tensors,
} from '@weft/feeds';
import type { TensorData } from '@weft/graph';
import { part, senseOf, type Model } from '@weft/spec';
import type { EmbedPiece, Engine, RowPictures, SequenceId, StepRow } from './engine.js';
import { crossSight, rowsOf, type BatchIds, type BatchSight } from './batch-sight.js';
import { checkTensors } from './check-tensors.js';
import { cutPieces } from './sequence.js';

/**
 * Forward inputs under their Hugging Face names: `input_ids` int64 `[B, L]`, on request `attention_mask` of that shape
 * and `position_ids`, and the encoder's inputs such as `pixel_values`. Positions are `[B, L]`, or `[axes, B, L]` where
 * the model has a rule for them.
 */
export type ForwardInputs = { readonly input_ids: TensorData } & Readonly<Record<string, TensorData>>;

/** Logits `[B, L, V]`. */
export interface Logits {
  readonly shape: readonly [batch: number, length: number, vocabSize: number];
  readonly data: Float32Array;
}

/** A batch of ids with what the engine holds of its pictures. */
export interface PaddedBatch extends BatchIds, BatchSight {
  /** `[B, L]` or `[axes, B, L]`. */
  readonly positionIds: BigInt64Array;
  /** Positions as generation counts them, from the first token that is not padding. */
  readonly counted: BatchPositions;
}

/** Forward inputs that are read, and not seen yet. */
interface GivenBatch {
  readonly ids: BatchIds;
  /** Tokens of all rows, padding left out. */
  readonly rows: readonly PlacedRow[];
  readonly positionIds: BigInt64Array | undefined;
  /** What the graph of sight takes, in the order of the tokens; empty where cross-attention sees the pictures. */
  readonly runs: readonly SightRun[];
  /** Pictures of each row, where cross-attention sees them. */
  readonly crossed: readonly (readonly GivenPicture[])[] | undefined;
}

/**
 * Reads forward inputs, and runs the encoder on its share.
 *
 * @param check called when all that the model reads has been asked for, before the encoder runs
 * @throws InputError if a shape does not fit, or if there are more or fewer image tokens than embeddings
 */
export async function readBatch(
  engine: Engine,
  model: Model,
  inputs: Tensors,
  check: () => void = () => undefined,
): Promise<PaddedBatch> {
  const { ids, rows, runs, crossed, ...given } = readGiven(model, inputs);
  const crossMask = inputs['cross_attention_mask'];
  check();
  const tokens = rows.flatMap((row) => row.ids);
  const sight = crossed
    ? await crossSight(engine, model, crossed, ids, crossMask)
    : await placedSight(engine, runs);
  const embeddings = sight.pieces.reduce((sum, { count }) => sum + count, 0);
  const places = tokens.filter(isVisualToken(model)).length;
  const isSeen = sight.pictures.length > 0 && model.fusion.method !== 'B';
  if (isSeen && embeddings !== places)
    throw new InputError({
      message: `input_ids has ${places} image tokens, but the images give ${embeddings} embeddings.`,
      where: 'forward',
      hint: 'Both must come from one run of the processor.',
    });
  const layouts = runs.flatMap(({ layout }) => (layout ? [layout] : []));
  const counted = batchPositions(model, rows, ids.length, layouts);
  const positionIds =
    given.positionIds ??
    (model.positions
      ? counted.positionIds.data
      : BigInt64Array.from(ids.inputIds, (_, i) => BigInt(i % ids.length)));
  return { ...ids, positionIds, counted, ...sight };
}

function readGiven(model: Model, inputs: Tensors): GivenBatch {
  const { shape = [] } = inputs['input_ids'] ?? {};
  const [batch = 0, length = 0] = shape;
  if (shape.length !== 2 || batch * length === 0)
    throw new InputError({
      message: inputs['input_ids']
        ? `input_ids is [${shape.join(', ')}], expected [batch, length].`
        : 'input_ids is missing.',
      where: 'forward',
    });
  const { vocabSize, extraTokens = 0 } = part(model, 'backbone').shape;
  const inputIds = integers('input_ids', inputs['input_ids']!);
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
    return integers(name, tensor);
  };
  const mask = optional('attention_mask') ?? new BigInt64Array(batch * length).fill(1n);
  const other = mask.find((one) => one !== 0n && one !== 1n);
  if (other !== undefined)
    throw new InputError({
      message: `attention_mask holds ${other}, expected 1 for tokens and 0 for padding.`,
      where: 'forward',
    });
  checkTypes(model, inputIds, optional);
  const { positions } = model;
  const ids = { batch, length, inputIds, mask };
  const rows = rowsOf(ids);
  const isCrossed = senseOf(model, 'image')?.cross !== undefined;
  const runs = isCrossed
    ? []
    : inTokenOrder(
        sightRuns(model, inputs),
        rows.flatMap((row) => row.ids),
        model,
      );
  if (!isCrossed) checkTiles(inputs, runs);
  return {
    ids,
    rows,
    positionIds: optional('position_ids', [...(positions ? [positions.axes] : []), batch, length]),
    runs,
    crossed: isCrossed ? picturesByRow(model, inputs, batch) : undefined,
  };
}

/**
 * Reads the kinds of tokens that the reference's processors write, which follow from the ids: `mm_token_type_ids` is not 0
 * at tokens of pictures and videos, `token_type_ids` is 0.
 */
function checkTypes(
  model: Model,
  inputIds: BigInt64Array,
  optional: (name: string) => BigInt64Array | undefined,
): void {
  const isVisual = isVisualToken(model);
  const rules = {
    mm_token_type_ids: (id: bigint): boolean => isVisual(Number(id)),
    token_type_ids: (): boolean => false,
  };
  for (const [name, isOther] of Object.entries(rules)) {
    const at = optional(name)?.findIndex((type, i) => (type !== 0n) !== isOther(inputIds[i]!)) ?? -1;
    if (at >= 0)
      throw new InputError({
        message: `${name} does not fit input_ids at the place ${at}.`,
        where: 'forward',
        hint: 'Leave it out: the kinds of tokens follow from their ids here.',
      });
  }
}

/** Reads `num_tiles`, the tiles of each picture, where it only repeats how many there are. */
function checkTiles({ num_tiles: counts }: Tensors, runs: readonly SightRun[]): void {
  if (!counts) return;
  const sum = integers('num_tiles', counts).reduce((total, count) => total + count, 0n);
  const tiles = runs.reduce((total, { inputs }) => total + (Object.values(inputs)[0]?.shape[0] ?? 0), 0);
  if (Number(sum) !== tiles)
    throw new InputError({
      message: `num_tiles adds up to ${sum} tiles, but there are ${tiles}.`,
      where: 'forward',
    });
}

async function placedSight(engine: Engine, runs: readonly SightRun[]): Promise<BatchSight> {
  const pieces: EmbedPiece[] = [];
  for (const { inputs } of runs) {
    const [{ id, tokens } = { id: 0, tokens: 0 }] = await engine.see([{ runs: [inputs] }], true);
    pieces.push({ picture: id, from: 0, count: tokens });
  }
  const pictures = pieces.map(({ picture }) => picture);
  return { pictures, pieces, seenPictures: [], seenMask: new BigInt64Array(0) };
}

/** @throws InputError if the tensor does not hold whole numbers */
function integers(name: string, { dtype, data }: TensorData): BigInt64Array {
  if (data instanceof BigInt64Array) return data.slice();
  if (data instanceof Int32Array || data instanceof Uint8Array)
    return BigInt64Array.from(data as ArrayLike<number>, BigInt);
  throw new InputError({
    message: `${name} is of ${dtype}, expected whole numbers, such as int64 in a BigInt64Array.`,
    where: 'forward',
  });
}

/**
 * Runs columns `[start, end)` of a batch on sequences that hold those before.
 *
 * @param sequences one for each row
 * @returns logits of all these tokens, `[B, end - start, V]`, zeros at padding
 */
export async function runColumns(
  engine: Engine,
  sequences: readonly SequenceId[],
  model: Model,
  batch: PaddedBatch,
  [start, end]: readonly [start: number, end: number],
): Promise<Float32Array> {
  const { vocabSize } = part(model, 'backbone').shape;
  const result = new Float32Array(batch.batch * (end - start) * vocabSize);
  const places = sequences.map((_, row) =>
    Array.from({ length: end - start }, (_, i) => row * batch.length + start + i).filter(
      (flat) => batch.mask[flat] === 1n,
    ),
  );
  const rows = sequences.flatMap((_, row) => (places[row]!.length > 0 ? [row] : []));
  const step = rowsOfBatch(model, batch);
  const logits = await engine.step(rows.map((row) => step(sequences[row]!, row, places[row]!)));
  for (const [i, row] of rows.entries())
    for (const [token, flat] of places[row]!.entries()) {
      const at = row * (end - start) + (flat % batch.length) - start;
      result.set(logits[i]!.subarray(token * vocabSize, (token + 1) * vocabSize), at * vocabSize);
    }
  return result;
}

/** How tokens of a batch become a row of a step. */
function rowsOfBatch(model: Model, batch: PaddedBatch) {
  const size = batch.inputIds.length;
  const axes = batch.positionIds.length / size;
  /** Number of the embedding at each place that takes one. */
  const places = batch.pieces.length > 0 ? visualPlaces(model, rowsOf(batch), batch.length) : [];
  const embedAt = new Map(places.map((flat, at) => [flat, at]));

  /** The row is one text, whichever of its tokens are read. */
  const textLength = (row: number): number => {
    let last = 0;
    for (let flat = row * batch.length; flat < (row + 1) * batch.length; flat++)
      for (let axis = 0; axis < axes && batch.mask[flat] === 1n; axis++)
        last = Math.max(last, Number(batch.positionIds[axis * size + flat]!));
    return last + 1;
  };

  /** @param flats places of the tokens */
  return (id: SequenceId, row: number, flats: readonly number[]): StepRow => {
    const visual = flats.flatMap((flat, token) =>
      embedAt.has(flat) ? [{ token, at: embedAt.get(flat)! }] : [],
    );
    return {
      id,
      ids: flats.map((flat) => Number(batch.inputIds[flat]!)),
      positions: Array.from({ length: axes }, (_, axis) =>
        flats.map((flat) => Number(batch.positionIds[axis * size + flat]!)),
      ),
      textLength: textLength(row),
      places: visual.map(({ token }) => token),
      pieces: visual.flatMap(({ at }) => cutPieces(batch.pieces, at, 1)),
      seen: batch.seenPictures.length > 0 ? seenAt(batch, row, flats) : undefined,
      logits: 'all',
    };
  };
}

/** What the tokens at some places of a row see by cross-attention. */
export function seenAt(
  { seenMask, inputIds, seenPictures }: PaddedBatch,
  row: number,
  flats: readonly number[],
): RowPictures {
  const tiles = seenMask.length / inputIds.length;
  const maskAt = (flat: number): BigInt64Array => seenMask.subarray(flat * tiles, (flat + 1) * tiles);
  const own = maskAt(flats[0]!).filter((one) => one >= 0n).length;
  const visible = flats.flatMap((flat) => Array.from(maskAt(flat).subarray(0, own), Number));
  return { pictures: seenPictures[row]!, tiles: own, visible: Uint8Array.from(visible) };
}

/** Does something with a new sequence for each row of a batch. */
export async function withSequences<T>(
  engine: Engine,
  batch: Pick<PaddedBatch, 'batch'>,
  action: (sequences: readonly SequenceId[]) => Promise<T>,
): Promise<T> {
  const sequences: SequenceId[] = [];
  try {
    for (let row = 0; row < batch.batch; row++) sequences.push((await engine.open()).id);
    return await action(sequences);
  } finally {
    for (const id of sequences) await engine.release(id);
  }
}

/**
 * The whole model once: logits of all tokens, zeros at padding.
 *
 * @throws InputError if an input does not fit, or if the model does not read it
 */
export async function forward(
  { engine, model }: { readonly engine: Engine; readonly model: Model },
  inputs: ForwardInputs,
): Promise<Logits> {
  // Not in `readBatch`: `verify` sees there which tensors of a golden file a model reads.
  checkTensors(inputs);
  if (!inputs.input_ids)
    throw new InputError({
      message: 'input_ids is missing, expected ids of the shape [batch, length].',
      where: 'forward',
      hint: 'Give the ids of the prompt beside the inputs of the encoder.',
    });
  const given = watched(inputs);
  const batch = await readBatch(engine, model, given.tensors, () => requireAllRead(inputs, given, 'forward'));
  try {
    const data = await withSequences(engine, batch, (sequences) =>
      runColumns(engine, sequences, model, batch, [0, batch.length]),
    );
    return { shape: [batch.batch, batch.length, part(model, 'backbone').shape.vocabSize], data };
  } finally {
    await engine.forget(batch.pictures);
  }
}
