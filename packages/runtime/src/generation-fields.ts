import type { OptionName } from './option-checks.js';

/** A field of `generation_config.json`, and what becomes of it. */
export interface GenerationField {
  readonly name: string;
  /** What transformers 5.18 takes where nobody says it (`_get_default_generation_params`). */
  readonly default: unknown;
  /** What Weft takes instead. */
  readonly own?: unknown;
  /** The option of a request that it is; such fields are applied. */
  readonly option?: OptionName;
  /** The option's form of the file's. */
  readonly read?: (value: unknown) => unknown;
  /** Why a value is not applied, if that may change the answer. */
  readonly unapplied?: (value: unknown) => string | undefined;
  /** What it does, or why it does nothing, for the README. */
  readonly about: string;
}

const listed = (value: unknown): unknown => (typeof value === 'string' ? [value] : value);
/** An empty list of end tokens is none. */
const someIds = (value: unknown): unknown => (Array.isArray(value) && value.length === 0 ? undefined : value);

const camel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** SynthID's watermark has keys of its own. */
const isSynthId = (value: unknown): boolean => isObject(value) && 'ngram_len' in value;

function readWatermarking(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (isSynthId(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, own]) => (own === null ? [] : [[camel(key), own]])),
  );
}

const moved = 'transformers 5 moved it out of its library';
const set =
  (reason: string, isIdle: (value: unknown) => boolean = (value) => value === false) =>
  (value: unknown): string | undefined =>
    isIdle(value) ? undefined : reason;
const upTo =
  (most: number) =>
  (value: unknown): boolean =>
    typeof value === 'number' && value <= most;

const beams = 'beam search has no groups';
const constrained = 'beam search takes no constraints';

