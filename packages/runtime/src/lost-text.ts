import { isWeftError } from '@weft/errors';
import type { ChatMessage, ContentPart, Segment } from '@weft/text';

/** A text of a message that does not reach the prompt. */
export interface LostText {
  /** Number of the message. */
  readonly message: number;
  readonly text: string;
}

type Render = (messages: readonly ChatMessage[]) => readonly Segment[];

/**
 * Texts of messages that a template leaves out altogether. One that it trims, quotes or cuts (the thoughts of an earlier
 * answer) is not lost.
 *
 * @param rendered what `render` makes of the messages
 * @param marks characters within texts that are no text themselves
 */
export function lostText(
  render: Render,
  rendered: readonly Segment[],
  messages: readonly ChatMessage[],
  marks: string,
): LostText[] {
  const between = new RegExp(`[${marks}]`);
  const texts = messages.flatMap(({ content }, message) =>
    textsOf(content)
      .flatMap((text) => text.split(between))
      .filter((text) => text.trim() !== '')
      .map((text) => ({ message, text })),
  );
  // What renderChat knows to come from messages, each stretch of it for one text: the longest takes its place first.
  const fromMessages = rendered.flatMap(({ kind, text }) => (kind === 'user' ? [text] : []));
  const unsure = texts
    .toSorted((a, b) => b.text.length - a.text.length)
    .filter(({ text }) => !take(fromMessages, text.trim()));
  return texts.filter(
    (one) => unsure.includes(one) && !reaches(render, messages, { ...one, text: one.text.trim() }),
  );
}

const textsOf = (content: ChatMessage['content']): string[] =>
  typeof content === 'string' ? [content] : content.flatMap((part) => (isText(part) ? [part.text] : []));

const isText = (part: ContentPart): part is Extract<ContentPart, { type: 'text' }> => part.type === 'text';

/** Takes a text out of the first of several that holds it. */
function take(from: string[], text: string): boolean {
  const holder = from.findIndex((own) => own.includes(text));
  if (holder < 0) return false;
  const own = from[holder]!;
  const at = own.indexOf(text);
  from.splice(holder, 1, own.slice(0, at), own.slice(at + text.length));
  return true;
}

/** Whether the beginning or the end of a text comes through, by characters that occur nowhere else. */
function reaches(render: Render, messages: readonly ChatMessage[], { message, text }: LostText): boolean {
  const used = JSON.stringify(messages);
  const probe = unusedCharacter(used);
  const mark = (own: string): string => own.split(text).join(`${probe}${text}${probe}`);
  const marked = messages.map((given, i): ChatMessage => {
    if (i !== message) return given;
    const { content } = given;
    return {
      ...given,
      content:
        typeof content === 'string'
          ? mark(content)
          : content.map((part) => (isText(part) ? { ...part, text: mark(part.text) } : part)),
    };
  });
  try {
    return render(marked).some(({ text: own }) => own.includes(probe));
  } catch (error) {
    // The template takes this very text only: it has looked at it.
    if (isWeftError(error)) return true;
    throw error;
  }
}

/** A noncharacter, or one of a plane for private use, of which a conversation cannot hold all. */
function unusedCharacter(used: string): string {
  for (let code = 0xf0000; code < 0xffffe; code++)
    if (!used.includes(String.fromCodePoint(code))) return String.fromCodePoint(code);
  return String.fromCodePoint(0x10fffd);
}

const partAsData = /\\*['"]type\\*['"]\s*:\s*\\*['"](?:text|image|video)\\*['"]/g;

/** Whether a template writes parts of messages as JSON, or as Python shows them, instead of their text. */
export function writesParts(rendered: readonly Segment[], messages: readonly ChatMessage[]): boolean {
  const count = (text: string): number => text.match(partAsData)?.length ?? 0;
  const written = rendered.map(({ text }) => text).join('');
  const said = messages.reduce(
    (sum, { role: _, content, ...fields }) =>
      sum +
      textsOf(content).reduce((all, text) => all + count(text), 0) +
      // Values, not the JSON that holds them: a tool's arguments may well have a field 'type'.
      (Object.keys(fields).length > 0 ? count(JSON.stringify(fields)) : 0),
    0,
  );
  return count(written) > said;
}
