import * as tokenizers from '@huggingface/tokenizers';

/** The parts of a library tokenizer that are used here. */
interface LibraryTokenizer {
  readonly normalizer: { normalize(text: string): string } | null;
  readonly model: {
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    _call(words: readonly string[]): string[];
  };
}

interface Library {
  readonly Tokenizer: new (json: object, config: object) => LibraryTokenizer;
  readonly SplitPreTokenizer: new (config: object) => { readonly pattern: RegExp | null };
}

// The published declarations import each other without file endings, which TypeScript cannot follow in ES modules.
const library = tokenizers as unknown as Library;

/** The normalizer and the vocabulary model of a tokenizer.json, as the library builds them. */
export const libraryTokenizer = (parts: {
  readonly normalizer?: object | null;
  readonly model: object;
}): LibraryTokenizer =>
  new library.Tokenizer(
    {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      ...parts,
    },
    {},
  );

/** The regular expression of a `pattern` in tokenizer.json, translated from Oniguruma's syntax. */
export function libraryPattern(pattern: { readonly Regex?: string; readonly String?: string }): RegExp {
  // `invert` has no effect on the pattern but to leave plain strings without a capture group.
  const compiled = new library.SplitPreTokenizer({
    type: 'Split',
    pattern,
    behavior: 'Isolated',
    invert: true,
  }).pattern;
  if (!compiled) throw new TypeError('The tokenizers library compiled no pattern.');
  return compiled;
}
