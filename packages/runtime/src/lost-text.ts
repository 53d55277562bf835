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
  const missing = new Set(
    texts
      .map(({ text }) => text.trim())
      .toSorted((a, b) => b.length - a.length)
      .filter((text) => !take(fromMessages, text)),
  );
  // Which of several equal texts is missing, nobody knows yet.
  const unsure = texts.filter(({ text }) => missing.has(text.trim()));
  if (unsure.length === 0) return [];
  // Together first: one rendering for each text would take time that grows with the square of a long conversation.
  const found = reaching(render, messages, unsure);
  return found
    ? unsure.filter((one) => !found.has(one))
    : unsure.filter((one) => !(reaching(render, messages, [one])?.has(one) ?? true));
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

/**
 * Texts of which the beginning or the end comes through, by characters around each that occur nowhere else. Nothing if the
 * template takes these very texts only: it has looked at them.
 */
function reaching(
  render: Render,
  messages: readonly ChatMessage[],
  texts: readonly LostText[],
): ReadonlySet<LostText> | undefined {
  const unused = unusedCharacters(JSON.stringify(messages), texts.length);
  const probes = new Map(texts.map((one, i) => [one, unused[i]!]));
  const own = new Map<number, LostText[]>();
  for (const one of texts) own.set(one.message, [...(own.get(one.message) ?? []), one]);
  const marked = messages.map((given, i): ChatMessage => {
    const { content } = given;
    const mark = (text: string): string =>
      (own.get(i) ?? []).reduce((all, one) => {
        const piece = one.text.trim();
        return all.split(piece).join(`${probes.get(one)}${piece}${probes.get(one)}`);
      }, text);
    return {
      ...given,
      content:
        typeof content === 'string'
          ? mark(content)
          : content.map((part) => (isText(part) ? { ...part, text: mark(part.text) } : part)),
    };
  });
  try {
    const rendered = render(marked)
      .map(({ text }) => text)
      .join('');
    return new Set(texts.filter((one) => rendered.includes(probes.get(one)!)));
  } catch (error) {
    if (isWeftError(error)) return undefined;
    throw error;
  }
}

/** Characters of the planes for private use, of which a conversation cannot hold all; the last one again if they run out. */
function unusedCharacters(text: string, count: number): string[] {
  const used = new Set(text);
  const unused: string[] = [];
  for (let code = 0xf0000; code < 0x10fffd && unused.length < count; code++) {
    const character = String.fromCodePoint(code);
    if (!used.has(character)) unused.push(character);
  }
  while (unused.length < count) unused.push('\u{10fffd}');
  return unused;
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
