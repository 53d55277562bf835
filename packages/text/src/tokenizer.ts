import { ConfigError, InputError, isWeftError, type TakeNotice } from '@weft/errors';
import { joinPath } from '#backend';
import { addedTokenSplitter, type TextPiece } from './added-tokens.js';
import { checkTokenizerFiles } from './check-files.js';
import { LiteralText, type TextRange } from './literal-text.js';
import { normalizer, type NormalizerConfig } from './normalizer.js';
import { preTokenizer, type PreTokenizerConfig } from './pre-tokenizer.js';
import { readJsonFile } from './read-json-file.js';
import {
  cleanUpStage,
  decoderStages,
  flushThrough,
  pushThrough,
  type DecoderConfig,
} from './token-decoder.js';
import {
  configuredTokens,
  contentOf,
  frameOf,
  mergeAddedTokens,
  specialTokenNames,
  type TokenEntry,
  type TokenizerConfig,
} from './tokenizer-settings.js';
import {
  reachableTokens,
  vocabularyModel,
  type ModelConfig,
  type VocabularyModel,
} from './vocabulary-model.js';

/** The content of a Hugging Face `tokenizer.json`. */
export interface TokenizerJson {
  readonly model: ModelConfig;
  readonly added_tokens?: readonly (Exclude<TokenEntry, string> & { readonly id: number })[] | null;
  readonly normalizer?: NormalizerConfig | null;
  readonly pre_tokenizer?: PreTokenizerConfig | null;
  readonly post_processor?: Parameters<typeof frameOf>[0];
  readonly decoder?: DecoderConfig | null;
}

/** How a text is encoded. */
export interface EncodeOptions {
  /** Put the tokens of the post-processor (such as the beginning of sequence) around the text; true by default. */
  readonly addSpecialTokens?: boolean | undefined;
  /**
   * Whether `</s>`, `<image>`, … in the text become their control tokens (true by default, as in transformers) or
   * stay ordinary text (`split_special_tokens=True` in transformers). Text of a user must be encoded with false.
   */
  readonly parseSpecialTokens?: boolean | undefined;
  /** Ranges of the text, in UTF-16 units, in which special tokens stay ordinary text although others are parsed. */
  readonly literal?: readonly TextRange[] | undefined;
}

/** How ids become text. */
export interface DecodeOptions {
  /** Leave special tokens out; false by default. */
  readonly skipSpecialTokens?: boolean | undefined;
}

/** Text decoding that is fed one id at a time. */
export interface IncrementalDecoder {
  /** Text that no later id can change, after one more id. */
  push(id: number): string;
  /** The rest of the text; the decoder starts over afterwards. */
  flush(): string;
}

/** Text to token ids and back, equal to the checkpoint's own fast tokenizer. */
export interface Tokenizer {
  /** Token ids of a text. */
  encode(text: string, options?: EncodeOptions): number[];
  /** Text of token ids. Ids that no token has are left out. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** A decoder for ids that come one by one. */
  incrementalDecoder(options?: DecodeOptions): IncrementalDecoder;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  /** Ids of control tokens and placeholders. With `parseSpecialTokens: false` none but the unknown token is produced. */
  readonly specialIds: ReadonlySet<number>;
  /** The texts of `specialIds`. */
  readonly specialTokens: ReadonlySet<string>;
  /** Named special tokens under the checkpoint's names: `bos_token`, `eos_token`, `image_token`, … */
  readonly specialTokenNames: Readonly<Record<string, string>>;
  /** The largest id plus one, added tokens included. */
  readonly vocabSize: number;
  /**
   * Length of the longest token, in UTF-16 units. One token stands for no more text than that, unless the tokenizer leaves
   * text out or joins it: white space beside added tokens, unknown words.
   */
  readonly longestToken: number;
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
  readonly padToken: string | undefined;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  readonly padTokenId: number | undefined;
}

/** Choices that the checkpoint's files do not make. */
export interface TokenizerOptions {
  /** Tokens to be treated as special although the files do not mark them so: placeholders of images, for example. */
  readonly placeholders?: readonly string[] | undefined;
  /** Takes what the files say and is not applied. */
  readonly notice?: TakeNotice | undefined;
}

// A lone surrogate has no UTF-8 form; its replacement has the same length, so ranges stay valid.
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\uFFFD');

function checkTokenizerJson(json: TokenizerJson): void {
  const model: unknown = json?.model;
  if (typeof model === 'object' && model !== null && 'vocab' in model && model.vocab) return;
  throw new ConfigError({
    message: 'The tokenizer has no vocabulary: model.vocab is missing.',
    where: 'tokenizer.json',
    hint: 'Use the tokenizer.json of a fast tokenizer (transformers: tokenizer.save_pretrained).',
  });
}

