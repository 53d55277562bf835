import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, InputError, UnsupportedError } from '@weft/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTokenizer, loadTokenizer, type TokenizerJson } from './tokenizer.js';

const fixture = (name: string): string => fileURLToPath(new URL(`./__fixtures__/${name}`, import.meta.url));

const letters: TokenizerJson = {
  model: {
    type: 'BPE',
    vocab: { '<': 0, s: 1, '>': 2, '<s': 3, '<s>': 4, '<unk>': 5, x: 6 },
    merges: ['< s', '<s >'],
    unk_token: '<unk>',
  },
  added_tokens: [{ id: 4, content: '<s>', special: true }],
};

describe('createTokenizer', () => {
  it('falls back to smaller pieces where merges would spell a special token', () => {
    const { encode } = createTokenizer(letters);
    expect(encode('x<s>x')).toEqual([6, 4, 6]);
    expect(encode('x<s>x', { parseSpecialTokens: false })).toEqual([6, 3, 2, 6]);
  });

  it('keeps special tokens as text in the literal ranges only', () => {
    const { encode } = createTokenizer(letters);
    expect(encode('<s><s>', { literal: [[0, 3]] })).toEqual([3, 2, 4]);
    expect(encode('<s><s>', { literal: [[3, 6]] })).toEqual([4, 3, 2]);
    expect(encode('<s><s>', { literal: [[2, 3]] })).toEqual([3, 2, 4]);
    expect(encode('<s><s>', { literal: [[3, 3]] })).toEqual([4, 4]);
  });

  it('protects placeholders that the files do not call special', () => {
    const json: TokenizerJson = {
      ...letters,
      added_tokens: [{ id: 7, content: 'xx', special: false, normalized: false }],
    };
    const literal = { parseSpecialTokens: false };
    expect(createTokenizer(json).encode('xx', literal)).toEqual([7]);
    const tokenizer = createTokenizer(json, {}, { placeholders: ['xx'] });
    expect(tokenizer.encode('xx')).toEqual([7]);
    expect(tokenizer.encode('xx', literal)).toEqual([6, 6]);
    expect(tokenizer.specialIds).toEqual(new Set([7]));
    expect(tokenizer.decode([7], { skipSpecialTokens: true })).toBe('xx');
    expect(() => createTokenizer(json, {}, { placeholders: ['yy'] })).toThrow(ConfigError);
  });

  it('protects normalised special tokens in the literal ranges of a normalised text', () => {
    const { encode } = createTokenizer({
      ...letters,
      normalizer: { type: 'Replace', pattern: { String: 'x' }, content: 'ss' },
      added_tokens: [{ id: 4, content: '<s>', special: true, normalized: true }],
    });
    expect(encode('x<s><s>', { literal: [[1, 4]] })).toEqual([1, 1, 3, 2, 4]);
    expect(encode('x<s><s>', { literal: [[4, 7]] })).toEqual([1, 1, 4, 3, 2]);
  });

  it('gives new tokens of the configuration the next ids', () => {
    const tokenizer = createTokenizer(letters, {
      eos_token: '</s>',
      pad_token: '<unk>',
      image_token: '<image>',
    });
    expect([tokenizer.eosTokenId, tokenizer.padTokenId, tokenizer.tokenToId('<image>')]).toEqual([7, 5, 8]);
    expect(tokenizer.encode('</s>x<image>')).toEqual([7, 6, 8]);
    expect(tokenizer.specialTokenNames).toEqual({
      eos_token: '</s>',
      pad_token: '<unk>',
      image_token: '<image>',
    });
    expect([tokenizer.vocabSize, tokenizer.bosToken, tokenizer.bosTokenId]).toEqual([
      9,
      undefined,
      undefined,
    ]);
  });

  it('replaces lone surrogates, which have no bytes', async () => {
    const { encode } = await loadTokenizer(fixture('qwen'));
    expect(encode('a\uD83Db')).toEqual(encode('a\uFFFDb'));
  });

  it.each<[string, object]>([
    ['an added token that is no text', { added_tokens: [{ id: 4, content: 0 }] }],
    ['an id that is no whole number', { model: { ...letters.model, vocab: { a: 1.5 }, merges: [] } }],
    ['a pattern that is no text', { normalizer: { type: 'Replace', pattern: { String: [] } } }],
    ['pieces of no length', { pre_tokenizer: { type: 'FixedLength', length: 0 } }],
    ['a normalizer without a kind', { normalizer: 5 }],
    ['a merge of a token that is missing', { model: { ...letters.model, merges: ['y z'] } }],
  ])('refuses %s', (_, fields) => {
    expect(() => createTokenizer({ ...letters, ...fields } as TokenizerJson)).toThrow(
      /tokenizer\.json|not supported/,
    );
  });

  it('refuses what it cannot follow', () => {
    expect(() => createTokenizer({ model: {} } as unknown as TokenizerJson)).toThrow(ConfigError);
    expect(() => createTokenizer({ ...letters, pre_tokenizer: { type: 'UnicodeScripts' } })).toThrow(
      UnsupportedError,
    );
    expect(() => createTokenizer({ ...letters, decoder: { type: 'Unknown' } })).toThrow(UnsupportedError);
    expect(() => createTokenizer(letters).encode(3 as unknown as string)).toThrow(InputError);
  });
});

describe('loadTokenizer', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weft-text-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('reads the older files that hold special and added tokens', async () => {
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify({ ...letters, added_tokens: [] }));
    await writeFile(
      join(folder, 'special_tokens_map.json'),
      JSON.stringify({ eos_token: { content: '</s>' }, bos_token: '<s>' }),
    );
    await writeFile(join(folder, 'added_tokens.json'), JSON.stringify({ '</s>': 7, '<word>': 8 }));
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.encode('<s>x<word></s>')).toEqual([4, 6, 8, 7]);
    expect([...tokenizer.specialIds].sort()).toEqual([4, 7]);
  });

  it('names the file that is missing', async () => {
    await expect(loadTokenizer(folder)).rejects.toThrow(/tokenizer\.json/);
    await cp(join(fixture('qwen'), 'tokenizer.json'), join(folder, 'tokenizer.json'));
    expect((await loadTokenizer(folder)).encode('a').length).toBe(1);
  });
});
