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
