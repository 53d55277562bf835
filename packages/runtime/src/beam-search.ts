import { argmax, processLogits } from './sampling.js';
import type { GenerationSettings } from './generation-options.js';

export interface Beam {
  /** Generated ids. */
  readonly tokenIds: readonly number[];
  /** Sum of log-probabilities over `length ** lengthPenalty`. */
  readonly score: number;
}

export interface BeamSearch {
  readonly promptIds: readonly number[];
  readonly settings: GenerationSettings;
  /** Most tokens of an answer. */
  readonly most: number;
  /** Logits of the prompt's last token, `[V]`. */
  readonly first: Float32Array;
  /** Makes the cache rows those of the given parents, appends one token to each and returns the new logits. */
  readonly next: (
    parents: readonly number[],
    tokenIds: readonly number[],
  ) => Promise<readonly Float32Array[]>;
  /** Whether an answer ends here, besides end tokens and the length. */
  readonly isStopped: (tokenIds: readonly number[]) => boolean;
}

interface Candidate {
  readonly parent: number;
  readonly tokenIds: readonly number[];
  readonly score: number;
  readonly ends: boolean;
}

/**
 * Beam search as transformers does it (`_beam_search`): each step looks at the best `(1 + end tokens) * beams`
 * continuations, the best `beams` that go on are kept running, and finished ones compete by their length-normalised
 * score.
 *
 * @returns the best finished beams, best first
 */
export async function beamSearch({
  promptIds,
  settings,
  most,
  first,
  next,
  isStopped,
}: BeamSearch): Promise<Beam[]> {
  const { numBeams, lengthPenalty, earlyStopping, endTokenIds, numReturnSequences } = settings;
  const considered = Math.max(2, 1 + endTokenIds.size) * numBeams;
  let finished: Beam[] = [];
  let running: Beam[] = [{ tokenIds: [], score: 0 }];
  let logits: readonly Float32Array[] = [first];
  let best: Candidate[] = [];

  for (let length = 1; ; length++) {
    const scored = running.map(({ tokenIds, score }, i) => {
      const logProbabilities = logSoftmax(logits[i]!);
      processLogits(logProbabilities, [...promptIds, ...tokenIds], settings);
      return { logProbabilities, score };
    });
    best = topContinuations(scored, considered).map(([parent, token, score]) => {
      const tokenIds = [...running[parent]!.tokenIds, token];
      return {
        parent,
        tokenIds,
        score,
        ends: endTokenIds.has(token) || length >= most || isStopped(tokenIds),
      };
    });
    const isFull = earlyStopping === true && finished.length >= numBeams;
    const done = best.slice(0, numBeams).filter(({ ends }) => ends && !isFull);
    finished = [
      ...finished,
      ...done.map(({ tokenIds, score }) => ({ tokenIds, score: score / length ** lengthPenalty })),
    ]
      .sort((a, b) => b.score - a.score)
      .slice(0, numBeams);

    const open = best.filter(({ ends }) => !ends).slice(0, numBeams);
    const reach = earlyStopping === 'never' && lengthPenalty > 0 ? most : length;
    const worst = finished.length >= numBeams ? finished.at(-1)!.score : -1e9;
    const canImprove = open.length > 0 && open[0]!.score / reach ** lengthPenalty > worst;
    if (!canImprove || (earlyStopping === true && finished.length >= numBeams)) break;
    running = open;
    logits = await next(
      open.map(({ parent }) => parent),
      open.map(({ tokenIds }) => tokenIds.at(-1)!),
    );
  }
  return finished.slice(0, numReturnSequences);
}

function logSoftmax(logits: Float32Array): Float32Array {
  const most = logits[argmax(logits)]!;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const shift = most + Math.log(sum);
  return logits.map((logit) => logit - shift);
}

/** The best continuations of all beams as `[beam, token, score]`, best first; of equal ones the first. */
function topContinuations(
  beams: readonly { readonly logProbabilities: Float32Array; readonly score: number }[],
  count: number,
): [beam: number, token: number, score: number][] {
  const best: [number, number, number][] = [];
  for (const [beam, { logProbabilities, score }] of beams.entries())
    for (let token = 0; token < logProbabilities.length; token++) {
      const total = Math.fround(logProbabilities[token]! + score);
      if (best.length === count && total <= best[count - 1]![2]) continue;
      let at = best.length;
      while (at > 0 && best[at - 1]![2] < total) at--;
      best.splice(at, 0, [beam, token, total]);
      if (best.length > count) best.pop();
    }
  return best;
}
