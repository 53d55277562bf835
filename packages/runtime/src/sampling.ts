import { SessionError } from '@weft/errors';
import {
  biasSequences,
  decayLength,
  forbidBefore,
  forbidNgramsOf,
  forbidRepeatedNgrams,
  forbidSequences,
  forceAt,
  normalize,
  penalizeNews,
  penalizeRepetition,
  removeInvalidValues,
  suppress,
  suppressAt,
  type LogitsProcessor,
  type SequenceBias,
} from './logits-processors.js';
import {
  applyTemperature,
  argmax,
  cutBelow,
  etaThreshold,
  keepMinP,
  keepTopH,
  keepTopK,
  keepTopP,
  keepTypical,
  softmax,
} from './logits-warpers.js';
import type { Random } from './random.js';
import { watermark, type Watermarking } from './watermark.js';

/** How the next token is chosen. A value of `undefined` leaves its step out. */
export interface SamplingSettings {
  readonly doSample: boolean;
  readonly sequenceBias?: readonly SequenceBias[] | undefined;
  readonly encoderRepetitionPenalty?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
  readonly noRepeatNgramSize?: number | undefined;
  readonly encoderNoRepeatNgramSize?: number | undefined;
  readonly badWordsIds?: readonly (readonly number[])[] | undefined;
  readonly minLength?: number | undefined;
  readonly minNewTokens?: number | undefined;
  readonly forcedBosTokenId?: number | undefined;
  readonly forcedEosTokenId?: readonly number[] | undefined;
  readonly removeInvalidValues?: boolean | undefined;
  readonly exponentialDecayLengthPenalty?: readonly [start: number, factor: number] | undefined;
  readonly suppressTokens?: readonly number[] | undefined;
  readonly beginSuppressTokens?: readonly number[] | undefined;
  readonly logitsProcessors: readonly LogitsProcessor[];
  readonly temperature?: number | undefined;
  readonly topH?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly typicalP?: number | undefined;
  readonly epsilonCutoff?: number | undefined;
  readonly etaCutoff?: number | undefined;
  readonly watermarking?: Watermarking | undefined;
  readonly renormalizeLogits?: boolean | undefined;
  readonly numBeams: number;
  /** Tokens that end the answer. */
  readonly endTokenIds: ReadonlySet<number>;
}

/** What the settings are applied to. */
export interface AnswerBounds {
  readonly promptIds: readonly number[];
  /** Most tokens of the answer. */
  readonly most: number;
}

/**
 * All that changes the logits of an answer, in the order of transformers 5.18 (`_get_logits_processor`): penalties and
 * rules, the caller's own processors, then for sampling the temperature and what leaves tokens out, at last the
 * watermark and the normalization.
 */
export function processorsOf(settings: SamplingSettings, bounds: AnswerBounds): LogitsProcessor[] {
  const { watermarking, renormalizeLogits } = settings;
  return [
    ...rulesOf(settings, bounds),
    ...settings.logitsProcessors,
    ...(settings.doSample ? warpersOf(settings) : []),
    ...(watermarking ? [watermark(watermarking)] : []),
    ...(renormalizeLogits ? [normalize] : []),
  ];
}

function rulesOf(settings: SamplingSettings, { promptIds, most }: AnswerBounds): LogitsProcessor[] {
  const {
    sequenceBias,
    encoderRepetitionPenalty = 1,
    repetitionPenalty = 1,
    noRepeatNgramSize = 0,
    encoderNoRepeatNgramSize = 0,
    badWordsIds,
    minNewTokens,
    minLength = 0,
    forcedBosTokenId,
    forcedEosTokenId,
    exponentialDecayLengthPenalty: decay,
    suppressTokens,
    beginSuppressTokens,
    endTokenIds,
  } = settings;
  // `min_new_tokens` takes the place of `min_length`, also where it is 0.
  const least = minNewTokens === undefined ? minLength : promptIds.length + minNewTokens;
  // A prompt of one token may be followed by a token that is forced; suppression then begins behind it.
  const begin = promptIds.length + (promptIds.length > 1 || forcedBosTokenId === undefined ? 0 : 1);
  const rules: (LogitsProcessor | false | undefined)[] = [
    sequenceBias && biasSequences(sequenceBias),
    encoderRepetitionPenalty !== 1 && penalizeNews(encoderRepetitionPenalty, promptIds),
    repetitionPenalty !== 1 && penalizeRepetition(repetitionPenalty),
    noRepeatNgramSize > 0 && forbidRepeatedNgrams(noRepeatNgramSize),
    encoderNoRepeatNgramSize > 0 && forbidNgramsOf(promptIds, encoderNoRepeatNgramSize),
    badWordsIds && forbidSequences(badWordsIds, endTokenIds),
    least > 0 && forbidBefore(least, endTokenIds),
    forcedBosTokenId !== undefined && forceAt(1, [forcedBosTokenId]),
    forcedEosTokenId && forceAt(promptIds.length + most - 1, forcedEosTokenId),
    settings.removeInvalidValues && removeInvalidValues,
    decay && decayLength(promptIds.length + decay[0], decay[1], endTokenIds),
    suppressTokens && suppress(suppressTokens),
    beginSuppressTokens && suppressAt(begin, beginSuppressTokens),
  ];
  return rules.filter((rule): rule is LogitsProcessor => typeof rule === 'function');
}

function warpersOf(settings: SamplingSettings): LogitsProcessor[] {
  const { temperature = 1, topH, topK = 0, topP = 1, minP = 0, typicalP = 1 } = settings;
  const { epsilonCutoff = 0, etaCutoff = 0, numBeams, endTokenIds } = settings;
  // A beam needs a token that goes on beside all that end it.
  const least = numBeams > 1 ? Math.max(1, endTokenIds.size) + 1 : 1;
  const warpers: (LogitsProcessor | false)[] = [
    temperature !== 1 && ((logits) => applyTemperature(logits, temperature)),
    topH !== undefined && ((logits) => keepTopH(logits, topH)),
    topK > 0 && ((logits) => keepTopK(logits, topK, least)),
    topP < 1 && ((logits) => keepTopP(logits, topP, least)),
    minP > 0 && ((logits) => keepMinP(logits, minP, least)),
    typicalP < 1 && ((logits) => keepTypical(logits, typicalP, least)),
    epsilonCutoff > 0 && ((logits) => cutBelow(logits, () => epsilonCutoff, least)),
    etaCutoff > 0 && ((logits) => cutBelow(logits, etaThreshold(etaCutoff), least)),
  ];
  return warpers.filter((warper): warper is LogitsProcessor => typeof warper === 'function');
}

/**
 * The next token from logits `[V]` that are processed: drawn, or the most probable one.
 *
 * @throws SessionError if no token is left, or the logits are no numbers
 */
export function chooseToken(logits: Float32Array, doSample: boolean, random: Random): number {
  const best = argmax(logits);
  if (!(logits[best]! > -Infinity))
    throw new SessionError({
      message: `No token can follow: the best of ${logits.length} logits is ${logits[best]}.`,
      hint: 'The settings or a logits processor forbid every token, or the weights hold values that are no numbers.',
    });
  return doSample ? draw(softmax(logits), random) : best;
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
