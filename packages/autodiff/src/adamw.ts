import { add, div, mul, sqrt, type Value } from '@weft/graph';

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}

/** What a parameter loses in one update, and its new moments. */
export interface SteppedParameter {
  readonly change: Value;
  readonly first: Value;
  readonly second?: Value;
}

/** One step of AdamW (Loshchilov and Hutter 2019, with PyTorch's order of operations). */
export function adamwStep(
  given: {
    readonly gradient: Value;
    readonly first: Value;
    readonly second: Value;
    readonly rate: Value;
    readonly firstCorrection: Value;
    readonly secondCorrection: Value;
  },
  { beta1, beta2, eps }: AdamWOptions,
): SteppedParameter {
  const { gradient, rate, firstCorrection, secondCorrection } = given;
  const first = add(mul(given.first, beta1), mul(gradient, 1 - beta1));
  const second = add(mul(given.second, beta2), mul(mul(gradient, gradient), 1 - beta2));
  const denominator = add(div(sqrt(second), secondCorrection), eps);
  return { change: mul(div(rate, firstCorrection), div(first, denominator)), first, second };
}
