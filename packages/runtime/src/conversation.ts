import { InputError, isWeftError } from '@weft/errors';
import { senseOf, type Sense } from '@weft/spec';
import { renderChat, type ChatMessage, type Segment } from '@weft/text';
import { lostText, writesParts } from './lost-text.js';
import type { ConversationTools, Message, MessageInput, MessagePart } from './message.js';
import { readMessages } from './read-message.js';

/**
 * How a template is given the content of a message: as a `text`, in which pictures are marks that it does not know, or
 * as the list of `parts` that templates for pictures take.
 */
type Form = 'text' | 'parts';

/** A conversation, or the beginning of one, as text. */
export interface RenderedPart {
  /** How many of the messages; all unless given. */
  readonly messages?: number;
  /** Whether to end with the beginning of an answer. */
  readonly addGenerationPrompt: boolean;
}

/** Renders a conversation or a beginning of it, every message in the form in which the template takes it. */
export type Renderer = (part: RenderedPart) => Segment[];

/**
 * A conversation as the checkpoint's chat template writes it, pictures as their placeholders. Without a template the
 * texts stand one after another.
 *
 * A content reaches the template as it was given, as in transformers: a text as a text, parts as a list of parts. Where
 * the template leaves out the text of a message that way, or writes its parts as data, the message is given in the other
 * form.
 *
 * @param options.addGenerationPrompt whether to end with the beginning of an answer
 * @throws InputError if no message has content, if the template refuses the messages, or if in no form all of their text
 *   reaches the prompt
 */
export const renderConversation = (
  tools: ConversationTools,
  messages: readonly MessageInput[],
  { addGenerationPrompt }: { readonly addGenerationPrompt: boolean },
): Segment[] => conversationRenderer(tools, messages, addGenerationPrompt)({ addGenerationPrompt });

/**
 * {@link renderConversation} for several beginnings of one conversation, in which a message has the same form.
 *
 * @param addGenerationPrompt whether the whole conversation, on which the forms are tried, is asked to be continued
 */
export function conversationRenderer(
  tools: ConversationTools,
  given: readonly MessageInput[],
  addGenerationPrompt = false,
): Renderer {
  const messages = readMessages(given);
  if (
    !messages.some(({ content }) =>
      typeof content === 'string' ? content.trim() !== '' : content.length > 0,
    )
  )
    throw new InputError({
      message: 'The prompt is empty: no message has content.',
      hint: 'Write a question.',
    });
  const { chatTemplate } = tools;
  if (chatTemplate === undefined) return withoutTemplate(tools, messages);
  const writer = new TemplateWriter(tools, chatTemplate, messages);
  const forms = writer.findForms(addGenerationPrompt);
  return (part) => writer.render(forms, part);
}

const withoutTemplate =
  (tools: ConversationTools, all: readonly Message[]): Renderer =>
  ({ messages = all.length }) => {
    const marks = freeMarks(JSON.stringify(all.map(told)));
    const segments = all
      .slice(0, messages)
      .map((message): Segment => ({ kind: 'user', text: asText(message, marks) }));
    return withPlaceholders(segments, marks, tools);
  };

/** What a rendering lacks. */
interface Fault {
  /** Number of the message. */
  readonly message: number;
  readonly error: InputError;
}

class TemplateWriter {
  readonly #marks: Marks;
  /** Whether the template writes pictures itself, given as parts. */
  readonly #knowsPictures: boolean;

  constructor(
    private readonly tools: ConversationTools,
    private readonly template: string,
    private readonly messages: readonly Message[],
  ) {
    this.#marks = freeMarks(JSON.stringify(messages.map(told)) + template);
    this.#knowsPictures = tools.model.senses.length > 0 && /['"]image['"]/.test(template);
  }

  /**
   * The form of each message: that in which it was given if the template takes it so, else the first of few in which
   * nothing is lost.
   */
  findForms(addGenerationPrompt: boolean): readonly Form[] {
    const part = { addGenerationPrompt };
    const asGiven = this.messages.map((message) => this.#givenForm(message));
    const tried = new Map<string, unknown>();
    const failures = (forms: readonly Form[]): readonly Fault[] | undefined => {
      if (tried.has(forms.join())) return [];
      try {
        const faults = this.#faultsOf(forms, part);
        if (faults.length === 0) return undefined;
        tried.set(forms.join(), faults[0]!.error);
        return faults;
      } catch (error) {
        if (!isWeftError(error)) throw error;
        tried.set(forms.join(), error);
        return [];
      }
    };
    let forms: readonly Form[] = asGiven;
    let faults = failures(forms);
    if (faults === undefined) return forms;
    if (faults.length > 0) {
      const lost = new Set(faults.map(({ message }) => message));
      forms = this.#formed((_, i) => (lost.has(i) ? other(asGiven[i]!) : asGiven[i]!));
      faults = failures(forms);
      if (faults === undefined) return forms;
    }
    // A template that raises an error does not say which message it could not take.
    const mixtures: ((message: Message, i: number) => Form)[] = [
      ({ content }, i) => (typeof content !== 'string' && !content.some(isSeen) ? 'text' : asGiven[i]!),
      ({ role }, i) => (role === 'user' ? 'parts' : asGiven[i]!),
      ({ role }) => (role === 'user' ? 'parts' : 'text'),
      () => 'text',
      () => 'parts',
    ];
    for (const mixture of mixtures) {
      forms = this.#formed(mixture);
      if (failures(forms) === undefined) return forms;
    }
    throw tried.get(asGiven.join());
  }

  render(forms: readonly Form[], { messages = forms.length, addGenerationPrompt }: RenderedPart): Segment[] {
    return this.#renderTold(this.#toldIn(forms).slice(0, messages), addGenerationPrompt);
  }

  #renderTold(messages: readonly ChatMessage[], addGenerationPrompt: boolean): Segment[] {
    const { tokenizer } = this.tools;
    return withPlaceholders(
      renderChat({ template: this.template, tokenizer, messages, addGenerationPrompt }),
      this.#marks,
      this.tools,
    );
  }

