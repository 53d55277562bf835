import { InputError } from '@weft/errors';
import { senseOf, type Sense } from '@weft/spec';
import { renderChat, type ChatMessage, type Segment, type TextRange, type Tokenizer } from '@weft/text';
import type { ConversationTools, Message, MessagePart, Question } from './message.js';

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

/**
 * A conversation as the checkpoint's chat template writes it, pictures as their placeholders. Without a template the
 * texts stand one after another.
 *
 * @param options.addGenerationPrompt whether to end with the beginning of an answer
 * @throws InputError if no message has content, or the template refuses the messages
 */
export function renderConversation(
  { model, tokenizer, chatTemplate }: ConversationTools,
  messages: readonly Message[],
  { addGenerationPrompt }: { readonly addGenerationPrompt: boolean },
): Segment[] {
  if (
    !messages.some(({ content }) =>
      typeof content === 'string' ? content.trim() !== '' : content.length > 0,
    )
  )
    throw new InputError({
      message: 'The prompt is empty: no message has content.',
      hint: 'Write a question.',
    });
  if (chatTemplate !== undefined && model.senses.length > 0 && /['"]image['"]/.test(chatTemplate))
    return renderChat({
      template: chatTemplate,
      tokenizer,
      messages: messages.map(inParts),
      addGenerationPrompt,
    });

  // The template knows texts only: characters that occur nowhere else stand for what is seen until it is rendered.
  const used = JSON.stringify(messages.map(inParts)) + (chatTemplate ?? '');
  const image = freeCharacter(used);
  const marks: Readonly<Record<Sense['kind'], string>> = { image, video: freeCharacter(used + image) };
  const inText = messages.map(({ role, content }) => ({
    role,
    content: partsOf(content)
      .map((part) => (part.type === 'text' ? part.text : marks[part.type]))
      .join(''),
  }));
  const rendered: Segment[] =
    chatTemplate === undefined
      ? inText.map(({ content }) => ({ kind: 'user', text: content }))
      : renderChat({ template: chatTemplate, tokenizer, messages: inText, addGenerationPrompt });
  const placeholders = new Map(
    (['image', 'video'] as const).map((kind) => [
      marks[kind],
      `${senseOf(model, kind)?.placeholder ?? ''}\n`,
    ]),
  );
  return rendered.flatMap(({ kind, text }) =>
    text.split(new RegExp(`([${[...placeholders.keys()].join('')}])`)).flatMap((piece): Segment[] => {
      const placeholder = placeholders.get(piece);
      if (placeholder !== undefined) return [{ kind: 'template', text: placeholder }];
      return piece === '' ? [] : [{ kind, text: piece }];
    }),
  );
}

const partsOf = (content: Message['content']): readonly MessagePart[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content;

/** The message as transformers' templates for pictures take it. Pictures themselves stay out of the template. */
const inParts = ({ role, content }: Message): ChatMessage => ({
  role,
  content: partsOf(content).map((part) =>
    part.type === 'text' ? { type: 'text', text: part.text } : { type: part.type },
  ),
});

function freeCharacter(used: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++)
    if (!used.includes(String.fromCharCode(code))) return String.fromCharCode(code);
  throw new InputError({
    message: 'The messages use every private-use character (U+E000 to U+F8FF); one must stay free.',
  });
}
