import type { GenerationRequest, LoadedModel } from './loaded-model.js';
import { argmax } from './logits-warpers.js';

/** How well a model in another form answers like the same model as its files have it. */
export interface Agreement {
  readonly questions: number;
  /** Questions whose greedy answer is the same, token for token. */
  readonly equalAnswers: number;
  /** Tokens of the exact answers. */
  readonly tokens: number;
  /** Tokens that the other form would have taken as well, after the same tokens before. */
  readonly equalTokens: number;
  /** Distance of the logits, relative to theirs, as root mean square over all steps. */
  readonly logitError: number;
}

/**
 * Asks two forms of a model the same questions. The second is led along the answers of the first, so that one other token
 * does not make all that follow it different.
 *
 * @param maxNewTokens most tokens of an answer
 */
export async function agreementOf(
  exact: LoadedModel,
  other: LoadedModel,
  questions: readonly GenerationRequest[],
  { maxNewTokens = 24, signal }: { readonly maxNewTokens?: number; readonly signal?: AbortSignal } = {},
): Promise<Agreement> {
  let [equalAnswers, tokens, equalTokens, error, norm] = [0, 0, 0, 0, 0];
  const greedy = { maxNewTokens, doSample: false, signal } as const;
  for (const question of questions) {
    const steps: Float32Array[] = [];
    const { tokenIds } = await exact
      .generate({
        ...question,
        ...greedy,
        logitsProcessors: [
          (logits) => {
            steps.push(Float32Array.from(logits));
          },
        ],
      })
      .result();
    signal?.throwIfAborted();
    let [step, equal] = [0, 0];
    await other
      .generate({
        ...question,
        ...greedy,
        logitsProcessors: [
          (logits) => {
            const wanted = steps[step]!;
            for (const [i, value] of logits.entries()) {
              error += (value - wanted[i]!) ** 2;
              norm += wanted[i]! ** 2;
            }
            if (argmax(logits) === argmax(wanted)) equal++;
            step++;
            // The token that the exact model took, whatever this one would say.
            logits.set(wanted);
          },
        ],
      })
      .result();
    signal?.throwIfAborted();
    tokens += step;
    equalTokens += equal;
    if (equal === step && tokenIds.length > 0) equalAnswers++;
  }
  return {
    questions: questions.length,
    equalAnswers,
    tokens,
    equalTokens,
    logitError: norm === 0 ? 0 : Math.sqrt(error / norm),
  };
}
