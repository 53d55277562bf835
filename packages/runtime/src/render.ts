import type { Segment, TextRange, Tokenizer } from '@weft/text';
import type { ConversationTools, Question } from './message.js';

/**
 * Whether the tokenizer's own first and last tokens are added: as transformers' processors do, unless the text begins
 * with the first one; for text models a chat template writes them itself.
 */
export function isFramed(
  { model, tokenizer, chatTemplate }: ConversationTools,
  { messages }: Pick<Question, 'messages'>,
  segments: readonly Segment[],
): boolean {
  if (!messages || chatTemplate === undefined) return true;
  if (model.senses.length === 0) return false;
  const first = segments[0];
  return !(tokenizer.bosToken && first?.kind === 'template' && first.text.startsWith(tokenizer.bosToken));
}

/** Ids of a text, of which that of users stays free of control tokens. */
export function encode(
  tokenizer: Tokenizer,
  segments: readonly Segment[],
  addSpecialTokens: boolean,
): number[] {
  const literal: TextRange[] = [];
  let text = '';
  for (const segment of segments) {
    if (segment.kind === 'user') literal.push([text.length, text.length + segment.text.length]);
    text += segment.text;
  }
  return tokenizer.encode(text, { addSpecialTokens, literal });
}
