/**
 * What transformers calls logits processors: penalties, biases, and tokens that are forced or forbidden. Each takes
 * logits `[V]` and changes them in place. Arithmetic is that of float32 tensors there: numbers of the settings are rounded
 * to float32 before they meet a logit. Ids outside of the vocabulary change nothing.
 */

/** Changes logits `[V]` in place, given the ids of prompt and answer so far. */
export type LogitsProcessor = (logits: Float32Array, ids: readonly number[]) => void;

/** A sequence of ids and what is added to the logit of its last, where the others came just before. */
export type SequenceBias = readonly [sequence: readonly number[], bias: number];

const largestFloat = 3.4028234663852886e38;

function forbid(logits: Float32Array, ids: Iterable<number>): void {
  for (const id of ids) if (id >= 0 && id < logits.length) logits[id] = -Infinity;
}

/** Whether the last ids are those of a sequence but its last. */
function isBegun(ids: readonly number[], sequence: readonly number[]): boolean {
  const start = ids.length + 1 - sequence.length;
  if (start < 0) return false;
  for (let i = 0; i < sequence.length - 1; i++) if (ids[start + i] !== sequence[i]) return false;
  return true;
}

/** Adds a bias to tokens that would complete a sequence. Of two for one sequence the last counts. */
export function biasSequences(biases: readonly SequenceBias[]): LogitsProcessor {
  const bySequence = new Map(biases.map(([ids, bias]) => [ids.join(), [ids, Math.fround(bias)] as const]));
  const single = [...bySequence.values()].filter(([ids]) => ids.length === 1);
  const longer = [...bySequence.values()].filter(([ids]) => ids.length > 1);
  return (logits, ids) => {
    const sums = new Map(single.map(([[id], bias]) => [id!, bias]));
    for (const [sequence, bias] of longer)
      if (isBegun(ids, sequence)) {
        const last = sequence.at(-1)!;
        sums.set(last, Math.fround((sums.get(last) ?? 0) + bias));
      }
    for (const [id, bias] of sums) if (id < logits.length) logits[id]! += bias;
  };
}

/** Forbids tokens that would complete one of the sequences. An end token alone is never forbidden. */
export const forbidSequences = (
  sequences: readonly (readonly number[])[],
  endTokenIds: ReadonlySet<number>,
): LogitsProcessor =>
  biasSequences(
    sequences
      .filter((ids) => ids.length > 1 || !endTokenIds.has(ids[0]!))
      .map((ids): SequenceBias => [ids, -Infinity]),
  );

/** Logits of some tokens are divided by the penalty if positive, else multiplied. */
function penalize(logits: Float32Array, ids: Iterable<number>, penalty: number): void {
  const divisor = Math.fround(penalty);
  for (const id of ids) {
    const logit = logits[id];
    if (logit !== undefined) logits[id] = logit < 0 ? logit * divisor : logit / divisor;
  }
}

/** Tokens that occurred become less likely by a penalty above 1 (Keskar et al. 2019). */
export const penalizeRepetition =
  (penalty: number): LogitsProcessor =>
  (logits, ids) =>
    penalize(logits, new Set(ids), penalty);

/** Tokens of the prompt become more likely by a penalty above 1: what is not in the prompt is penalized. */
export function penalizeNews(penalty: number, promptIds: readonly number[]): LogitsProcessor {
  const known = new Set(promptIds);
  return (logits) => penalize(logits, known, 1 / penalty);
}

/** Forbids tokens that would complete a run of `size` tokens that occurred before. */
export const forbidRepeatedNgrams =
  (size: number): LogitsProcessor =>
  (logits, ids) => {
    if (ids.length < size) return;
    const start = ids.length + 1 - size;
    for (let at = 0; at + size <= ids.length; at++) {
      let same = true;
      for (let i = 0; same && i < size - 1; i++) same = ids[at + i] === ids[start + i];
      if (same) forbid(logits, [ids[at + size - 1]!]);
    }
  };

/** Forbids tokens that would complete a run of `size` tokens of the prompt. */
export function forbidNgramsOf(promptIds: readonly number[], size: number): LogitsProcessor {
  const following = new Map<string, number[]>();
  for (let at = 0; at + size <= promptIds.length; at++) {
    const begun = promptIds.slice(at, at + size - 1).join();
    const ids = following.get(begun);
    if (ids) ids.push(promptIds[at + size - 1]!);
    else following.set(begun, [promptIds[at + size - 1]!]);
  }
  return (logits, ids) => {
    if (ids.length < size - 1) return;
    forbid(logits, following.get(ids.slice(ids.length + 1 - size).join()) ?? []);
  };
}

/** Forbids tokens while prompt and answer have fewer than `length` tokens. */
export const forbidBefore =
  (length: number, tokens: ReadonlySet<number>): LogitsProcessor =>
  (logits, ids) => {
    if (ids.length < length) forbid(logits, tokens);
  };

/** Forbids tokens always. */
export const suppress =
  (tokens: readonly number[]): LogitsProcessor =>
  (logits) =>
    forbid(logits, tokens);

/** Forbids tokens where prompt and answer have `length` tokens. */
export const suppressAt =
  (length: number, tokens: readonly number[]): LogitsProcessor =>
  (logits, ids) => {
    if (ids.length === length) forbid(logits, tokens);
  };

/** Allows nothing but some tokens where prompt and answer have `length` tokens; each gets the logit 0. */
export const forceAt =
  (length: number, tokens: readonly number[]): LogitsProcessor =>
  (logits, ids) => {
    if (ids.length !== length) return;
    logits.fill(-Infinity);
    for (const id of tokens) if (id < logits.length) logits[id] = 0;
  };

/** NaN becomes 0, and what is infinite the largest number of float32. */
export const removeInvalidValues: LogitsProcessor = (logits) => {
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!;
    if (Number.isNaN(logit)) logits[i] = 0;
    else if (!Number.isFinite(logit)) logits[i] = logit > 0 ? largestFloat : -largestFloat;
  }
};

/**
 * Lifts the end tokens by a share of their logit's size that grows as `factor ** steps`, once prompt and answer are longer
 * than `start`. One that is forbidden stays so; in transformers it becomes NaN, which wins.
 */
export const decayLength =
  (start: number, factor: number, endTokenIds: ReadonlySet<number>): LogitsProcessor =>
  (logits, ids) => {
    const steps = ids.length - start;
    if (steps <= 0) return;
    const growth = Math.fround(factor ** steps - 1);
    for (const id of endTokenIds) {
      const logit = logits[id];
      if (logit !== undefined && logit !== -Infinity)
        logits[id] = logit + Math.fround(Math.abs(logit) * growth);
    }
  };

/** Makes logarithms of probabilities of logits. */
export const normalize: LogitsProcessor = (logits) => {
  let most = -Infinity;
  for (const logit of logits) most = Math.max(most, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const shift = most + Math.log(sum);
  for (let i = 0; i < logits.length; i++) logits[i]! -= shift;
};
