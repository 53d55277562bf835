import type { TensorLike } from './tensor.js';

export interface Closeness {
  /** Largest difference allowed, as a share of `scale`. */
  readonly tolerance: number;
  /** What differences are measured against; by default the largest expected element. */
  readonly scale?: number;
  /** What is compared, for the message. */
  readonly what: string;
}

/** The largest magnitude in a tensor. */
export function largestOf({ data }: TensorLike): number {
  let largest = 0;
  for (let i = 0; i < data.length; i++) largest = Math.max(largest, Math.abs(Number(data[i])));
  return largest;
}

/**
 * Compares two tensors element by element.
 *
 * @returns the largest difference as a share of the scale
 * @throws Error that names the worst element, if the shapes differ or a difference is larger than allowed
 */
export function assertClose(
  actual: TensorLike,
  expected: TensorLike,
  { tolerance, scale, what }: Closeness,
): number {
  if (actual.shape.join() !== expected.shape.join())
    throw new Error(
      `${what}: the shape is [${actual.shape.join(', ')}], expected [${expected.shape.join(', ')}].`,
    );
  const unit = (scale ?? largestOf(expected)) || 1;
  let [worst, at] = [0, 0];
  for (let i = 0; i < expected.data.length; i++) {
    const difference = Math.abs(Number(actual.data[i]) - Number(expected.data[i])) / unit;
    if (!(difference <= worst)) [worst, at] = [difference, i];
    if (Number.isNaN(difference)) break;
  }
  if (!(worst <= tolerance))
    throw new Error(
      `${what}: element ${at} of [${expected.shape.join(', ')}] is ${Number(actual.data[at])}, expected ${Number(expected.data[at])}; ` +
        `the difference is ${worst.toExponential(2)} of ${unit.toPrecision(3)}, allowed ${tolerance}.`,
    );
  return worst;
}