  #toldIn(forms: readonly Form[]): ChatMessage[] {
    return this.messages.map((message, i) => ({
      ...told(message),
      content: forms[i] === 'text' ? asText(message, this.#marks) : partsOf(message.content).map(toldPart),
    }));
  }

  #givenForm({ content }: Message): Form {
    if (typeof content === 'string') return 'text';
    return this.#knowsPictures || !content.some(isSeen) ? 'parts' : 'text';
  }

  /** Forms as wished, but for messages with pictures: those have the form in which pictures reach the prompt. */
  #formed(wish: (message: Message, i: number) => Form): Form[] {
    return this.messages.map((message, i) => {
      const { content } = message;
      return typeof content !== 'string' && content.some(isSeen)
        ? this.#givenForm(message)
        : wish(message, i);
    });
  }

  #faultsOf(forms: readonly Form[], { addGenerationPrompt }: RenderedPart): Fault[] {
    const toldMessages = this.#toldIn(forms);
    const render = (messages: readonly ChatMessage[]): Segment[] =>
      this.#renderTold(messages, addGenerationPrompt);
    const rendered = render(toldMessages);
    const fault = (message: number, what: string, hint: string): Fault => ({
      message,
      error: new InputError({ message: what, where: `messages[${message}]`, hint }),
    });
    if (writesParts(rendered, toldMessages)) {
      const lists = forms.flatMap((form, i) => (form === 'parts' ? [i] : []));
      return lists.map((i) =>
        fault(
          i,
          `The chat template writes the parts of a message (role '${this.messages[i]!.role}') as data instead of their text.`,
          'This checkpoint takes the content of such a message as a text, without pictures.',
        ),
      );
    }
    return lostText(render, rendered, toldMessages, `${this.#marks.image}${this.#marks.video}`).map(
      ({ message, text }) =>
        fault(
          message,
          `The chat template leaves out the text of a message (role '${this.messages[message]!.role}'): ${JSON.stringify(text.slice(0, 40))}.`,
          "This checkpoint's template takes no such message at this place. Put its text into a message of the role 'user'.",
        ),
    );
  }
}

const other = (form: Form): Form => (form === 'text' ? 'parts' : 'text');

const isSeen = ({ type }: MessagePart): boolean => type !== 'text';

const partsOf = (content: Message['content']): readonly MessagePart[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content;

/** Pictures themselves stay out of the template. */
const toldPart = (part: MessagePart): { type: 'text'; text: string } | { type: 'image' | 'video' } =>
  part.type === 'text' ? { type: 'text', text: part.text } : { type: part.type };

const told = (message: Message): ChatMessage => ({
  ...message,
  content: partsOf(message.content).map(toldPart),
});

/** Characters that occur nowhere in a conversation: they stand for what is seen until it is rendered. */
type Marks = Readonly<Record<Sense['kind'], string>>;

function freeMarks(used: string): Marks {
  const image = freeCharacter(used);
  return { image, video: freeCharacter(used + image) };
}

const asText = ({ content }: Message, marks: Marks): string =>
  partsOf(content)
    .map((part) => (part.type === 'text' ? part.text : marks[part.type]))
    .join('');

function withPlaceholders(
  segments: readonly Segment[],
  marks: Marks,
  { model }: ConversationTools,
): Segment[] {
  const placeholders = new Map(
    (['image', 'video'] as const).map((kind) => [
      marks[kind],
      `${senseOf(model, kind)?.placeholder ?? ''}\n`,
    ]),
  );
  return segments.flatMap(({ kind, text }) =>
    text.split(new RegExp(`([${[...placeholders.keys()].join('')}])`)).flatMap((piece): Segment[] => {
      const placeholder = placeholders.get(piece);
      if (placeholder !== undefined) return [{ kind: 'template', text: placeholder }];
      return piece === '' ? [] : [{ kind, text: piece }];
    }),
  );
}

/** @throws InputError if none is free */
function freeCharacter(used: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++)
    if (!used.includes(String.fromCharCode(code))) return String.fromCharCode(code);
  throw new InputError({
    message: 'The messages use every private-use character (U+E000 to U+F8FF); one must stay free.',
  });
}
