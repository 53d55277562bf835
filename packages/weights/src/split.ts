import { WeightError } from '@weft/errors';
import type { TensorEntry } from './safetensors.js';

/** A contiguous piece of a stored tensor that counts as a tensor of its own. */
export interface TensorSlice {
  readonly name: string;
  /** First element within the tensor, row-major. */
  readonly start: number;
  readonly shape: readonly number[];
}

/** The pieces of a tensor, or `undefined` if it is one whole. */
export type SplitTensor = (name: string, shape: readonly number[]) => readonly TensorSlice[] | undefined;

/**
 * The tensors of a file with some cut into pieces. No data is copied: a piece is a place in the file.
 *
 * @throws WeightError if a piece reaches beyond its tensor, or two tensors get one name
 */
export function splitTensors(
  tensors: ReadonlyMap<string, TensorEntry>,
  split: SplitTensor,
): Map<string, TensorEntry> {
  const result = new Map<string, TensorEntry>();
  const add = (entry: TensorEntry, from: string): void => {
    const other = result.get(entry.name);
    if (other)
      throw new WeightError({
        message: `'${entry.name}' is a tensor of the file, and a piece of '${from}' too.`,
        where: entry.file,
      });
    result.set(entry.name, entry);
  };
  for (const [name, whole] of tensors) {
    const pieces = split(name, whole.shape);
    if (!pieces) {
      add(whole, name);
      continue;
    }
    const count = elements(whole.shape);
    const bytes = whole.byteLength / count;
    for (const { name: own, start, shape } of pieces) {
      const size = elements(shape);
      const isWithin = start >= 0 && Number.isInteger(start) && start + size <= count;
      // Types of less than a byte cannot be cut everywhere.
      if (!isWithin || !Number.isInteger(start * bytes) || !Number.isInteger(size * bytes))
        throw new WeightError({
          message: `The piece '${own}' [${shape.join(', ')}] at element ${start} is not within the tensor [${whole.shape.join(', ')}].`,
          where: name,
        });
      add(
        { ...whole, name: own, shape, offset: whole.offset + start * bytes, byteLength: size * bytes },
        name,
      );
    }
  }
  return result;
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
