import { ConfigError, UnsupportedError } from '@weft/errors';
import { byteAlphabet } from './byte-alphabet.js';
import {
  compilePattern,
  findByJavaScript,
  type FindMatches,
  type PatternConfig,
} from './pattern/text-pattern.js';

type Behavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';

/** A `pre_tokenizer` entry of tokenizer.json. */
export interface PreTokenizerConfig {
  readonly type: string;
  readonly pretokenizers?: readonly PreTokenizerConfig[];
  readonly pattern?: PatternConfig;
  readonly behavior?: string;
  readonly invert?: boolean;
  readonly individual_digits?: boolean;
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
  readonly replacement?: string;
  readonly prepend_scheme?: 'always' | 'never' | 'first';
  readonly split?: boolean;
  readonly delimiter?: string;
  readonly length?: number;
}

/**
 * Cuts one run of text into the pieces the vocabulary model sees; `first` tells that the run begins the input. Where the
 * beginning of the run is left out, the first piece is empty.
 */
export type PreTokenize = (text: string, first: boolean) => string[];

interface Part {
  text: string;
  readonly matched: boolean;
}

/** Matches of a pattern of JavaScript that is known to take linear time. */
const findAll =
  (pattern: RegExp): FindMatches =>
  (text) =>
    Array.from(text.matchAll(pattern), (match) => [match.index, match.index + match[0].length]).flat();

function partsOf(text: string, find: FindMatches): Part[] {
  const ranges = find(text);
  const parts: Part[] = [];
  let done = 0;
  for (let at = 0; at < ranges.length; at += 2) {
    const [start, end] = [ranges[at]!, ranges[at + 1]!];
    if (done < start) parts.push({ text: text.slice(done, start), matched: false });
    parts.push({ text: text.slice(start, end), matched: true });
    done = end;
  }
  if (done < text.length) parts.push({ text: text.slice(done), matched: false });
  return parts;
}

function arrange(parts: readonly Part[], behavior: Behavior): string[] {
  if (behavior === 'Removed') {
    const kept = parts.filter((part) => !part.matched).map((part) => part.text);
    return parts[0]?.matched && parts[0].text !== '' ? ['', ...kept] : kept;
  }
  if (behavior === 'Isolated') return parts.map((part) => part.text);
  const joined: Part[] = [];
  const ordered = behavior === 'MergedWithNext' ? [...parts].reverse() : parts;
  let previous: boolean | undefined;
  for (const part of ordered) {
    const last = joined.at(-1);
    const merge = behavior === 'Contiguous' ? previous === part.matched : part.matched && previous === false;
    if (last && merge)
      last.text = behavior === 'MergedWithNext' ? part.text + last.text : last.text + part.text;
    else joined.push({ ...part });
    previous = part.matched;
  }
  const texts = joined.map((part) => part.text);
  return behavior === 'MergedWithNext' ? texts.reverse() : texts;
}

const split =
  (find: FindMatches, behavior: Behavior, invert = false): PreTokenize =>
  (text) => {
    const parts = partsOf(text, find);
    return arrange(invert ? parts.map((part) => ({ ...part, matched: !part.matched })) : parts, behavior);
  };

const behaviorOf = (name: string | undefined): Behavior => {
  const known: readonly Behavior[] = [
    'Removed',
    'Isolated',
    'MergedWithPrevious',
    'MergedWithNext',
    'Contiguous',
  ];
  return (
    known.find((behavior) => behavior.toLowerCase() === name?.toLowerCase().replaceAll('_', '')) ?? 'Isolated'
  );
};

function metaspace(config: PreTokenizerConfig): PreTokenize {
  const mark = config.replacement ?? '▁';
  const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always');
  const words = split(compilePattern({ String: mark }), 'MergedWithNext');
  return (text, first) => {
    const marked = text.replaceAll(' ', mark);
    const prepend = scheme === 'always' || (scheme === 'first' && first);
    const whole = prepend && !marked.startsWith(mark) ? mark + marked : marked;
    return config.split === false ? [whole] : words(whole, first);
  };
}

const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function byteLevel(config: PreTokenizerConfig): PreTokenize {
  const alphabet = byteAlphabet();
  const encoder = new TextEncoder();
  const words = findByJavaScript(gpt2Words);
  return (text) => {
    const prefixed = config.add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text;
    const pieces =
      config.use_regex === false ? [prefixed] : partsOf(prefixed, words).map((part) => part.text);
    return pieces.map((piece) => Array.from(encoder.encode(piece), (byte) => alphabet[byte]).join(''));
  };
}

function fixedLength(length: number): PreTokenize {
  if (!Number.isInteger(length) || length < 1)
    throw new ConfigError({
      message: `The length of pieces is ${JSON.stringify(length)}, expected a whole number of at least 1.`,
      where: 'tokenizer.json, pre_tokenizer.length',
    });
  return (text) => {
    const characters = [...text];
    const pieces: string[] = [];
    for (let at = 0; at < characters.length; at += length)
      pieces.push(characters.slice(at, at + length).join(''));
    return pieces;
  };
}

const sequence =
  (steps: readonly PreTokenize[]): PreTokenize =>
  (text, first) =>
    steps.reduce<string[]>(
      (pieces, step) => pieces.flatMap((piece, at) => (piece === '' ? [''] : step(piece, first && at === 0))),
      [text],
    );

/**
 * Builds the cutting of text into words from a `pre_tokenizer` of tokenizer.json, equal to the `tokenizers` library
 * in white space, digits of every script, and all five ways of treating the matches.
 *
 * @throws {UnsupportedError} for a type that is not known.
 */
export function preTokenizer(config: PreTokenizerConfig | null | undefined): PreTokenize {
  if (!config) return (text) => [text];
  const punctuation = findAll(/[\p{P}!-/:-@[-`{-~]/gu);
  const spaces = findAll(/\p{White_Space}/gu);
  switch (config.type) {
    case 'Sequence':
      return sequence((config.pretokenizers ?? []).map(preTokenizer));
    case 'Split':
      return split(compilePattern(config.pattern ?? {}), behaviorOf(config.behavior), config.invert ?? false);
    case 'ByteLevel':
      return byteLevel(config);
    case 'Metaspace':
      return metaspace(config);
    case 'Digits':
      return split(findAll(/\p{N}/gu), config.individual_digits ? 'Isolated' : 'Contiguous');
    case 'Punctuation':
      return split(punctuation, behaviorOf(config.behavior));
    case 'Whitespace':
      return split(
        findAll(
          /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
        ),
        'Removed',
        true,
      );
    case 'WhitespaceSplit':
      return split(spaces, 'Removed');
    case 'BertPreTokenizer':
      return sequence([split(spaces, 'Removed'), split(punctuation, 'Isolated')]);
    case 'CharDelimiterSplit':
      return split(compilePattern({ String: config.delimiter ?? ' ' }), 'Removed');
    case 'FixedLength':
      return fixedLength(config.length ?? 5);
  }
  throw new UnsupportedError({
    message: `The pre-tokenizer '${config.type}' is not supported.`,
    where: 'tokenizer.json, pre_tokenizer',
    hint: 'Supported: Sequence, Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, FixedLength.',
  });
}
