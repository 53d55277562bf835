import { namedParameters, type Part } from '@weft/graph';
import { countOf, type Tensor } from './tensor.js';

/** Numbers in [0, 1) that depend on the seed only (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normally distributed numbers that float32 holds exactly, so that every target sees the same ones. */
export function randomTensor(
  shape: readonly number[],
  seed: number,
  { mean = 0, std = 1 }: { mean?: number; std?: number } = {},
): Tensor {
  const next = randomNumbers(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return {
    shape,
    data: Float64Array.from({ length: countOf(shape) }, () => Math.fround(mean + std * normal())),
  };
}

/** Whole numbers from `low` (included) to `high` (excluded). */
export function randomIntegers(shape: readonly number[], seed: number, low: number, high: number): Tensor {
  const next = randomNumbers(seed);
  return {
    shape,
    data: Float64Array.from({ length: countOf(shape) }, () => low + Math.floor(next() * (high - low))),
  };
}

/**
 * A value for every parameter. None keeps what it starts with: norms are not 1 and biases not 0, which would hide
 * mistakes; matrices keep the size of their input.
 */
export function randomParameters(model: Part, seed: number): Record<string, Tensor> {
  const filled: Record<string, Tensor> = {};
  for (const [path, { shape, initializer }] of namedParameters(model)) {
    const options =
      initializer.kind === 'ones'
        ? { mean: 1, std: 0.2 }
        : initializer.kind === 'zeros'
          ? { std: 0.2 }
          : { std: shape.length < 2 ? 0.5 : 1 / Math.sqrt(countOf(shape.slice(1))) };
    filled[path] = randomTensor(shape, seed + Object.keys(filled).length, options);
  }
  return filled;
}
