import { SessionError } from '@weft/errors';
import type { GenerationSettings } from './generation-options.js';
import { normalize } from './logits-processors.js';
import { seededRandom, type Random } from './random.js';
import { processorsOf } from './sampling.js';

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
 * score. Where it samples, continuations are drawn by their probabilities, none twice, in place of the best.
 *
 * @returns the best finished beams, best first; at least one
 * @throws SessionError if no token can follow
 */
export async function beamSearch({
  promptIds,
  settings,
  most,
  first,
  next,
  isStopped,
}: BeamSearch): Promise<Beam[]> {
  const { numBeams, lengthPenalty, earlyStopping, endTokenIds, numReturnSequences, doSample } = settings;
  const processors = processorsOf(settings, { promptIds, most });
  // In transformers 5.18 the penalty by the prompt reaches the first beam only.
  const ofOthers = processorsOf({ ...settings, encoderRepetitionPenalty: 1 }, { promptIds, most });
  const random = seededRandom(settings.seed ?? Math.floor(Math.random() * 2 ** 53));
  const considered = Math.max(2, 1 + endTokenIds.size) * numBeams;
  let finished: Beam[] = [];
  let running: Beam[] = [{ tokenIds: [], score: 0 }];
  let logits: readonly Float32Array[] = [first];
  let best: Candidate[] = [];

  for (let length = 1; ; length++) {
    const scored = running.map(({ tokenIds, score }, i) => {
      const logProbabilities = logits[i]!.slice();
      const ids = [...promptIds, ...tokenIds];
      for (const processor of [normalize, ...(i === 0 ? processors : ofOthers)])
        processor(logProbabilities, ids);
      return { logProbabilities, score };
    });
    best = topContinuations(scored, considered, doSample ? random : undefined).map(
      ([parent, token, score]) => {
        const tokenIds = [...running[parent]!.tokenIds, token];
        return {
          parent,
          tokenIds,
          score,
          ends: endTokenIds.has(token) || length >= most || isStopped(tokenIds),
        };
      },
    );
    const isFull = earlyStopping === true && finished.length >= numBeams;
    const done = best.slice(0, numBeams).filter(({ ends }) => ends && !isFull);
    finished = [
      ...finished,
      ...done.map(({ tokenIds, score }) => ({ tokenIds, score: score / length ** lengthPenalty })),
    ]
      .sort((a, b) => b.score - a.score)
      .slice(0, numBeams);

    // Continuations that were drawn are not in the order of their scores.
    const open = best
      .filter(({ ends }) => !ends)
      .sort((a, b) => b.score - a.score)
      .slice(0, numBeams);
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
  if (finished.length === 0)
    throw new SessionError({
      message: 'No token can follow: every continuation of every beam is forbidden.',
      hint: 'The settings or a logits processor forbid every token, or the weights hold values that are no numbers.',
    });
  return finished.slice(0, numReturnSequences);
}

/**
 * The best continuations of all beams as `[beam, token, score]`, best first; of equal ones the first. With random numbers
 * they are drawn without replacement by the softmax of their scores, in the order of the draws: the largest scores, each
 * with a Gumbel noise of its own (Kool et al. 2019). What is forbidden does not come.
 */
function topContinuations(
  beams: readonly { readonly logProbabilities: Float32Array; readonly score: number }[],
  count: number,
  random: Random | undefined,
): [beam: number, token: number, score: number][] {
  const best: [number, number, number][] = [];
  const keys: number[] = [];
  for (const [beam, { logProbabilities, score }] of beams.entries())
    for (let token = 0; token < logProbabilities.length; token++) {
      const total = Math.fround(logProbabilities[token]! + score);
      if (!(total > -Infinity)) continue;
      const key = random ? total - Math.log(-Math.log(random.uniform())) : total;
      if (best.length === count && key <= keys[count - 1]!) continue;
      let at = best.length;
      while (at > 0 && keys[at - 1]! < key) at--;
      best.splice(at, 0, [beam, token, total]);
      keys.splice(at, 0, key);
      if (best.length > count) {
        best.pop();
        keys.pop();
      }
    }
  return best;
}
