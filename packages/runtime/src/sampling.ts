import { SessionError } from '@weft/errors';
import type { Random } from './random.js';

/** Changes logits `[V]` in place, given the ids of prompt and answer so far. */
export type LogitsProcessor = (logits: Float32Array, ids: readonly number[]) => void;

/** How the next token is chosen. A value of `undefined` leaves its step out. */
export interface SamplingSettings {
  readonly doSample: boolean;
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
  readonly noRepeatNgramSize?: number | undefined;
  readonly logitsProcessors: readonly LogitsProcessor[];
}

/** Logits of tokens that occurred are divided by the penalty if positive, else multiplied (Keskar et al. 2019). */
export function penalizeRepetition(logits: Float32Array, ids: readonly number[], penalty: number): void {
  for (const id of new Set(ids)) {
    const logit = logits[id];
    if (logit !== undefined) logits[id] = logit < 0 ? logit * penalty : logit / penalty;
  }
}

/** Forbids tokens that would complete a run of `size` tokens that occurred before. */
export function forbidRepeatedNgrams(logits: Float32Array, ids: readonly number[], size: number): void {
  if (ids.length < size) return;
  const start = ids.length + 1 - size;
  for (let at = 0; at + size <= ids.length; at++) {
    let same = true;
    for (let i = 0; same && i < size - 1; i++) same = ids[at + i] === ids[start + i];
    const banned = ids[at + size - 1]!;
    if (same && banned < logits.length) logits[banned] = -Infinity;
  }
}

export function applyTemperature(logits: Float32Array, temperature: number): void {
  for (let i = 0; i < logits.length; i++) logits[i] = logits[i]! / temperature;
}

/** Keeps the `k` largest logits, and those equal to the smallest of them. */
export function keepTopK(logits: Float32Array, k: number): void {
  if (k >= logits.length) return;
  const threshold = largest(logits, k);
  for (let i = 0; i < logits.length; i++) if (logits[i]! < threshold) logits[i] = -Infinity;
}

/** Keeps the smallest set of most probable tokens whose probabilities reach `p` (Holtzman et al. 2020). */
export function keepTopP(logits: Float32Array, p: number): void {
  const probabilities = softmax(logits);
  const allowed = 1 - p;
  // Tokens below this share cannot reach `allowed` together, so only the others need sorting.
  const share = allowed / logits.length;
  let cumulative = 0;
  const candidates: number[] = [];
  for (let i = 0; i < logits.length; i++) {
    if (probabilities[i]! > share) candidates.push(i);
    else {
      cumulative += probabilities[i]!;
      logits[i] = -Infinity;
    }
  }
  candidates.sort((a, b) => probabilities[a]! - probabilities[b]! || a - b);
  candidates.pop();
  for (const i of candidates) {
    cumulative += probabilities[i]!;
    if (cumulative > allowed) return;
    logits[i] = -Infinity;
  }
}

/** Keeps tokens that are at least `p` times as probable as the most probable one. */
export function keepMinP(logits: Float32Array, p: number): void {
  const most = logits[argmax(logits)]!;
  const threshold = most + Math.log(p);
  for (let i = 0; i < logits.length; i++) if (logits[i]! < threshold) logits[i] = -Infinity;
}

/** Index of the largest value; of equal ones the lowest. */
export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Probabilities of logits, in double precision. */
export function softmax(logits: Float32Array): Float64Array {
  const most = logits[argmax(logits)]!;
  const result = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += result[i] = Math.exp(logits[i]! - most);
  for (let i = 0; i < result.length; i++) result[i]! /= sum;
  return result;
}

/** Penalties, then the caller's own processors: what transformers applies before it looks at `do_sample`. */
export function processLogits(
  logits: Float32Array,
  ids: readonly number[],
  settings: SamplingSettings,
): void {
  const { repetitionPenalty = 1, noRepeatNgramSize = 0, logitsProcessors } = settings;
  if (repetitionPenalty !== 1) penalizeRepetition(logits, ids, repetitionPenalty);
  if (noRepeatNgramSize > 0) forbidRepeatedNgrams(logits, ids, noRepeatNgramSize);
  for (const processor of logitsProcessors) processor(logits, ids);
}

/** Temperature, top-k, top-p, min-p, in the order of transformers. */
export function warpLogits(
  logits: Float32Array,
  { temperature = 1, topK = 0, topP = 1, minP }: SamplingSettings,
): void {
  if (temperature !== 1) applyTemperature(logits, temperature);
  if (topK > 0) keepTopK(logits, topK);
  if (topP < 1) keepTopP(logits, topP);
  if (minP !== undefined && minP > 0) keepMinP(logits, minP);
}

/**
 * The next token from logits `[V]`, which are changed.
 *
 * @throws SessionError if no token is left, or the logits are no numbers
 */
export function chooseToken(
  logits: Float32Array,
  ids: readonly number[],
  settings: SamplingSettings,
  random: Random,
): number {
  processLogits(logits, ids, settings);
  if (settings.doSample) warpLogits(logits, settings);
  const best = argmax(logits);
  if (!(logits[best]! > -Infinity))
    throw new SessionError({
      message: `No token can follow: the best of ${logits.length} logits is ${logits[best]}.`,
      hint: 'A logits processor forbids every token, or the weights hold values that are no numbers.',
    });
  return settings.doSample ? draw(softmax(logits), random) : best;
}

function draw(probabilities: Float64Array, random: Random): number {
  let rest = random.uniform();
  let last = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const probability = probabilities[i]!;
    if (probability === 0) continue;
    last = i;
    rest -= probability;
    if (rest < 0) return i;
  }
  // Rounding may leave a little over after the last token.
  return last;
}

/** The k-th largest value, by a heap of the k largest seen. */
function largest(values: Float32Array, k: number): number {
  const heap = values.slice(0, k).sort();
  for (let i = k; i < values.length; i++) {
    const value = values[i]!;
    if (value <= heap[0]!) continue;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) break;
      if (child + 1 < k && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= value) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = value;
  }
  return heap[0]!;
}
