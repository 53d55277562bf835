import { InputError, UnsupportedError } from '@weft/errors';
import type { Json } from '@weft/spec';
import type { LogitsProcessor, SamplingSettings } from './sampling.js';

/** How an answer is generated. What is left out comes from the checkpoint's `generation_config.json`. */
export interface GenerationOptions {
  /** Most tokens of the answer; 512 unless given. */
  readonly maxNewTokens?: number | undefined;
  /** 0 is greedy; any other value samples, unless `doSample` is false. */
  readonly temperature?: number | undefined;
  /** 0 leaves it out. */
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
  readonly noRepeatNgramSize?: number | undefined;
  /** Whether to draw tokens; otherwise the most probable one is taken. */
  readonly doSample?: boolean | undefined;
  /** Whole number: the same seed draws the same tokens. */
  readonly seed?: number | undefined;
  /** Texts that end the answer; they are not part of it. */
  readonly stop?: readonly string[] | undefined;
  /** Hypotheses of beam search; 1 is greedy. */
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
  readonly maxNewTokens: number;
  readonly seed: number | undefined;
  readonly stop: readonly string[];
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly numReturnSequences: number;
  /** Tokens that end the answer. */
  readonly endTokenIds: ReadonlySet<number>;
}

type Check = (value: unknown) => boolean;
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const whole = (least: number): [Check, string] => [
  (value) => Number.isSafeInteger(value) && (value as number) >= least,
  `a whole number of at least ${least}`,
];
const list = (type: string): [Check, string] => [
  (value) => Array.isArray(value) && value.every((item) => typeof item === type),
  `a list of ${type}s`,
];

const checks: { readonly [K in keyof Required<GenerationOptions>]: [Check, string] } = {
  maxNewTokens: whole(1),
  temperature: [(value) => isNumber(value) && (value as number) >= 0, 'a number of at least 0'],
  topK: whole(0),
  topP: [
    (value) => isNumber(value) && (value as number) > 0 && (value as number) <= 1,
    'a number above 0, at most 1',
  ],
  minP: [
    (value) => isNumber(value) && (value as number) >= 0 && (value as number) <= 1,
    'a number from 0 to 1',
  ],
  repetitionPenalty: [(value) => isNumber(value) && (value as number) > 0, 'a number above 0'],
  noRepeatNgramSize: whole(0),
  doSample: [(value) => typeof value === 'boolean', 'true or false'],
  seed: whole(0),
  stop: [
    (value) => list('string')[0](value) && !(value as string[]).includes(''),
    'a list of texts that are not empty',
  ],
  numBeams: whole(1),
  lengthPenalty: [isNumber, 'a number'],
  earlyStopping: [(value) => typeof value === 'boolean' || value === 'never', "true, false or 'never'"],
  numReturnSequences: whole(1),
  logitsProcessors: list('function'),
  signal: [(value) => value instanceof AbortSignal, 'an AbortSignal'],
};

/**
 * Refuses options that do not exist, so that a misspelt one does not go unnoticed, and values out of range.
 *
 * @param more names of further options that the caller takes
 * @throws InputError
 */
export function checkOptions(options: object, more: readonly string[], where: string): void {
  for (const [key, value] of Object.entries(options)) {
    if (more.includes(key) || value === undefined) continue;
    if (!Object.hasOwn(checks, key))
      throw new InputError({
        message: `There is no option '${key}'.`,
        where,
        hint: `Options are ${[...more, ...Object.keys(checks)].join(', ')}.`,
      });
    const [check, wanted] = checks[key as keyof GenerationOptions];
    if (!check(value))
      throw new InputError({ message: `${key} is ${show(value)}, expected ${wanted}.`, where });
  }
}

const show = (value: unknown): string =>
  typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? String(value));

/**
 * The request's options over those of `generation_config.json`.
 *
 * @throws UnsupportedError for beam search that samples
 * @throws InputError if more sequences are asked for than there are beams
 */
export function resolveSettings(
  options: GenerationOptions,
  defaults: Json,
  endTokenIds: ReadonlySet<number>,
): GenerationSettings {
  const number = (given: number | undefined, key: string): number | undefined => {
    const value = given ?? defaults[key];
    return typeof value === 'number' ? value : undefined;
  };
  const { temperature, topK, topP, minP } = options;
  const wanted = [temperature, topK, topP, minP].some((value) => value !== undefined);
  const doSample =
    temperature === 0 ? false : (options.doSample ?? (wanted || defaults['do_sample'] === true));
  const numBeams = number(options.numBeams, 'num_beams') ?? 1;
  const numReturnSequences = options.numReturnSequences ?? 1;
  if (numBeams > 1 && doSample)
    throw new UnsupportedError({
      message: 'Beam search that samples is not supported.',
      where: 'numBeams',
      hint: 'Pass doSample: false, or numBeams: 1.',
    });
  if (numReturnSequences > numBeams)
    throw new InputError({
      message: `numReturnSequences is ${numReturnSequences}, but there are only ${numBeams} beams.`,
      hint: 'Raise numBeams, or send the request several times with other seeds.',
    });
  const early = options.earlyStopping ?? defaults['early_stopping'];
  return {
    doSample,
    temperature: number(temperature, 'temperature') || undefined,
    topK: number(topK, 'top_k'),
    topP: number(topP, 'top_p'),
    minP: number(minP, 'min_p'),
    repetitionPenalty: number(options.repetitionPenalty, 'repetition_penalty'),
    noRepeatNgramSize: number(options.noRepeatNgramSize, 'no_repeat_ngram_size'),
    logitsProcessors: options.logitsProcessors ?? [],
    maxNewTokens: number(options.maxNewTokens, 'max_new_tokens') ?? 512,
    seed: options.seed,
    stop: options.stop ?? [],
    numBeams,
    lengthPenalty: number(options.lengthPenalty, 'length_penalty') ?? 1,
    earlyStopping: early === 'never' ? early : early === true,
    numReturnSequences,
    endTokenIds,
  };
}
