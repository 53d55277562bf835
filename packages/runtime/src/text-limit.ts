import { InputError } from '@weft/errors';
import type { Tokenizer } from '@weft/text';
import type { Message, Question } from './message.js';

/** What the length of a text is held to. */
export interface TextLimit {
  readonly tokenizer: Pick<Tokenizer, 'longestToken'>;
  /** Most tokens of prompt and answer together. */
  readonly maxPositions: number;
}

const lengthOf = (value: unknown): number => (typeof value === 'string' ? value.length : 0);

/** UTF-16 units of all that a question says. What is no message counts for nothing: other checks name it. */
function textLength({ messages, prompt }: Question): number {
  if (!Array.isArray(messages)) return lengthOf(prompt);
  let length = 0;
  for (const message of messages as readonly (Partial<Message> | null | undefined)[]) {
    length += lengthOf(message?.name) + lengthOf(message?.reasoning_content) + lengthOf(message?.thinking);
    const content: unknown = message?.content;
    for (const part of Array.isArray(content) ? (content as unknown[]) : [content])
      length += lengthOf(part) || lengthOf((part as { readonly text?: unknown } | null | undefined)?.text);
  }
  return length;
}

/**
 * Refuses text that cannot fit before any work is done with it: a prompt of as many tokens as the model reads, each the
 * longest of the vocabulary, is shorter.
 *
 * @param length of the text in UTF-16 units
 * @throws InputError if it is longer than that
 */
export function refuseLongText({ tokenizer, maxPositions }: TextLimit, length: number): void {
  const most = maxPositions * tokenizer.longestToken;
  if (length <= most) return;
  throw new InputError({
    message: `The text has ${length} characters; with ${maxPositions} positions and tokens of at most ${tokenizer.longestToken} characters the model reads no more than ${most}.`,
    hint: 'Shorten the text.',
  });
}

/** {@link refuseLongText} for a question, before its chat template is rendered. */
export const refuseLongQuestion = (limit: TextLimit, question: Question): void =>
  refuseLongText(limit, textLength(question));
