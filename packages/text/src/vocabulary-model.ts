import { libraryTokenizer } from './library.js';

/** The `model` entry of tokenizer.json. */
export interface ModelConfig {
  readonly type?: string;
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  readonly merges?: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly unk_id?: number | null;
  readonly byte_fallback?: boolean;
  readonly ignore_merges?: boolean;
  readonly end_of_word_suffix?: string | null;
}

/** A vocabulary with its rule (BPE, Unigram, WordPiece, WordLevel) for cutting one word into ids. */
export interface VocabularyModel {
  readonly size: number;
  encode(word: string): number[];
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
}

const isList = (vocab: ModelConfig['vocab']): vocab is readonly (readonly [string, number])[] =>
  Array.isArray(vocab);

const mergeParts = (merge: string | readonly [string, string]): readonly string[] =>
  typeof merge === 'string' ? merge.split(' ', 2) : merge;

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
  const merged = new Set(model.merges.map((merge) => mergeParts(merge).join('')));
  return new Set(present.filter((token) => merged.has(token) || [...token].length === 1));
}

function withoutTokens(model: ModelConfig, removed: ReadonlySet<string>): ModelConfig {
  if (removed.size === 0) return model;
  if (isList(model.vocab))
    return {
      ...model,
      // A lone surrogate stands in no text, so the piece keeps its id but is never found.
      vocab: model.vocab.map(
        ([piece, score], id) => [removed.has(piece) ? `\uD800${id}` : piece, score] as const,
      ),
    };
  const merges = model.merges?.filter((merge) => !removed.has(mergeParts(merge).join('')));
  return {
    ...model,
    vocab: Object.fromEntries(Object.entries(model.vocab).filter(([token]) => !removed.has(token))),
    ...(merges && { merges }),
  };
}

/**
 * Builds the vocabulary model of a tokenizer.json.
 *
 * @param removed - tokens that encoding must not produce; the text they stand for falls back to smaller pieces.
 */
export function vocabularyModel(
  config: ModelConfig,
  removed: ReadonlySet<string> = new Set(),
): VocabularyModel {
  const { model } = libraryTokenizer({ model: withoutTokens(config, removed) });
  const original = isList(config.vocab)
    ? new Map(config.vocab.map(([piece], id) => [piece, id]))
    : new Map(Object.entries(config.vocab));
  const unknownId = typeof config.unk_id === 'number' ? config.unk_id : original.get(config.unk_token ?? '');
  const encoder = new TextEncoder();
  const bytesOf = (piece: string): number[] | undefined => {
    if (!config.byte_fallback || !isList(config.vocab)) return undefined;
    const ids = Array.from(encoder.encode(piece), (byte) =>
      original.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
    );
    return ids.every((id) => id !== undefined) ? (ids as number[]) : undefined;
  };
  const tokens: string[] = [];
  for (const [token, id] of original) tokens[id] = token;
  return {
    size: original.size,
    encode: (word) =>
      model._call([word]).flatMap((piece) => {
        const id = model.tokens_to_ids.get(piece);
        return id !== undefined ? [id] : (bytesOf(piece) ?? (unknownId === undefined ? [] : [unknownId]));
      }),
    idOf: (token) => original.get(token),
    tokenOf: (id) => tokens[id],
  };
}
