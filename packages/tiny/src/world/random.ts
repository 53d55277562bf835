import { xoshiro128, type RandomBits } from '@weft/models';

/** Seeded pseudo-random numbers. The same seed gives the same numbers on every machine. */
export class Random {
  readonly #next: RandomBits;
  #spare: number | undefined;

  /** @param seed - Any number; its low 53 bits count. */
  constructor(seed: number) {
    let state = (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b1)) >>> 0;
    const split = (): number => {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    };
    let words = 0;
    // The pictures that the embedded model was trained on come from these numbers, so they stay as they are: the mixing has
    // other constants than SplitMix32, and the last word is never 0, since a state of all zeros would stay so for ever.
    this.#next = xoshiro128(() => (++words === 4 ? split() | 1 : split()));
  }

  /** A 32-bit unsigned integer. */
  bits(): number {
    return this.#next();
  }

  /** Uniform in `[0, 1)`. */
  next(): number {
    return this.bits() / 2 ** 32;
  }

  /** Uniform in `[low, high)`. */
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Uniform integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One item, all equally likely. */
  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)] as T;
  }

  /** An index, each as likely as its weight. */
  weighted(weights: readonly number[]): number {
    let rest = this.next() * weights.reduce((sum, weight) => sum + weight, 0);
    for (let i = 0; i < weights.length; i++) {
      rest -= weights[i]!;
      if (rest < 0) return i;
    }
    return weights.length - 1;
  }

  /** The items in a random order; the argument stays as it is. */
  shuffle<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }

  /** Normal with mean 0 and variance 1 (Marsaglia's polar method). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const u = this.between(-1, 1);
      const v = this.between(-1, 1);
      const s = u * u + v * v;
      if (s === 0 || s >= 1) continue;
      const scale = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spare = v * scale;
      return u * scale;
    }
  }
}
