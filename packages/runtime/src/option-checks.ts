import type { GenerationOptions } from './generation-options.js';

export type OptionName = keyof GenerationOptions;

/** What a value must be, in a request and in a file alike. */
export interface OptionCheck {
  readonly holds: (value: unknown) => boolean;
  /** In words. */
  readonly expected: string;
  /** Whether only sampling uses it. */
  readonly samplingOnly?: boolean;
  /** Ids of tokens in a value that holds. */
  readonly ids?: (value: never) => readonly number[];
}

type Holds = OptionCheck['holds'];
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isWhole = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least;
const isId: Holds = (value) => isWhole(value, 0);
const isIdList: Holds = (value) => Array.isArray(value) && value.every(isId);
const isSequence: Holds = (value) => isIdList(value) && (value as unknown[]).length > 0;
const isBias: Holds = (value) =>
  Array.isArray(value) &&
  value.length === 2 &&
  isSequence(value[0]) &&
  typeof value[1] === 'number' &&
  !Number.isNaN(value[1]);

const whole = (least: number): OptionCheck => ({
  holds: (value) => isWhole(value, least),
  expected: `a whole number of at least ${least}`,
});
const number = (holds: (value: number) => boolean, expected: string): OptionCheck => ({
  holds: (value) => isNumber(value) && holds(value),
  expected,
});
const sampling = (check: OptionCheck): OptionCheck => ({ ...check, samplingOnly: true });
const aboveZero = number((value) => value > 0, 'a number above 0');
const atLeastZero = number((value) => value >= 0, 'a number of at least 0');
const share = number((value) => value > 0 && value <= 1, 'a number above 0, at most 1');
const cutoff = number((value) => value >= 0 && value < 1, 'a number of at least 0, below 1');
const flag: OptionCheck = { holds: (value) => typeof value === 'boolean', expected: 'true or false' };
const idList: OptionCheck = {
  holds: isIdList,
  expected: 'a list of token ids',
  ids: (value: readonly number[]) => value,
};
const idOrIds: OptionCheck = {
  holds: (value) => isId(value) || isSequence(value),
  expected: 'a token id or a list of them',
  ids: (value: number | readonly number[]) => (typeof value === 'number' ? [value] : value),
};
const listOf = (type: string): OptionCheck => ({
  holds: (value) => Array.isArray(value) && value.every((item) => typeof item === type),
  expected: `a list of ${type}s`,
});

const watermarkingChecks: Readonly<Record<string, OptionCheck>> = {
  greenlistRatio: number((value) => value > 0 && value < 1, 'a number between 0 and 1'),
  bias: number(() => true, 'a number'),
  hashingKey: whole(0),
  seedingScheme: {
    holds: (value) => value === 'lefthash' || value === 'selfhash',
    expected: "'lefthash' or 'selfhash'",
  },
  contextWidth: whole(1),
};

/** The check of every option. */
export const optionChecks: { readonly [K in keyof Required<GenerationOptions>]: OptionCheck } = {
  maxNewTokens: whole(1),
  maxLength: whole(1),
  minNewTokens: whole(0),
  minLength: whole(0),
  maxTime: atLeastZero,
  temperature: sampling(atLeastZero),
  topK: sampling(whole(0)),
  topP: sampling(share),
  minP: sampling(number((value) => value >= 0 && value <= 1, 'a number from 0 to 1')),
  topH: sampling(share),
  typicalP: sampling(share),
  epsilonCutoff: sampling(cutoff),
  etaCutoff: sampling(cutoff),
  repetitionPenalty: aboveZero,
  encoderRepetitionPenalty: aboveZero,
  noRepeatNgramSize: whole(0),
  encoderNoRepeatNgramSize: whole(0),
  badWordsIds: {
    holds: (value) => Array.isArray(value) && value.every(isSequence),
    expected: 'a list of lists of token ids, none of them empty',
    ids: (value: readonly (readonly number[])[]) => value.flat(),
  },
  sequenceBias: {
    holds: (value) => Array.isArray(value) && value.every(isBias),
    expected: 'a list of pairs of a list of token ids and a number: [[[5, 9], -2.5]]',
    ids: (value: readonly (readonly [readonly number[], number])[]) => value.flatMap(([ids]) => ids),
  },
  suppressTokens: idList,
  beginSuppressTokens: idList,
  forcedBosTokenId: { holds: isId, expected: 'a token id', ids: (value: number) => [value] },
  forcedEosTokenId: idOrIds,
  exponentialDecayLengthPenalty: {
    holds: (value) =>
      Array.isArray(value) &&
      value.length === 2 &&
      isWhole(value[0], 0) &&
      isNumber(value[1]) &&
      value[1] > 0,
    expected: 'a pair of a whole number of tokens and a factor above 0: [20, 1.05]',
  },
  removeInvalidValues: flag,
  renormalizeLogits: flag,
  watermarking: {
    holds: (value) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.entries(value).every(
        ([key, own]) =>
          Object.hasOwn(watermarkingChecks, key) &&
          (own === undefined || watermarkingChecks[key]!.holds(own)),
      ),
    expected: `an object of ${Object.entries(watermarkingChecks)
      .map(([key, { expected }]) => `${key} (${expected})`)
      .join(', ')}`,
  },
  doSample: flag,
  seed: whole(0),
  stop: {
    holds: (value) => listOf('string').holds(value) && !(value as string[]).includes(''),
    expected: 'a list of texts that are not empty',
  },
  eosTokenId: idOrIds,
  numBeams: whole(1),
  lengthPenalty: number(() => true, 'a number'),
  earlyStopping: {
    holds: (value) => typeof value === 'boolean' || value === 'never',
    expected: "true, false or 'never'",
  },
  numReturnSequences: whole(1),
  logitsProcessors: listOf('function'),
  signal: { holds: (value) => value instanceof AbortSignal, expected: 'an AbortSignal' },
};

/** The first id of a value that holds which is outside of the vocabulary, if one is. */
export const outsideOf = ({ ids }: OptionCheck, value: unknown, vocabSize: number): number | undefined =>
  ids?.(value as never).find((id) => id >= vocabSize);

/** A value in a message. */
export function show(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