/**
 * Builds a tokenizer from the contents of `tokenizer.json` and `tokenizer_config.json`.
 *
 * Follows the `tokenizers` library (normalizer, pre-tokenizer, model, decoder as the file says) and transformers'
 * `PreTrainedTokenizerFast` (`add_bos_token`, `add_eos_token`, special tokens of the configuration).
 *
 * @throws {ConfigError} if there is no vocabulary, no token for a placeholder, or a field of a wrong kind.
 * @throws {UnsupportedError} for a normalizer, pre-tokenizer or decoder that is not known, and for patterns that cannot
 * be matched in bounded time.
 */
export function createTokenizer(
  tokenizerJson: TokenizerJson,
  tokenizerConfig: TokenizerConfig = {},
  options: TokenizerOptions = {},
): Tokenizer {
  checkTokenizerJson(tokenizerJson);
  checkTokenizerFiles(tokenizerJson, tokenizerConfig);
  try {
    return build(tokenizerJson, tokenizerConfig, options);
  } catch (cause) {
    if (isWeftError(cause) || !(cause instanceof Error)) throw cause;
    throw new ConfigError({
      message: `A field of the tokenizer's files has a value of a wrong kind: ${cause.message}`,
      where: 'tokenizer.json, tokenizer_config.json',
      hint: 'Save the fast tokenizer again: AutoTokenizer.from_pretrained(…).save_pretrained(folder).',
      cause,
    });
  }
}

function build(
  tokenizerJson: TokenizerJson,
  tokenizerConfig: TokenizerConfig,
  { placeholders = [], notice }: TokenizerOptions,
): Tokenizer {
  if (tokenizerJson.model.dropout)
    notice?.({
      where: 'tokenizer.json: model.dropout',
      message: `Merges are left out by chance (${tokenizerJson.model.dropout}) in training; here none is.`,
    });
  const model = vocabularyModel(tokenizerJson.model);
  const normalize = normalizer(tokenizerJson.normalizer);
  const preTokenize = preTokenizer(tokenizerJson.pre_tokenizer);
  const fromFiles = mergeAddedTokens(
    tokenizerJson.added_tokens ?? [],
    configuredTokens(tokenizerConfig),
    model,
  );
  // Placeholders are protected in user text but are not skipped in decoding: the files do not call them special.
  const skipped = new Set(fromFiles.filter((token) => token.special).map((token) => token.content));
  const protectedToo = new Set(placeholders);
  const added = fromFiles.map((token) =>
    protectedToo.has(token.content) ? { ...token, special: true } : token,
  );
  const idOf = new Map(added.map((token) => [token.content, token.id]));
  const tokenOf = new Map(added.map((token) => [token.id, token.content]));
  const tokenToId = (token: string): number | undefined => idOf.get(token) ?? model.idOf(token);
  const idToToken = (id: number): string | undefined => tokenOf.get(id) ?? model.tokenOf(id);

  // What decoding sees of an added token is the text that encoding looks for.
  const shownOf = new Map(
    added.map(({ id, content, normalized }) => [id, normalized ? normalize(content) : content]),
  );
  const shown = (id: number): string | undefined => shownOf.get(id) ?? model.tokenOf(id);

  const unknown = placeholders.filter((token) => tokenToId(token) === undefined);
  if (unknown.length > 0)
    throw new ConfigError({
      message: `The vocabulary has no token for the placeholders ${unknown.join(', ')}.`,
      where: 'placeholders',
      hint: 'Use the placeholder of this checkpoint, as in its config.json or tokenizer_config.json.',
    });
  const specialTokens: ReadonlySet<string> = new Set([
    ...added.filter((token) => token.special).map((token) => token.content),
    ...placeholders,
  ]);
  const reachable = reachableTokens(tokenizerJson.model, specialTokens);
  let literalModel: VocabularyModel | undefined = reachable.size === 0 ? model : undefined;

  const splitRaw = addedTokenSplitter(
    added.filter((token) => !token.normalized).map((token) => ({ pattern: token.content, token })),
  );
  const normalized = added
    .filter((token) => token.normalized)
    .map((token) => ({ pattern: normalize(token.content), token }));
  const splitNormalized = addedTokenSplitter(normalized);
  const guardsNormalized = normalized.some(({ token }) => token.special);

  const encodeRun = (raw: string, first: boolean, literal: LiteralText): number[] => {
    const text = normalize(raw);
    const place = (at: number): number =>
      at >= raw.length ? text.length : normalize(raw.slice(0, at)).length;
    const pieces: readonly TextPiece[] = splitNormalized(
      text,
      guardsNormalized ? literal.moved(place) : literal,
    );
    if (!literal.isEmpty) literalModel ??= vocabularyModel(tokenizerJson.model, reachable);
    const words = !literal.isEmpty && literalModel ? literalModel : model;
    const ids: number[] = [];
    for (const { start, end, token } of pieces) {
      if (token) ids.push(token.id);
      else
        for (const word of preTokenize(text.slice(start, end), first && start === 0))
          if (word !== '') for (const id of words.encode(word)) ids.push(id);
    }
    return ids;
  };

  const names = Object.fromEntries(
    Object.entries(specialTokenNames(tokenizerConfig)).map(([key, entry]) => [key, contentOf(entry) ?? '']),
  );
  const { bos_token: bosToken, eos_token: eosToken, pad_token: padToken } = names;
  const named = (token: string | undefined): number | undefined =>
    token === undefined ? undefined : tokenToId(token);
  const [bosTokenId, eosTokenId, padTokenId] = [named(bosToken), named(eosToken), named(padToken)];
  const optional = (present: unknown, id: number | undefined): number[] =>
    present && id !== undefined ? [id] : [];
  const { add_bos_token: addBos, add_eos_token: addEos } = tokenizerConfig;
  const frame =
    addBos === undefined && addEos === undefined
      ? frameOf(tokenizerJson.post_processor)
      : { before: optional(addBos, bosTokenId), after: optional(addEos, eosTokenId) };

  const isBpe = tokenizerJson.model.type === 'BPE' || tokenizerJson.model.merges !== undefined;
  const cleans =
    tokenizerConfig.clean_up_tokenization_spaces === true &&
    (!isBpe ||
      tokenizerConfig['clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output'] === true);
  const stagesOf = decoderStages(tokenizerJson.decoder);
  const incrementalDecoder = ({ skipSpecialTokens = false }: DecodeOptions = {}): IncrementalDecoder => {
    const stages = [...stagesOf(), ...(cleans ? [cleanUpStage()] : [])];
    return {
      push(id) {
        const token = shown(id);
        if (token === undefined || (skipSpecialTokens && skipped.has(token))) return '';
        return pushThrough(stages, token);
      },
      flush: () => flushThrough(stages),
    };
  };
  return {
    encode(input, { addSpecialTokens = true, parseSpecialTokens = true, literal = [] } = {}) {
      if (typeof input !== 'string')
        throw new InputError({
          message: `A text was expected, but ${typeof input} was given.`,
          where: 'encode',
        });
      const text = wellFormed(input);
      const literalText = new LiteralText(parseSpecialTokens ? literal : [[0, text.length]]);
      const ids: number[] = [];
      for (const { start, end, token } of splitRaw(text, literalText)) {
        if (token) ids.push(token.id);
        else
          for (const id of encodeRun(text.slice(start, end), start === 0, literalText.within(start, end)))
            ids.push(id);
      }
      return addSpecialTokens ? [...frame.before, ...ids, ...frame.after] : ids;
    },
    decode(ids, options) {
      const decoder = incrementalDecoder(options);
      const text = Array.from(ids, (id) => decoder.push(id));
      return text.join('') + decoder.flush();
    },
    incrementalDecoder,
    tokenToId,
    idToToken,
    specialIds: new Set(Array.from(specialTokens, (token) => named(token) ?? -1)),
    specialTokens,
    specialTokenNames: names,
    vocabSize: added.reduce((size, token) => Math.max(size, token.id + 1), model.size),
    longestToken: added.reduce(
      (longest, { content }) => Math.max(longest, content.length),
      model.longestToken,
    ),
    bosToken,
    eosToken,
    padToken,
    bosTokenId,
    eosTokenId,
    padTokenId,
  };
}

