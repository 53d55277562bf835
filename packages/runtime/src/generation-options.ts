import type { LogitsProcessor, SequenceBias } from './logits-processors.js';
import type { SamplingSettings } from './sampling.js';
import type { Watermarking } from './watermark.js';

/**
 * How an answer is generated. What is left out comes from the checkpoint's `generation_config.json`, and what is not there
 * has the default of transformers, but for the length. Names are those of transformers' `GenerationConfig` in camel case.
 */
export interface GenerationOptions {
  /** Most tokens of the answer; 512 unless given. It counts before `maxLength`. */
  readonly maxNewTokens?: number | undefined;
  /** Most tokens of prompt and answer together. */
  readonly maxLength?: number | undefined;
  /** No end token comes before the answer has so many tokens. It counts before `minLength`. */
  readonly minNewTokens?: number | undefined;
  /** No end token comes before prompt and answer together have so many tokens. */
  readonly minLength?: number | undefined;
  /** Seconds after which the answer ends, with the token that is under way. */
  readonly maxTime?: number | undefined;
  /** 0 is greedy; any other value samples, unless `doSample` is false. */
  readonly temperature?: number | undefined;
  /** The most probable tokens to draw from; 50 unless given, 0 leaves it out. */
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  /** Share of the entropy that the tokens to draw from may have. */
  readonly topH?: number | undefined;
  /** Probability of the tokens to draw from, those of the most usual information first. */
  readonly typicalP?: number | undefined;
  /** Less probable tokens are not drawn; 0 leaves it out. */
  readonly epsilonCutoff?: number | undefined;
  /** Like `epsilonCutoff`, but lower where the distribution is flat; 0 leaves it out. */
  readonly etaCutoff?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
  /** Above 1, tokens that are not in the prompt become less likely. */
  readonly encoderRepetitionPenalty?: number | undefined;
  readonly noRepeatNgramSize?: number | undefined;
  /** Runs of so many tokens that are in the prompt do not come in the answer; 0 leaves it out. */
  readonly encoderNoRepeatNgramSize?: number | undefined;
  /** Sequences of ids that do not come in the answer; an end token alone is left out of the list. */
  readonly badWordsIds?: readonly (readonly number[])[] | undefined;
  /** Sequences of ids, and what is added to the logit of the last where the others came before it. */
  readonly sequenceBias?: readonly SequenceBias[] | undefined;
  /** Ids that do not come in the answer. */
  readonly suppressTokens?: readonly number[] | undefined;
  /** Ids that do not begin the answer. */
  readonly beginSuppressTokens?: readonly number[] | undefined;
  /** Id that begins the answer to a prompt of one token. */
  readonly forcedBosTokenId?: number | undefined;
  /** Ids of which one ends an answer that is as long as it may be. */
  readonly forcedEosTokenId?: number | readonly number[] | undefined;
  /**
   * After so many tokens of the answer the logits of end tokens grow by a share of their size, `factor ** steps - 1`.
   */
  readonly exponentialDecayLengthPenalty?: readonly [start: number, factor: number] | undefined;
  /** Whether logits that are no numbers or infinite are mended before a token is chosen. */
  readonly removeInvalidValues?: boolean | undefined;
  /** Whether logits become logarithms of probabilities after all else; beams are compared by them. */
  readonly renormalizeLogits?: boolean | undefined;
  readonly watermarking?: Watermarking | undefined;
  /** Whether to draw tokens; otherwise the most probable one is taken. */
  readonly doSample?: boolean | undefined;
  /** Whole number: the same seed draws the same tokens. */
  readonly seed?: number | undefined;
  /** Texts that end the answer; they are not part of it. */
  readonly stop?: readonly string[] | undefined;
  /** Ids that end the answer. */
  readonly eosTokenId?: number | readonly number[] | undefined;
  /** Hypotheses of beam search; 1 is none. */
  readonly numBeams?: number | undefined;
  /** Exponent on the length in the score of a finished beam. */
  readonly lengthPenalty?: number | undefined;
  /** When beam search ends, as in transformers. */
  readonly earlyStopping?: boolean | 'never' | undefined;
  /** Best beams to return. */
  readonly numReturnSequences?: number | undefined;
  /** Functions that change the logits of each step, after the penalties and before the temperature. */
  readonly logitsProcessors?: readonly LogitsProcessor[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options with all defaults filled in. */
export interface GenerationSettings extends SamplingSettings {
  /** Most tokens of the answer, unless `maxLength` says it. */
  readonly maxNewTokens: number;
  /** Most tokens of prompt and answer together; absent where `maxNewTokens` counts. */
  readonly maxLength: number | undefined;
  /** Seconds. */
  readonly maxTime: number | undefined;
  readonly seed: number | undefined;
  readonly stop: readonly string[];
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly numReturnSequences: number;
}
