import { readFileSync } from 'node:fs';
import { ConfigError, type Notice } from '@weft/errors';
import type { Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { endTokensOf, noDefaults, readGeneration } from './generation-config.js';
import { generationFields, generationTable, isMetadata } from './generation-fields.js';
import type { GenerationOptions } from './generation-options.js';
import { answerLength, resolveSettings } from './generation-settings.js';
import { optionChecks } from './option-checks.js';

const vocabSize = 300;
const none = new Set<number>();

function read(generation: Json, config: Json = {}) {
  const notices: Notice[] = [];
  const files = { folder: '/model', config, generation };
  const defaults = readGeneration(files, { vocabSize, notice: (notice) => notices.push(notice) });
  return { ...defaults, notices, files };
}
const settings = (generation: Json, options: GenerationOptions = {}) =>
  resolveSettings(options, read(generation), none);

const { defaults } = JSON.parse(
  readFileSync(new URL('./__fixtures__/generation-defaults.json', import.meta.url), 'utf8'),
) as { defaults: Json };

describe('the table of fields', () => {
  it('has every field of transformers 5.18 with its default, and no other', () => {
    const table = Object.fromEntries(generationFields.map((field) => [field.name, field.default]));
    expect(table).toEqual(defaults);
    expect(generationFields.length).toBe(Object.keys(defaults).length);
  });

  it('has every option of a request but those that no file can say', () => {
    const applied = generationFields.flatMap(({ option }) => option ?? []);
    const own = ['seed', 'logitsProcessors', 'signal'];
    expect([...applied, ...own].toSorted()).toEqual(Object.keys(optionChecks).toSorted());
  });

  it('is that of the README', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(generationTable());
  });

  it('fills what nobody says with the defaults of transformers, but for the length', () => {
    const { maxNewTokens, maxLength, ...resolved } = resolveSettings({}, noDefaults, none);
    expect([maxNewTokens, maxLength]).toEqual([512, undefined]);
    for (const { option, default: value } of generationFields) {
      if (option === undefined || ['maxNewTokens', 'maxLength', 'eosTokenId', 'stop'].includes(option))
        continue;
      expect(resolved[option as keyof typeof resolved], option).toEqual(value ?? undefined);
    }
    expect(resolved).toMatchObject({
      topK: 50,
      temperature: 1,
      topP: 1,
      typicalP: 1,
      doSample: false,
      stop: [],
    });
  });
});

