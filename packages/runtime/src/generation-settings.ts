import { InputError, shown } from '@weft/errors';
import type { GenerationDefaults } from './generation-config.js';
import { generationFields } from './generation-fields.js';
import type { GenerationOptions, GenerationSettings } from './generation-options.js';
import { optionChecks, outsideOf, show, type OptionName } from './option-checks.js';

/**
 * Refuses options that do not exist, so that a misspelt one does not go unnoticed, and values out of range.
 *
 * @param more names of further options that the caller takes
 * @param vocabSize ids outside of it are refused
 * @throws InputError
 */
export function checkOptions(
  options: unknown,
  more: readonly string[],
  { where, vocabSize }: { readonly where: string; readonly vocabSize: number },
): void {
  if (typeof options !== 'object' || options === null)
    throw new InputError({ message: `The options are ${shown(options)}, expected an object.`, where });
  for (const [key, value] of Object.entries(options)) {
    if (more.includes(key) || value === undefined) continue;
    if (!Object.hasOwn(optionChecks, key))
      throw new InputError({
        message: `There is no option '${key}'.`,
        where,
        hint: `Options are ${[...more, ...Object.keys(optionChecks)].join(', ')}.`,
      });
    const check = optionChecks[key as OptionName];
    if (!check.holds(value))
      throw new InputError({ message: `${key} is ${show(value)}, expected ${check.expected}.`, where });
    const outside = outsideOf(check, value, vocabSize);
    if (outside !== undefined)
      throw new InputError({
        message: `${key} names the id ${outside}, outside of the vocabulary of ${vocabSize}.`,
        where,
      });
  }
}

/** Options that only sampling uses: who gives one wants to sample. */
export const samplingOptions = (Object.keys(optionChecks) as OptionName[]).filter(
  (name) => optionChecks[name].samplingOnly,
);

/** What generation does when neither the request nor a file says it. */
const standard: GenerationOptions = Object.fromEntries(
  generationFields.flatMap((field) =>
    field.option === undefined
      ? []
      : [[field.option, ('own' in field ? field.own : field.default) ?? undefined]],
  ),
);

const listed = (ids: number | readonly number[]): readonly number[] =>
  typeof ids === 'number' ? [ids] : ids;

/**
 * The request's options over those of the checkpoint, over the defaults of transformers.
 *
 * @throws InputError if more sequences are asked for than there are beams
 * @throws ConfigError if the request samples by a value of the checkpoint that is out of range
 */
export function resolveSettings(
  options: GenerationOptions,
  { values, refused }: GenerationDefaults,
  endTokenIds: ReadonlySet<number>,
): GenerationSettings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: GenerationOptions = { ...standard, ...values, ...given };
  const wanted = samplingOptions.some((name) => options[name] !== undefined);
  const doSample = all.temperature !== 0 && (options.doSample ?? (wanted || values.doSample === true));
  if (doSample) for (const [name, error] of refused) if (options[name] === undefined) throw error;
  const numBeams = all.numBeams ?? 1;
  const asked = options.numReturnSequences;
  if (asked !== undefined && asked > numBeams)
    throw new InputError({
      message: `numReturnSequences is ${asked}, but there are only ${numBeams} beams.`,
      hint: 'Raise numBeams, or send the request several times with other seeds.',
    });
  const { eosTokenId } = options;
  const { forcedEosTokenId } = all;
  // Of the two limits that of the request counts, of two in one place the number of new tokens.
  const byLength =
    options.maxNewTokens === undefined &&
    (options.maxLength !== undefined || values.maxNewTokens === undefined);
  return {
    ...all,
    doSample,
    logitsProcessors: all.logitsProcessors ?? [],
    forcedEosTokenId: forcedEosTokenId === undefined ? undefined : listed(forcedEosTokenId),
    maxNewTokens: all.maxNewTokens!,
    maxLength: byLength ? all.maxLength : undefined,
    maxTime: all.maxTime,
    seed: options.seed,
    stop: all.stop ?? [],
    numBeams,
    lengthPenalty: all.lengthPenalty!,
    earlyStopping: all.earlyStopping!,
    numReturnSequences: asked ?? Math.min(all.numReturnSequences!, numBeams),
    endTokenIds: eosTokenId === undefined ? endTokenIds : new Set(listed(eosTokenId)),
  };
}

/**
 * Most tokens that may follow a prompt.
 *
 * @param maxPositions most tokens of prompt and answer that the model was made for
 * @throws InputError if `maxLength` leaves no room for an answer
 */
export function answerLength(
  { maxNewTokens, maxLength }: Pick<GenerationSettings, 'maxNewTokens' | 'maxLength'>,
  promptTokens: number,
  maxPositions: number,
): number {
  const most = maxLength === undefined ? maxNewTokens : maxLength - promptTokens;
  if (most < 1)
    throw new InputError({
      message: `The prompt has ${promptTokens} tokens, but max_length allows ${maxLength} with the answer.`,
      where: 'maxLength of the request, or max_length of generation_config.json',
      hint: 'Give maxNewTokens, which counts only the answer, or a larger maxLength.',
    });
  return Math.min(most, maxPositions - promptTokens);
}
