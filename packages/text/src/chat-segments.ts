import type { TextRange } from './literal-text.js';
import type { Tokenizer } from './tokenizer.js';

/** Text of a rendered conversation by its origin: `user` text is never read as special tokens. */
export interface Segment {
  readonly kind: 'template' | 'user';
  readonly text: string;
}

/**
 * Encodes a rendered conversation: special tokens are parsed in template text only. For text without special tokens
 * the ids equal those of the whole rendered text encoded at once, since user text does not end a word.
 *
 * The tokens of the post-processor are not added: a chat template writes its own.
 */
export function encodeSegments(
  tokenizer: Pick<Tokenizer, 'encode'>,
  segments: readonly Segment[],
): { ids: number[] } {
  const literal: TextRange[] = [];
  let at = 0;
  for (const { kind, text } of segments) {
    if (kind === 'user') literal.push([at, at + text.length]);
    at += text.length;
  }
  const whole = segments.map(({ text }) => text).join('');
  return { ids: tokenizer.encode(whole, { addSpecialTokens: false, literal }) };
}
