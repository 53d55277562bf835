import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { senseOf, type Model } from '@weft/spec';
import type { Tensor } from 'onnxruntime-common';
import { crossFeeds } from './cross-feeds.js';
import { int64, tensor } from './ort.js';
import type { TrainingExample } from './training-example.js';

/** Label of a position that is not supervised. */
export const ignored = -100;

export interface Batch {
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Supervised tokens: the divisor of the summed loss. */
  readonly targets: number;
  /** Tokens without padding. */
  readonly tokens: number;
  readonly hasImages: boolean;
}

/**
 * Samples as one right-padded batch. Position `t` predicts token `t + 1`, so the first label is never a target.
 *
 * @throws InputError if a sample's labels and ids differ in length, or if cross-attention cannot tell what a sample sees
 */
export function collate(examples: readonly TrainingExample[], model: Pick<Model, 'senses'>): Batch {
  const sense = senseOf(model, 'image');
  const length = Math.max(...examples.map((example) => example.inputIds.length));
  const ids = new Array<number>(examples.length * length).fill(0);
  const positions = new Array<number>(examples.length * length).fill(0);
  const imagePositions: number[] = [];
  const targetPositions: number[] = [];
  const targets: number[] = [];
  let tokens = 0;
  for (const [row, { inputIds, labels }] of examples.entries()) {
    if (labels.length !== inputIds.length)
      throw new InputError({
        message: `Sample ${row} of the batch has ${inputIds.length} ids and ${labels.length} labels.`,
      });
    tokens += inputIds.length;
    for (const [column, id] of inputIds.entries()) {
      const flat = row * length + column;
      ids[flat] = id;
      positions[flat] = column;
      if (id === sense?.tokenId) imagePositions.push(flat);
      const next = labels[column + 1];
      if (next !== undefined && next !== ignored) {
        targetPositions.push(flat);
        targets.push(next);
      }
    }
  }
  const pictures = examples.flatMap(({ images }) => (images ? [images] : []));
  const placed = (): Record<string, Tensor> =>
    sense?.cross
      ? crossFeeds(examples, sense.cross, imagePositions)
      : { image_positions: int64(imagePositions, [imagePositions.length]) };
  const shape = [examples.length, length];
  return {
    feeds: {
      input_ids: int64(ids, shape),
      position_ids: int64(positions, shape),
      target_positions: int64(targetPositions, [targets.length]),
      targets: int64(targets, [targets.length]),
      ...(pictures.length > 0 ? { ...tensors(joinTiles(pictures)), ...placed() } : {}),
    },
    targets: targets.length,
    tokens,
    hasImages: pictures.length > 0,
  };
}

/** Encoder inputs joined along their first axis. */
export function joinTiles(
  pictures: readonly Readonly<Record<string, TensorData>>[],
): Record<string, TensorData> {
  const names = Object.keys(pictures[0]!);
  return Object.fromEntries(
    names.map((name): [string, TensorData] => {
      const parts = pictures.map((picture) => picture[name]!);
      const [{ dtype, shape }] = parts as [TensorData];
      const size = parts.reduce((sum, part) => sum + part.data.length, 0);
      const data = dtype === 'int64' ? new BigInt64Array(size) : new Float32Array(size);
      let at = 0;
      for (const part of parts) {
        data.set(part.data as never, at);
        at += part.data.length;
      }
      const tiles = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
      return [name, { dtype, shape: [tiles, ...shape.slice(1)], data } as TensorData];
    }),
  );
}

const tensors = (given: Readonly<Record<string, TensorData>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(given).map(([name, { dtype, shape, data }]) => [
      name,
      tensor(dtype, data as Float32Array | BigInt64Array, shape),
    ]),
  );
