/** Random numbers from a seed: the same seed gives the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
}

/**
 * xoshiro128** (Blackman and Vigna 2018), its state filled by SplitMix32 from the seed's two halves.
 *
 * @param seed whole number from 0 to 2^53 - 1
 */
export function seededRandom(seed: number): Random {
  let mixed = (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32) >>> 0, 0x85ebca6b);
  const splitMix = (): number => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const s = Uint32Array.of(splitMix(), splitMix(), splitMix(), splitMix());
  const rotate = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotate(s[3]!, 11);
    return result;
  };
  return { uniform: () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53 };
}
