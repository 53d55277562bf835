import type { TrainingExample } from './training-example.js';

/** Training samples by number. A generator of endless samples has the size `Infinity`. */
export interface Dataset {
  readonly size: number;
  /** @param index below `size`; the same index gives the same sample */
  example(index: number): TrainingExample | Promise<TrainingExample>;
}

/**
 * Index of the `n`-th sample of a run: every epoch visits all samples once, in an order that depends on the seed
 * and the epoch only. So a run can go on anywhere without replaying what came before.
 */
export function sampleIndex(size: number, seed: number, n: number): number {
  if (!Number.isFinite(size)) return n;
  const epoch = Math.floor(n / size);
  return permute(n % size, size, (Math.imul(seed, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b)) >>> 0);
}

/** A permutation of `0 … size - 1` by a four-round Feistel network, walked until it lands inside. */
function permute(index: number, size: number, key: number): number {
  const bits = Math.max(2, Math.ceil(Math.log2(size) / 2) * 2);
  const half = bits / 2;
  const mask = 2 ** half - 1;
  let value = index;
  do {
    let [left, right] = [Math.floor(value / 2 ** half), value & mask];
    for (let round = 0; round < 4; round++) {
      let hash = Math.imul(right ^ key, 0x85ebca6b) + round * 0x9e3779b9;
      hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
      [left, right] = [right, (left ^ (hash ^ (hash >>> 13))) & mask];
    }
    value = left * 2 ** half + right;
  } while (value >= size);
  return value;
}
