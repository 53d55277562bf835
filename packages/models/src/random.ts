/** The next whole number from 0 to 2^32 - 1. */
export type RandomBits = () => number;

/**
 * SplitMix32, which fills the state of another generator from one number: neighbouring seeds give states that have nothing
 * in common.
 *
 * @param seed its low 32 bits count
 * @see Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
 */
export function splitMix32(seed: number): RandomBits {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/**
 * xoshiro128**: the same state gives the same numbers on every machine. Drawn tokens, initial weights and the pictures of
 * the embedded model's world come from it.
 *
 * @param fill gives the four words of the state, not all of them 0
 * @see Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021).
 */
export function xoshiro128(fill: RandomBits): RandomBits {
  let [a, b, c, d] = [fill(), fill(), fill(), fill()];
  return () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
}
