import { ConfigError, InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import type { Tensor } from 'onnxruntime-common';
import { int64, tensor } from './ort.js';

/** Label of a position that is not supervised. */
export const ignored = -100;

/** One training sample after tokenising. */
export interface TrainingExample {
  /** Token ids, placeholders expanded. */
  readonly inputIds: readonly number[];
  /** For each token the id itself where it is supervised, else -100; not shifted. */
  readonly labels: readonly number[];
  /** Encoder inputs of the sample's pictures, tiles first; none for text. */
  readonly images: Readonly<Record<string, TensorData>> | null;
}

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
 * @param imageTokenId placeholder whose places the image embeddings take
 * @throws InputError if a sample's labels and ids differ in length
 */
export function collate(examples: readonly TrainingExample[], imageTokenId: number | null): Batch {
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
      if (id === imageTokenId) imagePositions.push(flat);
      const next = labels[column + 1];
      if (next !== undefined && next !== ignored) {
        targetPositions.push(flat);
        targets.push(next);
      }
    }
  }
  const pictures = examples.flatMap(({ images }) => (images ? [images] : []));
  const shape = [examples.length, length];
  return {
    feeds: {
      input_ids: int64(ids, shape),
      position_ids: int64(positions, shape),
      target_positions: int64(targetPositions, [targets.length]),
      targets: int64(targets, [targets.length]),
      ...(pictures.length > 0
        ? { image_positions: int64(imagePositions, [imagePositions.length]), ...joinTiles(pictures) }
        : {}),
    },
    targets: targets.length,
    tokens,
    hasImages: pictures.length > 0,
  };
}

/** Encoder inputs joined along their first axis. */
function joinTiles(pictures: readonly Readonly<Record<string, TensorData>>[]): Record<string, Tensor> {
  const names = Object.keys(pictures[0]!);
  return Object.fromEntries(
    names.map((name) => {
      const parts = pictures.map((picture) => picture[name]!);
      const [first] = parts;
      if (first!.dtype !== 'float32')
        throw new ConfigError(`The encoder input '${name}' is ${first!.dtype}; training takes float32.`);
      const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
      let at = 0;
      for (const part of parts) {
        data.set(part.data as Float32Array, at);
        at += part.data.length;
      }
      const tiles = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
      return [name, tensor('float32', data, [tiles, ...first!.shape.slice(1)])];
    }),
  );
}
