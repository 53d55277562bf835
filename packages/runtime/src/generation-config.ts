import { ConfigError, type TakeNotice } from '@weft/errors';
import type { Json } from '@weft/spec';
import type { CheckpointFiles } from './checkpoint-files.js';
import { generationFields, isMetadata, type GenerationField } from './generation-fields.js';
import type { GenerationOptions } from './generation-options.js';
import { optionChecks, outsideOf, show, type OptionName } from './option-checks.js';

/** What a checkpoint says about generation. */
export interface GenerationDefaults {
  /** Options, checked as those of a request. */
  readonly values: GenerationOptions;
  /** Errors of values that only sampling would use, where the checkpoint does not sample. */
  readonly refused: ReadonlyMap<OptionName, ConfigError>;
}

/** A checkpoint that says nothing. */
export const noDefaults: GenerationDefaults = { values: {}, refused: new Map() };

const ownFile = 'generation_config.json';
const fieldsByName = new Map(generationFields.map((field) => [field.name, field]));

/** Where fields come from. */
interface Source {
  readonly file: string;
  readonly fields: Json;
}

/**
 * The fields of generation that old checkpoints keep in `config.json`: those of the whole model, then those of its language
 * model, as `GenerationConfig.from_model_config` of transformers takes them. A `max_length` of 20 is the default that old
 * versions wrote into every file, and counts as none.
 */
function fieldsOfConfig(config: Json): Json {
  const inner = ['decoder', 'generator', 'text_config'].map((key) => config[key]).find(Boolean);
  const sections = [config, inner].filter(
    (section): section is Json => typeof section === 'object' && section !== null,
  );
  const entries = generationFields.flatMap(({ name }) => {
    const value = sections.map((section) => section[name]).find((own) => own !== undefined && own !== null);
    return value === undefined || (name === 'max_length' && value === 20) ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}

/**
 * Reads and checks what a checkpoint says about generation: `generation_config.json`, or `config.json` where it is not
 * there or empty. What is not applied is told.
 *
 * @param vocabSize tokens that the model predicts
 * @throws ConfigError for a value that a request would be refused for
 */
export function readGeneration(
  { folder, config, generation }: Pick<CheckpointFiles, 'folder' | 'config' | 'generation'>,
  { vocabSize, notice }: { readonly vocabSize: number; readonly notice: TakeNotice },
): GenerationDefaults {
  const inConfig = fieldsOfConfig(config);
  const hasFile = Object.keys(generation).length > 0;
  const source = hasFile ? { file: ownFile, fields: generation } : { file: 'config.json', fields: inConfig };
  const reader = new FieldReader(source, { folder, vocabSize, notice });
  for (const [name, value] of Object.entries(source.fields)) reader.read(name, value);
  reader.compare();
  if (hasFile) tellIgnored(inConfig, generation, notice);
  return { values: reader.values as GenerationOptions, refused: reader.refused };
}

/** Reads one file's fields. */
class FieldReader {
  readonly values: Partial<Record<OptionName, unknown>> = {};
  readonly refused = new Map<OptionName, ConfigError>();
  readonly #source: Source;
  readonly #folder: string;
  readonly #vocabSize: number;
  readonly #notice: TakeNotice;

  constructor(
    source: Source,
    given: { readonly folder: string; readonly vocabSize: number; readonly notice: TakeNotice },
  ) {
    this.#source = source;
    this.#folder = given.folder;
    this.#vocabSize = given.vocabSize;
    this.#notice = given.notice;
  }

  #tell(name: string, message: string): void {
    this.#notice({ where: `${this.#source.file}: ${name}`, message });
  }

  #error(name: string, message: string): ConfigError {
    return new ConfigError({
      message,
      where: `${this.#folder}/${this.#source.file}: ${name}`,
      hint: 'Correct the file, or leave the key out.',
    });
  }

  read(name: string, value: unknown): void {
    if (value === null || isMetadata(name)) return;
    const field = fieldsByName.get(name);
    if (!field) {
      this.#tell(name, `It is ${show(value)}, which is no field of generation and changes nothing.`);
      return;
    }
    const reason = field.unapplied?.(value);
    if (reason !== undefined) this.#tell(name, `It is ${show(value)} and is not applied: ${reason}.`);
    if (field.option) this.#take(field, field.option, value);
  }

  #take({ name, read }: GenerationField, option: OptionName, found: unknown): void {
    const check = optionChecks[option];
    const whole = read ? read(found) : found;
    if (whole === undefined) return;
    const value = option.endsWith('uppressTokens') ? this.#within(name, whole) : whole;
    if (!check.holds(value)) {
      const error = this.#error(name, `${name} is ${show(found)}, expected ${check.expected}.`);
      const isIdle = check.samplingOnly && this.#source.fields['do_sample'] !== true;
      // What is of the wrong type is a mistake in any case; a number out of range is harmless while nobody samples.
      if (!isIdle || typeof value !== 'number') throw error;
      this.#tell(
        name,
        `It is ${show(found)}, expected ${check.expected}; a request that samples must name its own.`,
      );
      this.refused.set(option, error);
      return;
    }
    const outside = outsideOf(check, value, this.#vocabSize);
    if (outside !== undefined)
      throw this.#error(
        name,
        `${name} names the id ${outside}, expected ids below ${this.#vocabSize}, the size of the vocabulary.`,
      );
    this.values[option] = value;
  }

  /** Ids of the vocabulary; others cannot come in an answer anyway, and files name them (`[-1]` stood for a set). */
  #within(name: string, value: unknown): unknown {
    if (!Array.isArray(value) || !value.every(Number.isSafeInteger)) return value;
    const isInside = (id: number): boolean => id >= 0 && id < this.#vocabSize;
    const others = value.filter((id: number) => !isInside(id));
    if (others.length > 0)
      this.#tell(name, `It names ${show(others)}, outside of the vocabulary of ${this.#vocabSize}.`);
    return value.filter(isInside);
  }

  /** Fields that do not go together. */
  compare(): void {
    const values = this.values as GenerationOptions;
    const { temperature, doSample, numBeams = 1, numReturnSequences = 1, suppressTokens = [] } = values;
    if (temperature === 0)
      this.#tell(
        'temperature',
        `It is 0${doSample ? ' while do_sample is true' : ''}: answers are greedy unless a request names another temperature.`,
      );
    if (numReturnSequences > numBeams) {
      if (numBeams > 1 || !doSample)
        throw this.#error(
          'num_return_sequences',
          `num_return_sequences is ${numReturnSequences}, expected at most the ${numBeams} of num_beams.`,
        );
      this.#tell('num_return_sequences', `It is ${numReturnSequences}, but a request has one answer.`);
    }
    for (const [name, option] of [
      ['forced_bos_token_id', 'forcedBosTokenId'],
      ['forced_eos_token_id', 'forcedEosTokenId'],
    ] as const) {
      const ids = [values[option] ?? []].flat();
      if (ids.length > 0 && ids.every((id) => suppressTokens.includes(id)))
        throw this.#error(name, `${name} is ${show(values[option])}, and suppress_tokens forbids it.`);
    }
  }
}