/**
 * Reads the tokenizer of a checkpoint folder: `tokenizer.json`, and where they exist `tokenizer_config.json`,
 * `special_tokens_map.json` and `added_tokens.json` (the two last only fill what the configuration leaves open).
 *
 * @throws {ConfigError} if `tokenizer.json` is missing or a file is not valid JSON.
 */
export async function loadTokenizer(folder: string, options?: TokenizerOptions): Promise<Tokenizer> {
  const file = joinPath(folder, 'tokenizer.json');
  const json = (await readJsonFile(file)) as TokenizerJson | undefined;
  if (json === undefined)
    throw new ConfigError({
      message: 'The folder has no tokenizer.json.',
      where: file,
      hint: 'Save the fast tokenizer: AutoTokenizer.from_pretrained(…).save_pretrained(folder).',
    });
  const stated = ((await readJsonFile(joinPath(folder, 'tokenizer_config.json'))) ?? {}) as TokenizerConfig;
  // transformers takes what stands around a text from tokenizer.json, where there is one.
  const { add_bos_token: _bos, add_eos_token: _eos, ...config } = stated;
  if (config.added_tokens_decoder) return createTokenizer(json, config, options);
  // Of this file transformers 5 does not know the older name of further tokens.
  const { additional_special_tokens: _further, ...map } = ((await readJsonFile(
    joinPath(folder, 'special_tokens_map.json'),
  )) ?? {}) as TokenizerConfig;
  const more = ((await readJsonFile(joinPath(folder, 'added_tokens.json'))) ?? {}) as Record<string, number>;
  const merged: TokenizerConfig = { ...config, ...map };
  const specials = new Set(
    [...Object.values(specialTokenNames(merged)), ...(merged.additional_special_tokens ?? [])].map(contentOf),
  );
  const entries = Object.entries(more).map(([content, id]): [string, TokenEntry] => [
    String(id),
    { content, special: specials.has(content), normalized: !specials.has(content) },
  ]);
  return createTokenizer(json, { ...merged, added_tokens_decoder: Object.fromEntries(entries) }, options);
}
