import { UnsupportedError } from '@weft/errors';
import { byteAlphabet } from './byte-alphabet.js';
import { compilePattern, replaceMatches, type PatternConfig } from './pattern/text-pattern.js';
import { precompiledCharsmap } from './precompiled-charsmap.js';

/** A `normalizer` entry of tokenizer.json. */
export interface NormalizerConfig {
  readonly type: string;
  readonly normalizers?: readonly NormalizerConfig[];
  readonly pattern?: PatternConfig;
  readonly content?: string;
  readonly prepend?: string;
  readonly strip_left?: boolean;
  readonly strip_right?: boolean;
  readonly clean_text?: boolean;
  readonly handle_chinese_chars?: boolean;
  readonly strip_accents?: boolean | null;
  readonly lowercase?: boolean;
  readonly precompiled_charsmap?: string | null;
}

/** Changes a run of text before it is cut into words. */
export type Normalize = (text: string) => string;

/** Lower case without regard to the place in a word: Greek sigma has one form, as in Rust's `char::to_lowercase`. */
const lowerCase: Normalize = (text) => text.replaceAll('Σ', 'σ').toLowerCase();

/** U+0001 to U+001F but for tab and the line ends, and three more; U+0000 is left in, as in the reference. */
const isNmtControl = (character: string): boolean => {
  const code = character.charCodeAt(0);
  return (code > 0 && code < 0x20 && ![9, 10, 12, 13].includes(code)) || [0x7f, 0x8f, 0x9f].includes(code);
};
const nmtSpaces = /[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/g;

// The reference names U+2B920 to U+2CEAF here, which leaves a part of a block out.
const chineseCharacters =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

function bert(config: NormalizerConfig): Normalize {
  const { lowercase = true } = config;
  const steps: Normalize[] = [];
  if (config.clean_text ?? true)
    steps.push((text) => text.replace(/[^\P{C}\t\n\r\p{Cn}]|\uFFFD/gu, '').replace(/\p{White_Space}/gu, ' '));
  if (config.handle_chinese_chars ?? true) steps.push((text) => text.replace(chineseCharacters, ' $& '));
  if (config.strip_accents ?? lowercase) steps.push((text) => text.normalize('NFD').replace(/\p{Mn}/gu, ''));
  if (lowercase) steps.push(lowerCase);
  return inTurn(steps);
}

const inTurn =
  (steps: readonly Normalize[]): Normalize =>
  (text) =>
    steps.reduce((now, step) => step(now), text);

/** The most UTF-8 bytes of a grapheme that the table of characters is asked about as a whole. */
const longestGrapheme = 5;

function precompiled(base64: string): Normalize {
  const replacement = precompiledCharsmap(base64);
  const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });
  const encoder = new TextEncoder();
  const replaced = (grapheme: string): string => {
    if (grapheme.length <= longestGrapheme && encoder.encode(grapheme).length <= longestGrapheme) {
      const whole = replacement(grapheme);
      if (whole !== undefined) return whole;
    }
    return Array.from(grapheme, (character) => replacement(character) ?? character).join('');
  };
  return (text) => {
    let result = '';
    for (const { segment } of graphemes.segment(text)) result += replaced(segment);
    return result;
  };
}

/**
 * Builds the change that a `normalizer` of tokenizer.json makes to text, equal to the `tokenizers` library 0.23.
 *
 * @throws {UnsupportedError} for a type that is not known
 * @throws {ConfigError} for a pattern or a table of characters that cannot be read
 */
export function normalizer(config: NormalizerConfig | null | undefined): Normalize {
  if (!config) return (text) => text;
  switch (config.type) {
    case 'Sequence':
      return inTurn((config.normalizers ?? []).map(normalizer));
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => text.normalize(config.type);
    case 'Lowercase':
      return lowerCase;
    case 'StripAccents':
      return (text) => text.replace(/\p{M}/gu, '');
    case 'Strip':
      return (text) => strip(text, config.strip_left ?? false, config.strip_right ?? false);
    case 'Prepend':
      return (text) => (text === '' ? text : (config.prepend ?? '') + text);
    case 'Nmt':
      return (text) =>
        text.replace(/\p{Cc}/gu, (control) => (isNmtControl(control) ? '' : control)).replace(nmtSpaces, ' ');
    case 'ByteLevel': {
      const alphabet = byteAlphabet();
      const encoder = new TextEncoder();
      return (text) => Array.from(encoder.encode(text), (byte) => alphabet[byte]).join('');
    }
    case 'Replace': {
      const find = compilePattern(config.pattern ?? {});
      return (text) => (text === '' ? text : replaceMatches(find, text, config.content ?? ''));
    }
    case 'Precompiled':
      return config.precompiled_charsmap ? precompiled(config.precompiled_charsmap) : (text) => text;
    case 'Bert':
    case 'BertNormalizer':
      return bert(config);
  }
  throw new UnsupportedError({
    message: `The normalizer '${config.type}' is not supported.`,
    where: 'tokenizer.json, normalizer',
    hint: 'Supported: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Nmt, ByteLevel, Replace, Precompiled, BertNormalizer.',
  });
}

function strip(text: string, left: boolean, right: boolean): string {
  const isSpace = (at: number): boolean => /\p{White_Space}/u.test(text.charAt(at));
  let start = 0;
  if (left) while (start < text.length && isSpace(start)) start++;
  let end = text.length;
  if (right) while (end > start && isSpace(end - 1)) end--;
  return text.slice(start, end);
}
