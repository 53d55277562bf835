import { splitMix32, xoshiro128 } from '@weft/models';

/** Random numbers from a seed: the same seed gives the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
}

/**
 * Random numbers by xoshiro128**, its state filled by SplitMix32 from the seed's two halves.
 *
 * @param seed whole number from 0 to 2^53 - 1
 */
export function seededRandom(seed: number): Random {
  const mixed = (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32) >>> 0, 0x85ebca6b);
  const next = xoshiro128(splitMix32(mixed));
  return { uniform: () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53 };
}