describe('values of generation_config.json', () => {
  const wrong: Json[] = [
    { do_sample: true, temperature: -0.5 },
    { temperature: '1' },
    { temperature: [] },
    { do_sample: true, temperature: Infinity },
    { do_sample: true, top_k: 2.5 },
    { do_sample: true, top_k: -3 },
    { do_sample: true, top_p: 1.2 },
    { do_sample: true, top_p: 0 },
    { do_sample: true, min_p: -0.1 },
    { do_sample: true, top_h: 0 },
    { do_sample: true, typical_p: 3 },
    { do_sample: true, epsilon_cutoff: 1 },
    { do_sample: true, eta_cutoff: -1 },
    { do_sample: 'yes' },
    { do_sample: 1 },
    { repetition_penalty: 0 },
    { repetition_penalty: '1.1' },
    { encoder_repetition_penalty: -2 },
    { no_repeat_ngram_size: 0.5 },
    { encoder_no_repeat_ngram_size: -1 },
    { max_new_tokens: 0 },
    { max_new_tokens: true },
    { max_length: -5 },
    { min_length: 'long' },
    { min_new_tokens: -1 },
    { max_time: -2 },
    { num_beams: 0 },
    { num_beams: '4' },
    { num_return_sequences: 0 },
    { num_return_sequences: 2 },
    { num_beams: 2, num_return_sequences: 3 },
    { early_stopping: 'always' },
    { length_penalty: 'short' },
    { eos_token_id: ['</s>'] },
    { eos_token_id: -1 },
    { eos_token_id: 2.5 },
    { eos_token_id: [2, 300] },
    { forced_bos_token_id: 300 },
    { forced_eos_token_id: [1, 9999] },
    { bad_words_ids: [5] },
    { bad_words_ids: [[5], []] },
    { bad_words_ids: [[5, 300]] },
    { sequence_bias: { '(5,)': 1.5 } },
    { sequence_bias: [[[5], 'x']] },
    { sequence_bias: [[[], 1]] },
    { sequence_bias: [[[301], 1]] },
    { suppress_tokens: 5 },
    { suppress_tokens: ['a'] },
    { begin_suppress_tokens: [1.5] },
    { exponential_decay_length_penalty: [5] },
    { exponential_decay_length_penalty: [0.5, 1] },
    { stop_strings: '' },
    { stop_strings: [5] },
    { renormalize_logits: 'true' },
    { remove_invalid_values: 0 },
    { watermarking_config: { seeding_scheme: 'righthash' } },
    { watermarking_config: { greenlist_ratio: 1.5 } },
    { watermarking_config: { colour: 'green' } },
    { watermarking_config: [0.25] },
    { suppress_tokens: [7, 8], forced_eos_token_id: [8, 7] },
    { suppress_tokens: [7], forced_bos_token_id: 7 },
  ];

  it.each(wrong.map((fields) => [JSON.stringify(fields), fields] as const))(
    'are refused with the key and what is expected: %s',
    (_, fields) => {
      const key = Object.keys(fields).at(-1)!;
      const action = () => read(fields);
      expect(action).toThrow(ConfigError);
      expect(action).toThrow(
        new RegExp(`${key} .*(expected|forbids)[^]*at /model/generation_config.json: ${key}`),
      );
    },
  );

  it('count as in a request', () => {
    const read = settings({
      do_sample: true,
      top_k: 0,
      stop_strings: 'end',
      forced_eos_token_id: 4,
      bad_words_ids: [],
      sequence_bias: [[[3, 4], -Infinity]],
      watermarking_config: { greenlist_ratio: 0.5, context_width: 2 },
      num_beams: 3,
      num_return_sequences: 2,
      temperature: null,
    });
    expect(read).toMatchObject({
      doSample: true,
      topK: 0,
      stop: ['end'],
      forcedEosTokenId: [4],
      sequenceBias: [[[3, 4], -Infinity]],
      watermarking: { greenlistRatio: 0.5, contextWidth: 2 },
      numBeams: 3,
      numReturnSequences: 2,
      temperature: 1,
    });
    expect(settings({ num_beams: 3, num_return_sequences: 2 }, { numBeams: 1 }).numReturnSequences).toBe(1);
  });

  it('that only sampling uses are told while nobody samples, and refused when a request does', () => {
    for (const [key, value, option] of [
      ['top_k', -1, 'topK'],
      ['top_p', 5, 'topP'],
      ['temperature', -1, 'temperature'],
      ['typical_p', 2, 'typicalP'],
    ] as const) {
      const known = read({ [key]: value });
      expect(known.notices.map(({ where }) => where)).toEqual([`generation_config.json: ${key}`]);
      expect(resolveSettings({}, known, none).doSample).toBe(false);
      expect(() => resolveSettings({ doSample: true }, known, none)).toThrow(ConfigError);
      expect(() => resolveSettings({ doSample: true }, known, none)).toThrow(key);
      expect(resolveSettings({ doSample: true, [option]: 1 }, known, none).doSample).toBe(true);
    }
  });

  it('that are 0 degrees are greedy, and told', () => {
    for (const fields of [{ temperature: 0 }, { temperature: 0, do_sample: true }]) {
      const known = read(fields);
      expect(known.notices.map(({ message }) => message)).toEqual([expect.stringContaining('greedy')]);
      expect(resolveSettings({}, known, none).doSample).toBe(false);
      expect(resolveSettings({ temperature: 0.5 }, known, none).doSample).toBe(true);
    }
  });

  it('are told when they are not applied, and only then', () => {
    const told = (fields: Json) => read(fields).notices.map(({ where }) => where.split(': ')[1]);
    const unapplied: Json = {
      guidance_scale: 1.5,
      token_healing: true,
      num_beam_groups: 2,
      diversity_penalty: 0.5,
      constraints: [{}],
      force_words_ids: [[4]],
      penalty_alpha: 0.6,
      dola_layers: 'high',
      is_assistant: true,
      cache_implementation: 'quantized',
      watermarking_config: { ngram_len: 5, keys: [1, 2] },
      repetion_penalty: 1.3,
    };
    expect(told(unapplied)).toEqual(Object.keys(unapplied));
    expect(told({ suppress_tokens: [-1, 5, 999] })).toEqual(['suppress_tokens']);
    expect(read({ suppress_tokens: [-1, 5, 999] }).values.suppressTokens).toEqual([5]);
    expect(told({ do_sample: true, num_return_sequences: 4 })).toEqual(['num_return_sequences']);
    expect(told(defaults)).toEqual([]);
    const idle = {
      use_cache: false,
      cache_implementation: 'static',
      pad_token_id: -1,
      bos_token_id: 1,
      max_cache_len: 9,
    };
    expect(
      told({ ...idle, guidance_scale: 1, _from_model_config: true, transformers_version: '4.40.0' }),
    ).toEqual([]);
    expect(isMetadata('transformers_version')).toBe(true);
  });
});

