import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';

/** One comparison with the reference. */
export interface VerifyCheck {
  readonly name: string;
  /** Largest difference, in the check's own measure; see the README. */
  readonly maxDiff: number;
  /** Largest difference that passes. */
  readonly tolerance: number;
  readonly ok: boolean;
}

/** Tensors of a golden file. */
export type Tensors = Readonly<Record<string, TensorData>>;
/** Metadata of a golden file. */
export type Metadata = Readonly<Record<string, string>>;

export const check = (name: string, maxDiff: number, tolerance: number): VerifyCheck => ({
  name,
  maxDiff,
  tolerance,
  ok: maxDiff <= tolerance,
});

/** Whether a tensor has a shape; values in another order of axes are other values. */
export const hasShape = ({ shape }: TensorData, expected: readonly number[]): boolean =>
  shape.length === expected.length && shape.every((size, i) => size === expected[i]);

/** @throws InputError if a reference has another shape than the model gives */
export function requireShape(name: string, reference: TensorData, expected: readonly number[]): void {
  if (hasShape(reference, expected)) return;
  throw new InputError({
    message: `${name} of the golden file is [${reference.shape.join(', ')}], but the model gives [${expected.join(', ')}].`,
    where: 'golden.safetensors',
    hint: 'The file belongs to another model or configuration, or its axes are in another order.',
  });
}
