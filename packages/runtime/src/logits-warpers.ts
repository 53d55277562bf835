/**
 * What transformers called logits warpers: temperature and the ways to leave unlikely tokens out, which only sampling
 * uses. Each changes logits `[V]` in place; what is left out becomes -Infinity. `least` tokens stay in any case: 1, and
 * in beam search one more than there are end tokens.
 */

export function applyTemperature(logits: Float32Array, temperature: number): void {
  const divisor = Math.fround(temperature);
  for (let i = 0; i < logits.length; i++) logits[i] = logits[i]! / divisor;
}

/** Keeps the `k` largest logits, and those equal to the smallest of them. */
export function keepTopK(logits: Float32Array, k: number, least = 1): void {
  const count = Math.max(k, least);
  if (count >= logits.length) return;
  const threshold = largest(logits, count);
  for (let i = 0; i < logits.length; i++) if (logits[i]! < threshold) logits[i] = -Infinity;
}

/** Keeps the smallest set of most probable tokens whose probabilities reach `p` (Holtzman et al. 2020). */
export function keepTopP(logits: Float32Array, p: number, least = 1): void {
  const probabilities = softmax(logits);
  const allowed = Math.fround(1 - p);
  // Tokens below this share cannot reach `allowed` together, so only the others need sorting.
  const share = allowed / logits.length;
  // Of equal ones the last, as after a stable sort upwards.
  const best = mostProbable(logits, least, (a, b) => b - a);
  const kept = best.map((i) => logits[i]!);
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
  for (const i of candidates) {
    cumulative += probabilities[i]!;
    if (cumulative > allowed) break;
    logits[i] = -Infinity;
  }
  for (const [at, i] of best.entries()) logits[i] = kept[at]!;
}

/** Keeps tokens that are at least `p` times as probable as the most probable one. */
export function keepMinP(logits: Float32Array, p: number, least = 1): void {
  const threshold = logits[argmax(logits)]! + Math.log(p);
  const floor = least > 1 ? largest(logits, Math.min(least, logits.length)) : Infinity;
  for (let i = 0; i < logits.length; i++)
    if (logits[i]! < threshold && logits[i]! < floor) logits[i] = -Infinity;
}

/** Tokens that top-h looks at. */
const mostEntropic = 100;

/**
 * Keeps the most probable tokens as long as their share of the entropy is at most `h` of the whole; the first stays in
 * any case.
 */
export function keepTopH(logits: Float32Array, h: number): void {
  const best = mostProbable(logits, mostEntropic, (a, b) => a - b);
  const probabilities = softmax(Float32Array.from(best, (i) => logits[i]!));
  const budget = entropy(probabilities) * h;
  const kept = new Map([[best[0]!, logits[best[0]!]!]]);
  let spent = 0;
  for (const [at, p] of probabilities.entries()) {
    spent -= p * Math.log(p);
    // Nor does one of probability 0 stay, whose share is no number.
    if (at > 0 && !(spent <= budget)) break;
    kept.set(best[at]!, logits[best[at]!]!);
  }
  logits.fill(-Infinity);
  for (const [i, logit] of kept) logits[i] = logit;
}

/**
 * Keeps the tokens whose information is closest to the expected one, until their probabilities reach `mass` (Meister et
 * al. 2022).
 */
export function keepTypical(logits: Float32Array, mass: number, least = 1): void {
  const probabilities = softmax(logits);
  const expected = entropy(probabilities);
  const surprise = Float32Array.from(probabilities, (p) => Math.abs(-Math.log(p) - expected));
  const order = Array.from(probabilities.keys())
    .filter((i) => probabilities[i]! > 0)
    .sort((a, b) => surprise[a]! - surprise[b]! || a - b);
  const limit = Math.fround(mass);
  let cumulative = 0;
  const last = order.find((i) => (cumulative += probabilities[i]!) >= limit);
  if (last === undefined) return;
  const kept = new Set(order.slice(0, least));
  for (let i = 0; i < logits.length; i++)
    if (surprise[i]! > surprise[last]! && !kept.has(i)) logits[i] = -Infinity;
}

/** Keeps tokens of at least this probability, and the `least` best (Hewitt et al. 2022). */
export function cutBelow(
  logits: Float32Array,
  threshold: (probabilities: Float64Array) => number,
  least = 1,
): void {
  const probabilities = softmax(logits);
  const limit = threshold(probabilities);
  const floor = largest(logits, Math.min(least, logits.length));
  for (let i = 0; i < logits.length; i++)
    if (probabilities[i]! < limit && logits[i]! < floor) logits[i] = -Infinity;
}

/** Probability below which eta sampling leaves tokens out: lower where the distribution is flat (Hewitt et al. 2022). */
export const etaThreshold =
  (epsilon: number) =>
  (probabilities: Float64Array): number =>
    Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy(probabilities)));

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

/** In nats. */
function entropy(probabilities: Float64Array): number {
  let sum = 0;
  for (const p of probabilities) if (p > 0) sum -= p * Math.log(p);
  return sum;
}

/** Indices of the `count` largest logits, largest first. @param among order of indices of equal ones */
function mostProbable(
  logits: Float32Array,
  count: number,
  among: (a: number, b: number) => number,
): number[] {
  const threshold = largest(logits, Math.min(count, logits.length));
  const indices: number[] = [];
  for (let i = 0; i < logits.length; i++) if (logits[i]! >= threshold) indices.push(i);
  return indices.sort((a, b) => compare(logits[b]!, logits[a]!) || among(a, b)).slice(0, count);
}

/** Order of two numbers; infinite ones may be equal. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

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
