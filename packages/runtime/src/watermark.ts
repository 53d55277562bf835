import type { LogitsProcessor } from './logits-processors.js';

/** A watermark in the choice of tokens (Kirchenbauer et al. 2023): some of them, chosen by what came before, are lifted. */
export interface Watermarking {
  /** Share of the vocabulary that is lifted; 0.25 unless given. */
  readonly greenlistRatio?: number | undefined;
  /** What is added to their logits; 2 unless given. */
  readonly bias?: number | undefined;
  /** Whole number; who knows it can find the watermark. 15485863 unless given. */
  readonly hashingKey?: number | undefined;
  /** `lefthash` (unless given) chooses by the last token, `selfhash` by the last ones and the token itself. */
  readonly seedingScheme?: 'lefthash' | 'selfhash' | undefined;
  /** Tokens that count for the choice, and that there must be before the first is lifted; 1 unless given. */
  readonly contextWidth?: number | undefined;
}

/** Length of the table of `selfhash`. */
const tableSize = 1_000_003;
/** Candidates that `selfhash` looks at. */
const mostCandidates = 40;

/** Lifts tokens as transformers' `WatermarkLogitsProcessor` does, with its choice of tokens. */
export function watermark({
  greenlistRatio = 0.25,
  bias = 2,
  hashingKey = 15485863,
  seedingScheme = 'lefthash',
  contextWidth = 1,
}: Watermarking): LogitsProcessor {
  const key = BigInt(hashingKey);
  let table: Uint32Array | undefined;
  const selfHash = (ids: readonly number[]): bigint => {
    const known = (table ??= permutation(tableSize, tableSize - 1, key));
    const hashes = ids.slice(-contextWidth).map((id) => BigInt(known[id % tableSize]! + 1));
    // Products of tensors of 64 bits run over.
    const products = hashes.map((hash) => BigInt.asIntN(64, BigInt.asIntN(64, key * hash) * hashes.at(-1)!));
    return products.reduce((least, product) => (product < least ? product : least));
  };
  const lifted = (vocabulary: number, seed: bigint): Uint32Array => {
    const count = Math.trunc(vocabulary * greenlistRatio);
    return permutation(vocabulary, count, seed).subarray(0, count);
  };
  return (logits, ids) => {
    if (ids.length < contextWidth) return;
    const green: Iterable<number> =
      seedingScheme === 'lefthash'
        ? lifted(logits.length, key * BigInt(ids.at(-1)!))
        : bestFirst(logits)
            .slice(0, mostCandidates)
            .filter((id) => lifted(logits.length, selfHash([...ids, id])).includes(id));
    for (const id of green) logits[id]! += bias;
  };
}

const bestFirst = (logits: Float32Array): number[] =>
  Array.from(logits.keys()).sort((a, b) =>
    logits[a]! > logits[b]! ? -1 : logits[a]! < logits[b]! ? 1 : a - b,
  );

/** The beginning of `torch.randperm(length)` on the CPU: its first `count` places are settled. */
function permutation(length: number, count: number, seed: bigint): Uint32Array {
  const next = mersenneTwister(seed);
  const result = Uint32Array.from({ length }, (_, i) => i);
  for (let i = 0; i < Math.min(count, length - 1); i++) {
    const at = i + (next() % (length - i));
    const value = result[i]!;
    result[i] = result[at]!;
    result[at] = value;
  }
  return result;
}

/** Seeds of torch's generator are taken modulo this. */
const seeds = 2n ** 64n - 1n;

/** MT19937 (Matsumoto and Nishimura 1998), seeded as torch's generator on the CPU; 32 bits each. */
function mersenneTwister(seed: bigint): () => number {
  const state = new Uint32Array(624);
  state[0] = Number((((seed % seeds) + seeds) % seeds) & 0xffffffffn);
  for (let i = 1; i < state.length; i++)
    state[i] = Math.imul(1812433253, state[i - 1]! ^ (state[i - 1]! >>> 30)) + i;
  let at = state.length;
  const renew = (): void => {
    for (let i = 0; i < state.length; i++) {
      const mixed = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff);
      state[i] = state[(i + 397) % 624]! ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    at = 0;
  };
  return () => {
    if (at >= state.length) renew();
    let bits = state[at++]!;
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  };
}
