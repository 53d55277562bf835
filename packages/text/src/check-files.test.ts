import { readFileSync } from 'node:fs';
import { ConfigError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { createTokenizer, type TokenizerJson } from './tokenizer.js';

const json = JSON.parse(
  readFileSync(new URL('../../models/__fixtures__/text-qwen2-tied/tokenizer.json', import.meta.url), 'utf8'),
) as TokenizerJson;

/** The file with one value replaced. */
function changed(path: string, value: unknown): TokenizerJson {
  const copy = structuredClone(json) as unknown as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop()!;
  keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, copy)[last] = value;
  return copy as unknown as TokenizerJson;
}

const around = (items: readonly unknown[]) => ({
  type: 'TemplateProcessing',
  single: [...items, { Sequence: { id: 'A', type_id: 0 } }],
  special_tokens: {},
});

describe('the files of a tokenizer', () => {
  it.each([
    ['added_tokens', { '0': 'a' }, 'added_tokens is {"0":"a"}, expected a list'],
    ['added_tokens.0', 'a', 'added_tokens.0 is "a", expected an object'],
    ['added_tokens.0.id', -1, 'added_tokens.0.id is -1, expected the number of a token'],
    ['added_tokens.0.special', 'yes', 'added_tokens.0.special is "yes", expected true or false'],
    ['model.vocab', { a: '1' }, 'model.vocab.a is "1", expected the number of a token'],
    ['model.merges', 'a b', 'model.merges is "a b", expected a list'],
    ['model.merges.3', ['a', 'b', 'c'], 'model.merges.3 is ["a","b","c"], expected'],
    ['model.fuse_unk', 1, 'model.fuse_unk is 1, expected true or false'],
    ['normalizer', { type: 5 }, 'normalizer.type is 5, expected a text'],
    ['normalizer', { type: 'Sequence', normalizers: {} }, 'normalizer.normalizers is {}, expected a list'],
    ['pre_tokenizer.pretokenizers.0.behavior', 'apart', 'behavior is "apart", expected how a pattern splits'],
    ['pre_tokenizer.pretokenizers.1', null, 'pre_tokenizer.pretokenizers.1 is null, expected an object'],
    ['decoder', [], 'decoder is [], expected an object'],
    [
      'post_processor',
      { type: 'TemplateProcessing', single: 'A' },
      'post_processor.single is "A", expected a list',
    ],
    ['pre_tokenizer.pretokenizers.0.pattern', 'x', 'A pattern is "x", expected'],
    ['post_processor', around([{ SpecialToken: [null] }]), 'puts [null] around texts'],
    ['post_processor', around([{ SpecialToken: { id: '<none>' } }]), 'puts {"id":"<none>"} around texts'],
    ['post_processor', around([{ other: 1 }]), 'puts missing around texts'],
  ])('name the field of tokenizer.json that is of another type: %s = %j', (path, value, message) => {
    expect(() => createTokenizer(changed(path, value))).toThrow(ConfigError);
    expect(() => createTokenizer(changed(path, value))).toThrow(message);
  });

  it.each([
    [{ eos_token: 5 }, 'eos_token is 5'],
    [{ added_tokens_decoder: { 7: null } }, 'added_tokens_decoder.7 is null'],
    [{ extra_special_tokens: [3] }, 'extra_special_tokens.0 is 3'],
    [{ clean_up_tokenization_spaces: 'no' }, 'clean_up_tokenization_spaces is "no", expected true or false'],
  ])('name that of tokenizer_config.json: %j', (config, message) => {
    expect(() => createTokenizer(json, config as never)).toThrow(`tokenizer_config.json: ${message}`);
  });

  it('name the file where a library cannot read a pattern or a step', () => {
    for (const [path, value] of [
      ['pre_tokenizer.pretokenizers.0.pattern.Regex', '(?<!'],
      ['pre_tokenizer.pretokenizers.0.pattern.Regex', '[z-a]'],
      ['normalizer', { type: 'Unheard' }],
    ] as const)
      expect(() => createTokenizer(changed(path, value))).toThrow(/tokenizer\.json/);
  });
});