/** Tells of fields of `config.json` that do not count, since there is a file of their own. */
function tellIgnored(inConfig: Json, generation: Json, notice: TakeNotice): void {
  for (const [name, value] of Object.entries(inConfig)) {
    const field = fieldsByName.get(name)!;
    const changes = field.unapplied ? field.unapplied(value) !== undefined : field.option !== undefined;
    const same = [field.default, generation[name]].some((other) => show(other) === show(value));
    // End tokens of config.json still count where the other file has none.
    if (!changes || same || name === 'eos_token_id') continue;
    notice({ where: `config.json: ${name}`, message: `It is ${show(value)}, but ${ownFile} counts.` });
  }
}

/**
 * Ids that end an answer: those that generation was told, else those of `config.json`, else the tokenizer's.
 */
export function endTokensOf(
  { values }: GenerationDefaults,
  { config }: Pick<CheckpointFiles, 'config'>,
  { tokenizerEnd, vocabSize }: { readonly tokenizerEnd: number | undefined; readonly vocabSize: number },
): Set<number> {
  const isEnd = (id: unknown): boolean => optionChecks.eosTokenId.holds(id) && (id as number) < vocabSize;
  for (const known of [values.eosTokenId, fieldsOfConfig(config)['eos_token_id'], tokenizerEnd]) {
    const ids = [known ?? []].flat().filter(isEnd) as number[];
    if (ids.length > 0) return new Set(ids);
  }
  return new Set();
}