/** All fields of `GenerationConfig` in transformers 5.18, in the order of its documentation. */
export const generationFields: readonly GenerationField[] = [
  {
    name: 'max_length',
    default: 20,
    own: undefined,
    option: 'maxLength',
    about:
      'most tokens of prompt and answer; transformers takes 20 new tokens where no field says it, Weft 512',
  },
  {
    name: 'max_new_tokens',
    default: null,
    own: 512,
    option: 'maxNewTokens',
    about: 'counts before `max_length`',
  },
  { name: 'min_length', default: 0, option: 'minLength', about: 'no end token before' },
  { name: 'min_new_tokens', default: null, option: 'minNewTokens', about: 'counts before `min_length`' },
  { name: 'early_stopping', default: false, option: 'earlyStopping', about: 'when beam search ends' },
  { name: 'max_time', default: null, option: 'maxTime', about: 'seconds' },
  { name: 'stop_strings', default: null, option: 'stop', read: listed, about: 'a text or a list' },
  { name: 'do_sample', default: false, option: 'doSample', about: '' },
  { name: 'num_beams', default: 1, option: 'numBeams', about: '' },
  { name: 'temperature', default: 1, option: 'temperature', about: 'sampling; 0 is greedy' },
  { name: 'top_k', default: 50, option: 'topK', about: 'sampling; 0 leaves it out' },
  { name: 'top_p', default: 1, option: 'topP', about: 'sampling' },
  { name: 'min_p', default: null, option: 'minP', about: 'sampling' },
  { name: 'top_h', default: null, option: 'topH', about: 'sampling' },
  { name: 'typical_p', default: 1, option: 'typicalP', about: 'sampling' },
  { name: 'epsilon_cutoff', default: 0, option: 'epsilonCutoff', about: 'sampling' },
  { name: 'eta_cutoff', default: 0, option: 'etaCutoff', about: 'sampling' },
  { name: 'repetition_penalty', default: 1, option: 'repetitionPenalty', about: '' },
  {
    name: 'encoder_repetition_penalty',
    default: 1,
    option: 'encoderRepetitionPenalty',
    about: 'by the tokens of the prompt; of beams only the first, as in transformers',
  },
  { name: 'length_penalty', default: 1, option: 'lengthPenalty', about: 'beam search' },
  { name: 'no_repeat_ngram_size', default: 0, option: 'noRepeatNgramSize', about: '' },
  {
    name: 'encoder_no_repeat_ngram_size',
    default: 0,
    option: 'encoderNoRepeatNgramSize',
    about: 'runs of the prompt',
  },
  { name: 'bad_words_ids', default: null, option: 'badWordsIds', about: '' },
  {
    name: 'renormalize_logits',
    default: null,
    option: 'renormalizeLogits',
    about: 'beam search; a single answer is the same',
  },
  {
    name: 'forced_bos_token_id',
    default: null,
    option: 'forcedBosTokenId',
    about: 'after a prompt of one token',
  },
  { name: 'forced_eos_token_id', default: null, option: 'forcedEosTokenId', about: 'an id or a list' },
  { name: 'remove_invalid_values', default: false, option: 'removeInvalidValues', about: '' },
  {
    name: 'exponential_decay_length_penalty',
    default: null,
    option: 'exponentialDecayLengthPenalty',
    about: '',
  },
  { name: 'suppress_tokens', default: null, option: 'suppressTokens', about: '' },
  { name: 'begin_suppress_tokens', default: null, option: 'beginSuppressTokens', about: '' },
  { name: 'sequence_bias', default: null, option: 'sequenceBias', about: 'a list of `[ids, bias]`' },
  {
    name: 'watermarking_config',
    default: null,
    option: 'watermarking',
    read: readWatermarking,
    unapplied: (value) =>
      isSynthId(value) ? "it is SynthID's watermark, which Weft does not have" : undefined,
    about: "`lefthash` and `selfhash`; SynthID's is told as not applied",
  },
  {
    name: 'eos_token_id',
    default: null,
    option: 'eosTokenId',
    read: someIds,
    about: "an id or a list; without one that of `config.json`, else the tokenizer's",
  },
  {
    name: 'num_return_sequences',
    default: 1,
    option: 'numReturnSequences',
    about: 'beam search; with sampling alone it is told as not applied',
  },
  {
    name: 'token_healing',
    default: null,
    unapplied: set('the end of a prompt stays as it is'),
    about: '',
  },
  {
    name: 'guidance_scale',
    default: null,
    unapplied: set('answers are not guided', (value) => value === 1),
    about: '1 is none',
  },
  { name: 'num_beam_groups', default: 1, unapplied: set(`${beams}; ${moved}`, upTo(1)), about: '' },
  { name: 'diversity_penalty', default: 0, unapplied: set(`${beams}; ${moved}`, upTo(0)), about: '' },
  { name: 'constraints', default: null, unapplied: set(`${constrained}; ${moved}`), about: '' },
  { name: 'force_words_ids', default: null, unapplied: set(`${constrained}; ${moved}`), about: '' },
  {
    name: 'penalty_alpha',
    default: null,
    unapplied: set(`contrastive search is not there; ${moved}`, upTo(0)),
    about: '',
  },
  { name: 'dola_layers', default: null, unapplied: set(`layers are not contrasted; ${moved}`), about: '' },
  {
    name: 'is_assistant',
    default: null,
    unapplied: set('the model answers on its own'),
    about: 'a draft model ends when it is unsure',
  },
  {
    name: 'cache_implementation',
    default: null,
    unapplied: (value) => (value === 'quantized' ? 'keys and values keep their precision' : undefined),
    about: '`quantized` is told; others change no answer',
  },
  ...(
    [
      ['use_cache', true, 'keys and values are always kept'],
      ['cache_config', null, 'memory only'],
      ['max_cache_len', null, 'memory only'],
      ['low_memory', null, 'memory only'],
      ['prefill_chunk_size', null, 'prompts run in chunks of 256'],
      ['use_mtp', null, 'speed only'],
      ['num_assistant_tokens', 20, 'speed only'],
      ['num_assistant_tokens_schedule', 'constant', 'speed only'],
      ['assistant_confidence_threshold', 0.4, 'speed only, but for `is_assistant`'],
      ['assistant_early_exit', null, 'speed only'],
      ['assistant_lookbehind', 10, 'speed only'],
      ['target_lookbehind', 10, 'speed only'],
      ['assistant_ensemble_weight', null, 'needs an assistant'],
      ['prompt_lookup_num_tokens', null, 'speed only'],
      ['max_matching_ngram_size', null, 'speed only'],
      ['speculation_type', null, 'speed only'],
      ['compile_config', null, 'speed only'],
      ['disable_compile', null, 'speed only'],
      ['continuous_batching_config', null, 'speed only'],
      ['output_attentions', null, 'says what Python returns'],
      ['output_hidden_states', null, 'says what Python returns'],
      ['output_scores', false, 'says what Python returns'],
      ['output_logits', null, 'says what Python returns'],
      ['return_dict_in_generate', false, 'says what Python returns'],
      ['pad_token_id', null, 'rows are padded without it'],
      ['bos_token_id', null, "the tokenizer's begins a prompt"],
      ['decoder_start_token_id', null, 'for models with an encoder of text'],
      ['_from_model_config', null, 'where the file came from'],
    ] as const
  ).map(([name, value, about]): GenerationField => ({ name, default: value, about })),
];

/** Names that may stand in the file without being a field. */
export const isMetadata = (name: string): boolean => name === 'transformers_version' || name.startsWith('_');

/** The table of the README: every field, its default, and what becomes of it. */
export function generationTable(): string {
  const cell = ({ option, unapplied, about }: GenerationField): string => {
    const text = option ? `\`${option}\`` : unapplied ? 'told once, not applied' : 'changes no answer';
    return about ? `${text}; ${about}` : text;
  };
  const rows = generationFields.map(
    (field) => `| \`${field.name}\` | ${JSON.stringify(field.default)} | ${cell(field)} |`,
  );
  return ['| Field | Default in transformers 5.18 | In Weft |', '| --- | --- | --- |', ...rows].join('\n');
}
