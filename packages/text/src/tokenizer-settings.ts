import { ConfigError, shown } from '@weft/errors';
import type { AddedToken } from './added-tokens.js';

/** A token in a tokenizer file: its text, or its text with flags. */
export type TokenEntry =
  | string
  | {
      readonly content: string;
      readonly single_word?: boolean;
      readonly lstrip?: boolean;
      readonly rstrip?: boolean;
      readonly normalized?: boolean;
      readonly special?: boolean;
    };

/** The parts of `tokenizer_config.json` that change how text becomes ids and back. */
export interface TokenizerConfig {
  readonly bos_token?: TokenEntry | null;
  readonly eos_token?: TokenEntry | null;
  readonly unk_token?: TokenEntry | null;
  readonly sep_token?: TokenEntry | null;
  readonly pad_token?: TokenEntry | null;
  readonly cls_token?: TokenEntry | null;
  readonly mask_token?: TokenEntry | null;
  readonly additional_special_tokens?: readonly TokenEntry[] | null;
  readonly extra_special_tokens?: readonly TokenEntry[] | Readonly<Record<string, TokenEntry>> | null;
  readonly added_tokens_decoder?: Readonly<Record<string, TokenEntry>>;
  readonly add_bos_token?: boolean | null;
  readonly add_eos_token?: boolean | null;
  readonly clean_up_tokenization_spaces?: boolean | null;
  readonly [key: string]: unknown;
}

/** The text of a token entry; undefined for an absent or empty one. */
export const contentOf = (entry: TokenEntry | null | undefined): string | undefined =>
  (typeof entry === 'string' ? entry : entry?.content) || undefined;

const isEntry = (value: unknown): value is TokenEntry =>
  typeof value === 'string' ||
  (typeof value === 'object' && value !== null && 'content' in value && typeof value.content === 'string');

/**
 * The named special tokens of a configuration by their key (`bos_token`, …), with the names that a checkpoint adds
 * (`image_token`, …).
 */
export function specialTokenNames(config: TokenizerConfig): Record<string, TokenEntry> {
  const names: Record<string, TokenEntry> = {};
  for (const [key, entry] of Object.entries(config))
    if (key.endsWith('_token') && isEntry(entry) && contentOf(entry) !== undefined) names[key] = entry;
  const extra = config.extra_special_tokens;
  const models = config['model_specific_special_tokens'];
  for (const table of [extra, models])
    if (table && typeof table === 'object' && !Array.isArray(table))
      for (const [key, entry] of Object.entries(table))
        if (isEntry(entry) && contentOf(entry)) names[key] = entry;
  return names;
}

const special = (entry: TokenEntry): TokenEntry =>
  typeof entry === 'string'
    ? { content: entry, special: true, normalized: false }
    : { normalized: false, ...entry, special: true };

/** The tokens that `tokenizer_config.json` adds to those of tokenizer.json, in the order in which they get their ids. */
export function configuredTokens(config: TokenizerConfig): TokenEntry[] {
  const listed = Object.entries(config.added_tokens_decoder ?? {})
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, entry]) => entry);
  const extra = Array.isArray(config.extra_special_tokens)
    ? (config.extra_special_tokens as TokenEntry[])
    : [];
  // The older name counts where the newer one says nothing.
  const isSaid = Object.keys(config.extra_special_tokens ?? {}).length > 0;
  const older = isSaid ? [] : (config.additional_special_tokens ?? []);
  return [...listed, ...[...Object.values(specialTokenNames(config)), ...extra, ...older].map(special)];
}

/**
 * Joins the added tokens of both files as transformers does: a token that is known keeps its id and flags but may
 * become special; a new one takes its id in the vocabulary, or the next free id.
 */
export function mergeAddedTokens(
  known: readonly (Exclude<TokenEntry, string> & { readonly id: number })[],
  more: readonly TokenEntry[],
  vocabulary: { readonly idOf: (token: string) => number | undefined; readonly size: number },
): AddedToken[] {
  const tokens = new Map<string, AddedToken>();
  let next = vocabulary.size;
  const add = (entry: TokenEntry, id: number): void => {
    next = Math.max(next, id + 1);
    const flags = typeof entry === 'string' ? { content: entry } : entry;
    if (typeof flags?.content !== 'string' || !Number.isInteger(id) || id < 0)
      throw new ConfigError({
        message: `An added token has the content ${JSON.stringify(flags?.content)} and the id ${JSON.stringify(id)}, expected a text and a whole number.`,
        where: 'tokenizer.json, added_tokens; tokenizer_config.json, added_tokens_decoder',
      });
    tokens.set(flags.content, {
      id,
      content: flags.content,
      singleWord: flags.single_word ?? false,
      lstrip: flags.lstrip ?? false,
      rstrip: flags.rstrip ?? false,
      special: flags.special ?? false,
      normalized: flags.normalized ?? !flags.special,
    });
  };
  for (const entry of known) add(entry, entry.id);
  for (const entry of more) {
    const content = contentOf(entry);
    if (content === undefined) continue;
    const present = tokens.get(content);
    const isSpecial = typeof entry === 'object' && entry.special === true;
    if (present) {
      if (isSpecial && !present.special) tokens.set(content, { ...present, special: true });
      continue;
    }
    add(entry, vocabulary.idOf(content) ?? next);
  }
  return [...tokens.values()];
}

interface PostProcessor {
  readonly type: string;
  readonly single?: readonly {
    readonly SpecialToken?: { readonly id: string };
    readonly Sequence?: unknown;
  }[];
  readonly special_tokens?: Readonly<Record<string, { readonly ids: readonly number[] }>>;
  readonly cls?: readonly [string, number];
  readonly sep?: readonly [string, number];
  readonly processors?: readonly PostProcessor[];
}

/** Ids that are put around an encoded text. */
export interface Frame {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/**
 * Ids that a `post_processor` of tokenizer.json puts around a single text.
 *
 * @throws ConfigError for a token that the post-processor does not describe, as the `tokenizers` library refuses it
 */
export function frameOf(processor: PostProcessor | null | undefined): Frame {
  if (processor?.type === 'Sequence')
    return (processor.processors ?? []).map(frameOf).reduce<Frame>(
      (inner, outer) => ({
        before: [...outer.before, ...inner.before],
        after: [...inner.after, ...outer.after],
      }),
      { before: [], after: [] },
    );
  if (processor?.cls && processor.sep) return { before: [processor.cls[1]], after: [processor.sep[1]] };
  const items = processor?.type === 'TemplateProcessing' ? (processor.single ?? []) : [];
  const middle = items.findIndex((item) => item.Sequence !== undefined);
  const ids = (part: typeof items): number[] =>
    part.flatMap(({ SpecialToken: token }) => {
      const own = typeof token?.id === 'string' ? processor?.special_tokens?.[token.id]?.ids : undefined;
      if (own) return own;
      throw new ConfigError({
        message: `The post_processor puts ${shown(token)} around texts, which is none of its special_tokens.`,
        where: 'tokenizer.json',
      });
    });
  return middle < 0
    ? { before: ids(items), after: [] }
    : { before: ids(items.slice(0, middle)), after: ids(items.slice(middle + 1)) };
}