describe('fields of generation in config.json', () => {
  const config = {
    temperature: null,
    num_beams: 2,
    text_config: {
      num_beams: 4,
      temperature: 0.5,
      do_sample: true,
      max_length: 20,
      eos_token_id: 9,
      hidden_size: 8,
    },
  };

  it('count where there is no generation_config.json, those of the whole model first', () => {
    expect(read({}, config).values).toEqual({ numBeams: 2, temperature: 0.5, doSample: true, eosTokenId: 9 });
    expect(read({}, { decoder: { top_k: 7 }, text_config: { top_k: 9 } }).values).toEqual({ topK: 7 });
    expect(read({}, { max_length: 60 }).values).toEqual({ maxLength: 60 });
    expect(() => read({}, { repetition_penalty: 0 })).toThrow(/at \/model\/config.json: repetition_penalty/);
  });

  it('are told where there is one, if they would change an answer', () => {
    const { values, notices } = read(
      { num_beams: 2, eos_token_id: 3 },
      { ...config, top_k: 50, guidance_scale: 3 },
    );
    expect(values).toEqual({ numBeams: 2, eosTokenId: 3 });
    expect(notices.map(({ where }) => where)).toEqual([
      'config.json: do_sample',
      'config.json: temperature',
      'config.json: guidance_scale',
    ]);
  });

  it('name the end tokens that the other file leaves out, before the tokenizer', () => {
    const ends = (generation: Json, own: Json, tokenizerEnd?: number) => {
      const known = read(generation, own);
      return [...endTokensOf(known, known.files, { tokenizerEnd, vocabSize })];
    };
    expect(ends({ eos_token_id: [3, 4] }, config, 1)).toEqual([3, 4]);
    expect(ends({ top_k: 5 }, config, 1)).toEqual([9]);
    expect(ends({ eos_token_id: [] }, { eos_token_id: [7, 999] }, 1)).toEqual([7]);
    expect(ends({ top_k: 5 }, {}, 1)).toEqual([1]);
    expect(ends({}, {})).toEqual([]);
  });
});

describe('the length of an answer', () => {
  const length = (generation: Json, options: GenerationOptions, prompt = 10) =>
    answerLength(settings(generation, options), prompt, 1000);

  it('is max_new_tokens before max_length, and what a request says before both', () => {
    expect(length({}, {})).toBe(512);
    expect(length({ max_length: 30 }, {})).toBe(20);
    expect(length({ max_length: 30, max_new_tokens: 7 }, {})).toBe(7);
    expect(length({ max_length: 30 }, { maxNewTokens: 40 })).toBe(40);
    expect(length({ max_new_tokens: 7 }, { maxLength: 15 })).toBe(5);
    expect(length({}, { maxLength: 15, maxNewTokens: 9 })).toBe(9);
    expect(length({ max_new_tokens: 5000 }, {})).toBe(990);
  });

  it('is refused where max_length leaves no room', () => {
    expect(() => length({ max_length: 10 }, {})).toThrow(/10 tokens, but max_length allows 10/);
    expect(() => length({}, { maxLength: 3 })).toThrow(/maxNewTokens/);
  });
});
