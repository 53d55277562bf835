import { ConfigError } from '@weft/errors';

/**
 * A check of a value of a file. Returns what was expected, and where within the value; nothing if it is right.
 */
type Check = (value: unknown) => Fault | undefined;

interface Fault {
  readonly path: string;
  readonly value: unknown;
  readonly wanted: string;
}

const is =
  (wanted: string, isRight: (value: unknown) => boolean): Check =>
  (value) =>
    isRight(value) ? undefined : { path: '', value, wanted };

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isNothing = (value: unknown): boolean => value === undefined || value === null;

const within = (path: string, fault: Fault | undefined): Fault | undefined =>
  fault && { ...fault, path: fault.path === '' ? path : `${path}.${fault.path}` };

/** The check, where there is a value. */
const maybe =
  (check: Check): Check =>
  (value) =>
    isNothing(value) ? undefined : check(value);

const either =
  (...checks: readonly Check[]): Check =>
  (value) => {
    const faults = checks.map((check) => check(value));
    if (faults.includes(undefined)) return undefined;
    // The fault that lies deepest tells most.
    return faults.toSorted((a, b) => b!.path.length - a!.path.length)[0];
  };

const list =
  (item: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return { path: '', value, wanted: 'a list' };
    for (const [i, one] of value.entries()) {
      const fault = within(String(i), item(one));
      if (fault) return fault;
    }
    return undefined;
  };

const record =
  (item: Check): Check =>
  (value) => {
    if (!isObject(value)) return { path: '', value, wanted: 'an object' };
    for (const [key, one] of Object.entries(value)) {
      const fault = within(key, item(one));
      if (fault) return fault;
    }
    return undefined;
  };

const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (!isObject(value)) return { path: '', value, wanted: 'an object' };
    for (const [key, check] of Object.entries(checks)) {
      const fault = within(key, check(value[key]));
      if (fault) return fault;
    }
    return undefined;
  };

const text = is('a text', (value) => typeof value === 'string');
const flag = is('true or false', (value) => typeof value === 'boolean');
const id = is('the number of a token', (value) => Number.isSafeInteger(value) && (value as number) >= 0);
const number = is('a number', (value) => typeof value === 'number' && Number.isFinite(value));
const pair =
  (first: Check, second: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length === 2
      ? (within('0', first(value[0])) ?? within('1', second(value[1])))
      : { path: '', value, wanted: 'a list of two' };

const flags = {
  single_word: maybe(flag),
  lstrip: maybe(flag),
  rstrip: maybe(flag),
  normalized: maybe(flag),
  special: maybe(flag),
};
const token = fields({ content: text, ...flags });
const entry = either(text, token);

/** A step of the tokenizer, perhaps made of others. */
const step =
  (more: Readonly<Record<string, Check>>): Check =>
  (value) =>
    fields({ type: text, ...more })(value);
const steps = (name: string, more: Readonly<Record<string, Check>>): Check => {
  const one: Check = (value) => step({ [name]: maybe(list(one)), ...more })(value);
  return maybe(one);
};

const pattern = either(text, fields({ String: text }), fields({ Regex: text }));
const behavior = is('how a pattern splits', (value) =>
  ['removed', 'isolated', 'mergedwithprevious', 'mergedwithnext', 'contiguous'].includes(
    String(value).toLowerCase(),
  ),
);

const tokenizerJson = fields({
  added_tokens: maybe(list(fields({ id, content: text, ...flags }))),
  model: fields({
    type: maybe(text),
    vocab: either(record(id), list(pair(text, number))),
    merges: maybe(list(either(text, pair(text, text)))),
    unk_token: maybe(text),
    unk_id: maybe(id),
    continuing_subword_prefix: maybe(text),
    end_of_word_suffix: maybe(text),
    byte_fallback: maybe(flag),
    fuse_unk: maybe(flag),
    ignore_merges: maybe(flag),
    max_input_chars_per_word: maybe(number),
  }),
  normalizer: steps('normalizers', { pattern: maybe(pattern), content: maybe(text), prepend: maybe(text) }),
  pre_tokenizer: steps('pretokenizers', {
    pattern: maybe(pattern),
    behavior: maybe(behavior),
    invert: maybe(flag),
    add_prefix_space: maybe(flag),
    use_regex: maybe(flag),
    individual_digits: maybe(flag),
    replacement: maybe(text),
    prepend_scheme: maybe(text),
    split: maybe(flag),
  }),
  post_processor: steps('processors', {
    single: maybe(list(is('an object', isObject))),
    special_tokens: maybe(record(fields({ ids: list(id) }))),
    cls: maybe(pair(text, id)),
    sep: maybe(pair(text, id)),
  }),
  decoder: steps('decoders', {
    pattern: maybe(pattern),
    content: maybe(text),
    replacement: maybe(text),
    start: maybe(number),
    stop: maybe(number),
    cleanup: maybe(flag),
    prefix: maybe(text),
  }),
});

const names = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map((name) => `${name}_token`);
const tokenizerConfig = fields({
  ...Object.fromEntries(names.map((name) => [name, maybe(entry)])),
  additional_special_tokens: maybe(list(entry)),
  extra_special_tokens: maybe(either(list(entry), record(entry))),
  added_tokens_decoder: maybe(record(entry)),
  add_bos_token: maybe(flag),
  add_eos_token: maybe(flag),
  clean_up_tokenization_spaces: maybe(flag),
});

/** Most characters of a value that a message shows. */
const mostShown = 60;

function check(file: string, rule: Check, value: unknown): void {
  const fault = rule(value);
  if (!fault) return;
  const shown = JSON.stringify(fault.value) ?? 'missing';
  throw new ConfigError({
    message: `${file}: ${fault.path || 'the file'} is ${shown.length > mostShown ? `${shown.slice(0, mostShown)}…` : shown}, expected ${fault.wanted}.`,
    where: file,
    hint: 'Download the file again: it is not as the tokenizers library writes it.',
  });
}

/** @throws ConfigError naming the field of `tokenizer.json` or `tokenizer_config.json` that is of another type */
export function checkTokenizerFiles(json: unknown, config: unknown): void {
  check('tokenizer.json', tokenizerJson, json);
  check('tokenizer_config.json', tokenizerConfig, config);
}
