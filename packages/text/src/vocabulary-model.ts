import { ConfigError } from '@weft/errors';
import { bpe } from './vocabulary/bpe.js';
import { unigram } from './vocabulary/unigram.js';
import { unknownText, type Encode, type Vocabulary } from './vocabulary/vocabulary.js';
import { wordPiece } from './vocabulary/word-piece.js';

/** The `model` entry of tokenizer.json. */
export interface ModelConfig {
  readonly type?: string;
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  readonly merges?: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly unk_id?: number | null;
  readonly byte_fallback?: boolean;
  readonly fuse_unk?: boolean;
  readonly ignore_merges?: boolean;
  readonly continuing_subword_prefix?: string | null;
  readonly end_of_word_suffix?: string | null;
  readonly max_input_chars_per_word?: number;
  readonly dropout?: number | null;
}

/** A vocabulary with its rule (BPE, Unigram, WordPiece, WordLevel) for cutting one word into ids. */
export interface VocabularyModel {
  readonly size: number;
  /** Length of the longest token, in UTF-16 units. */
  readonly longestToken: number;
  encode(word: string): readonly number[];
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
}

const isList = (vocab: ModelConfig['vocab']): vocab is readonly (readonly [string, number])[] =>
  Array.isArray(vocab);

const mergeParts = (merge: string | readonly [string, string]): readonly [string, string] => {
  if (typeof merge !== 'string') return merge;
  const [left, right] = merge.split(' ');
  return [left ?? '', right ?? ''];
};

/** What a merge makes: both parts, without what the second begins with inside of a word. */
const mergedToken = (merge: string | readonly [string, string], prefix: string): string => {
  const [left, right] = mergeParts(merge);
  return left + right.slice(prefix.length);
};

/**
 * Tokens among `forbidden` that ordinary text could become by itself: pieces of Unigram, WordPiece and WordLevel
 * vocabularies; for BPE results of merges, single characters, and whole words where merges may be skipped.
 */
export function reachableTokens(model: ModelConfig, forbidden: ReadonlySet<string>): Set<string> {
  if (isList(model.vocab))
    return new Set(model.vocab.map(([piece]) => piece).filter((piece) => forbidden.has(piece)));
  const vocab = model.vocab;
  const present = [...forbidden].filter((token) => Object.hasOwn(vocab, token));
  if (!model.merges || model.ignore_merges || model.end_of_word_suffix) return new Set(present);
  const prefix = model.continuing_subword_prefix ?? '';
  const merged = new Set(model.merges.map((merge) => mergedToken(merge, prefix)));
  return new Set(present.filter((token) => merged.has(token) || [...token].length === 1));
}

type Kind = 'BPE' | 'Unigram' | 'WordPiece' | 'WordLevel';

/** The kind of a model; older files leave it to be seen from the other fields. */
function kindOf({ type, vocab, merges, continuing_subword_prefix: prefix }: ModelConfig): Kind {
  if (type === 'BPE' || type === 'Unigram' || type === 'WordPiece' || type === 'WordLevel') return type;
  if (type !== undefined)
    throw new ConfigError({
      message: `The vocabulary model '${type}' is not known.`,
      where: 'tokenizer.json, model.type',
      hint: 'Known: BPE, Unigram, WordPiece, WordLevel.',
    });
  if (isList(vocab)) return 'Unigram';
  if (merges) return 'BPE';
  return prefix === undefined ? 'WordLevel' : 'WordPiece';
}

function encoder(config: ModelConfig, vocabulary: Vocabulary, unknownId: number | undefined): Encode {
  const { ids } = vocabulary;
  const prefix = config.continuing_subword_prefix;
  switch (kindOf(config)) {
    case 'BPE':
      return bpe(
        {
          merges: (config.merges ?? []).map(mergeParts).filter(
            // Merges of tokens that must not be made are left out with them.
            ([left, right]) =>
              ids.size === sizeOf(config) ||
              (ids.has(left) && ids.has(right) && ids.has(left + right.slice(prefix?.length ?? 0))),
          ),
          unknownId,
          byteFallback: config.byte_fallback ?? false,
          fuseUnknown: config.fuse_unk ?? false,
          ignoreMerges: config.ignore_merges ?? false,
          prefix: prefix ?? '',
          suffix: config.end_of_word_suffix ?? '',
        },
        vocabulary,
      );
    case 'Unigram':
      return unigram(
        {
          scores: isList(config.vocab) ? config.vocab.map(([, score]) => score) : [],
          unknownId,
          byteFallback: config.byte_fallback ?? false,
        },
        vocabulary,
      );
    case 'WordPiece':
      return wordPiece(
        { unknownId, prefix: prefix ?? '##', longestWord: config.max_input_chars_per_word ?? 100 },
        vocabulary,
      );
    case 'WordLevel':
      return (word) => {
        const id = ids.get(word) ?? unknownId;
        if (id === undefined) throw unknownText(word, vocabulary);
        return [id];
      };
  }
}

const sizeOf = ({ vocab }: ModelConfig): number => (isList(vocab) ? vocab : Object.keys(vocab)).length;

/**
 * Builds the vocabulary model of a tokenizer.json, equal to the `tokenizers` library 0.23.
 *
 * @param removed - tokens that encoding must not produce; the text they stand for falls back to smaller pieces.
 * @throws {ConfigError} for a kind that is not known, and for merges of tokens that the vocabulary lacks
 */
export function vocabularyModel(
  config: ModelConfig,
  removed: ReadonlySet<string> = new Set(),
): VocabularyModel {
  const entries = isList(config.vocab)
    ? config.vocab.map(([piece], id) => [piece, id] as const)
    : Object.entries(config.vocab);
  for (const [token, id] of entries)
    if (typeof token !== 'string' || !Number.isInteger(id) || id < 0)
      throw new ConfigError({
        message: `The vocabulary gives ${JSON.stringify(token)} the id ${JSON.stringify(id)}, expected a text and a whole number.`,
        where: 'tokenizer.json, model.vocab',
      });
  const all = new Map(entries);
  const unknownToken = config.unk_token ?? undefined;
  const unknownId =
    typeof config.unk_id === 'number'
      ? config.unk_id
      : unknownToken === undefined
        ? undefined
        : all.get(unknownToken);
  const vocabulary: Vocabulary = {
    ids: removed.size === 0 ? all : new Map(entries.filter(([token]) => !removed.has(token))),
    largestId: entries.reduce((largest, [, id]) => Math.max(largest, id), 0),
    unknownToken,
  };
  const tokens: string[] = [];
  for (const [token, id] of entries) tokens[id] = token;
  return {
    size: all.size,
    longestToken: entries.reduce((longest, [token]) => Math.max(longest, token.length), 0),
    encode: encoder(config, vocabulary, unknownId),
    idOf: (token) => all.get(token),
    tokenOf: (id) => tokens[id],
  };
}
