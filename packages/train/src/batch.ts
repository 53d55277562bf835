import { InputError } from '@weft/errors';
import {
  batchPositions,
  crossFeeds,
  inTokenOrder,
  joinRuns,
  requireAllRead,
  sharesRuns,
  sightRuns,
  visualPlaces,
  watched,
  type PlacedRow,
  type SightRun,
  type Tensors,
} from '@weft/feeds';
import { senseOf, type ImagePlacement, type Model } from '@weft/spec';
import type { Tensor } from 'onnxruntime-common';
import { int64, toFeeds, type Feeds } from './ort.js';
import type { TrainingExample } from './training-example.js';

/** Label of a position that is not supervised. */
export const ignored = -100;

export interface Batch {
  readonly feeds: Feeds;
  /**
   * Inputs of the graph of sight, a set for each run of it, in the order of their tokens; none if all pictures are in
   * `feeds`, where they pass the graph of the whole model at once.
   */
  readonly runs: readonly Feeds[];
  /** Supervised tokens: the divisor of the summed loss. */
  readonly targets: number;
  /** Tokens without padding. */
  readonly tokens: number;
  readonly hasImages: boolean;
}

/**
 * Samples as one right-padded batch. Position `t` predicts token `t + 1`, so the first label is never a target.
 *
 * @throws InputError if a sample's labels and ids differ in length, if its tensors do not fit the model, or if
 * cross-attention cannot tell what it sees
 */
export function collate(examples: readonly TrainingExample[], model: Model): Batch {
  for (const [row, { inputIds, labels }] of examples.entries())
    if (labels.length !== inputIds.length)
      throw new InputError({
        message: `Sample ${row} of the batch has ${inputIds.length} ids and ${labels.length} labels.`,
      });
  const length = examples.reduce((most, { inputIds }) => Math.max(most, inputIds.length), 0);
  const rows = examples.map(({ inputIds }): PlacedRow => ({ ids: inputIds, columns: [...inputIds.keys()] }));
  const runs = examples.flatMap(({ inputIds, images }, row) =>
    images ? inTokenOrder(runsOf(model, images, row), inputIds, model) : [],
  );
  const ids = new Array<number>(examples.length * length).fill(0);
  for (const [row, { inputIds }] of examples.entries())
    for (const [column, id] of inputIds.entries()) ids[row * length + column] = id;
  const layouts = runs.flatMap(({ layout }) => (layout ? [layout] : []));
  const { positionIds } = batchPositions(model, rows, length, layouts);
  const { places, targets } = targetsOf(examples, length);
  const isApart = runs.length > 0 && !sharesRuns(model);
  return {
    feeds: {
      input_ids: int64(ids, [examples.length, length]),
      ...toFeeds({ position_ids: positionIds }),
      target_positions: int64(places, [places.length]),
      targets: int64(targets, [targets.length]),
      ...(runs.length > 0 ? seenFeeds(model, examples, { rows, length, runs: isApart ? [] : runs }) : {}),
    },
    runs: isApart ? runs.map(({ inputs }) => toFeeds(inputs)) : [],
    targets: targets.length,
    tokens: rows.reduce((sum, row) => sum + row.ids.length, 0),
    hasImages: runs.length > 0,
  };
}

/** @throws InputError naming tensors of a sample that the model does not read */
function runsOf(model: Model, images: Tensors, row: number): readonly SightRun[] {
  const given = watched(images);
  const runs = sightRuns(model, given.tensors);
  requireAllRead(images, given, `Sample ${row} of the batch`);
  return runs;
}

/** Flat places that predict a supervised token, and the token that follows each. */
function targetsOf(
  examples: readonly TrainingExample[],
  length: number,
): { readonly places: readonly number[]; readonly targets: readonly number[] } {
  const found = examples.flatMap(({ labels }, row) =>
    labels.flatMap((label, column) =>
      column > 0 && label !== ignored ? [{ place: row * length + column - 1, label }] : [],
    ),
  );
  return { places: found.map(({ place }) => place), targets: found.map(({ label }) => label) };
}

/** Pixels that all runs share, where embeddings stand, and what cross-attention sees. */
function seenFeeds(
  model: Model,
  examples: readonly TrainingExample[],
  {
    rows,
    length,
    runs,
  }: { readonly rows: readonly PlacedRow[]; readonly length: number; readonly runs: readonly SightRun[] },
): Record<string, Tensor> {
  const cross = senseOf(model, 'image')?.cross;
  const crossed =
    cross &&
    crossFeeds(
      cross,
      rows.map((row, i) => ({ ...row, pictures: picturesOf(examples[i]!, i) })),
      length,
    );
  const places = visualPlaces(model, rows, length);
  const isPlaced = !crossed || 'image_rows' in crossed;
  return {
    ...(runs.length > 0 ? toFeeds(joinRuns(runs.map(({ inputs }) => inputs))) : {}),
    ...(crossed ? toFeeds(crossed) : {}),
    ...(isPlaced ? { image_positions: int64(places, [places.length]) } : {}),
  };
}

function picturesOf({ images, placements = [] }: TrainingExample, row: number): readonly ImagePlacement[] {
  if (images && placements.length === 0)
    throw new InputError({
      message: `Sample ${row} of the batch does not say what cross-attention sees of its pictures.`,
      hint: 'Give it the placements that the processor returns with their tensors.',
    });
  return placements;
}
