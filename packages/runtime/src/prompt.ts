import { InputError } from '@weft/errors';
import { decodeImage, type ImageSource } from '@weft/image';
import type { ImagePlacement, Model, Picture, Vision } from '@weft/spec';
import { renderChat, type ChatMessage, type Segment, type TextRange, type Tokenizer } from '@weft/text';

/** A picture to look at: a path, a `file:` or `data:` URL, bytes, a Blob, or RGB samples in memory. */
export type ImageInput = ImageSource | Picture;

/** A part of a message. An image part without `image` takes the next of the request's `images`. */
export type MessagePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image?: ImageInput };

/** One message of a conversation. The role comes from the program, never from a user. */
export interface Message {
  readonly role: string;
  readonly content: string | readonly MessagePart[];
}

/** What the model is asked. */
export interface Question {
  /** A conversation, rendered by the checkpoint's chat template. Its text never becomes a control token. */
  readonly messages?: readonly Message[] | undefined;
  /** The whole prompt as the model reads it; control tokens and image placeholders in it count. */
  readonly prompt?: string | undefined;
  /** Pictures in the order of their placeholders. */
  readonly images?: readonly ImageInput[] | undefined;
}

/** What conversations are written with. */
export interface ConversationTools {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** The checkpoint's Jinja template; a base model may have none. */
  readonly chatTemplate: string | undefined;
}

/** What prompts are made with. */
export interface PromptTools extends ConversationTools {
  /** Most tokens of prompt and answer together. */
  readonly maxPositions: number;
}

/** A prompt as ids, and the picture behind each image token. */
export interface Prompt {
  readonly ids: readonly number[];
  readonly pictures: readonly Picture[];
  /** Parallel to `ids`: number of the picture whose embedding stands at the place, if any. */
  readonly imageAt: readonly (number | undefined)[];
  readonly imageTokens: number;
}

/**
 * Decodes the pictures of a question, in the order of their placeholders.
 *
 * @throws InputError if a picture cannot be read, or if there are more or fewer than places for them
 */
export async function readPictures({ messages, images = [] }: Question, signal?: AbortSignal): Promise<Picture[]> {
  const waiting = [...images];
  const sources: ImageInput[] = [];
  for (const part of (messages ?? []).flatMap(({ content }) => (typeof content === 'string' ? [] : content))) {
    if (part.type !== 'image') continue;
    const source = part.image ?? waiting.shift();
    if (source === undefined)
      throw new InputError({
        message: `The messages have more image parts than the ${images.length} images given.`,
        where: 'images',
        hint: 'Pass one image for each part of type image.',
      });
    sources.push(source);
  }
  if (messages && waiting.length > 0)
    throw new InputError({
      message: `${images.length} images were given, but the messages have places for ${images.length - waiting.length}.`,
      where: 'images',
      hint: "Add a part { type: 'image' } to a message for each image.",
    });
  const pictures: Picture[] = [];
  for (const source of messages ? sources : waiting) pictures.push(await readPicture(source, signal));
  return pictures;
}

/** A picture in memory. @throws InputError if it cannot be read */
export async function readPicture(source: ImageInput, signal?: AbortSignal): Promise<Picture> {
  return isPicture(source) ? source : decodeImage(source, signal ? { signal } : {});
}

const isPicture = (source: ImageInput): source is Picture =>
  typeof source === 'object' && 'channels' in source && 'width' in source && 'data' in source;

/**
 * The ids of a question: its text with the tokens of each picture in place of its placeholder.
 *
 * @throws InputError for an empty prompt, one that is too long, or image tokens that do not add up
 */
export function buildPrompt(tools: PromptTools, question: Question, pictures: readonly Picture[]): Prompt {
  const { tokenizer, model } = tools;
  const segments = question.messages ? renderConversation(tools, question.messages, { addGenerationPrompt: true }) : rawPrompt(question.prompt);
  const placed = placeImages(segments, model, pictures);
  const ids = encode(tokenizer, placed.segments, isFramed(tools, question, placed.segments));
  if (ids.length === 0) throw new InputError({ message: 'The prompt is empty.', hint: 'Write a question.' });
  const imageAt = model.vision ? locate(ids, model.vision, pictures, placed.placements) : ids.map(() => undefined);
  if (ids.length >= tools.maxPositions)
    throw new InputError({
      message: `The prompt has ${ids.length} tokens, but the model reads at most ${tools.maxPositions} with the answer.`,
      where: describe(pictures, placed.placements),
      hint: 'Shorten the text, or send fewer or smaller images.',
    });
  return { ids, pictures, imageAt, imageTokens: placed.placements.reduce((sum, { tokens }) => sum + tokens, 0) };
}

const rawPrompt = (prompt: string | undefined): Segment[] => {
  if (prompt === undefined || prompt.trim() === '')
    throw new InputError({ message: 'The prompt is empty.', hint: 'Write a question.' });
  return [{ kind: 'template', text: prompt }];
};

/**
 * Whether the tokenizer's own first and last tokens are added: as transformers' processors do, unless the text begins
 * with the first one; for text models a chat template writes them itself.
 */
export function isFramed({ model, tokenizer, chatTemplate }: ConversationTools, { messages }: Question, segments: readonly Segment[]): boolean {
  if (!messages || chatTemplate === undefined) return true;
  if (!model.vision) return false;
  const first = segments[0];
  return !(tokenizer.bosToken && first?.kind === 'template' && first.text.startsWith(tokenizer.bosToken));
}

/** Ids of a text, of which that of users stays free of control tokens. */
export function encode(tokenizer: Tokenizer, segments: readonly Segment[], addSpecialTokens: boolean): number[] {
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
  if (!messages.some(({ content }) => (typeof content === 'string' ? content.trim() !== '' : content.length > 0)))
    throw new InputError({ message: 'The prompt is empty: no message has content.', hint: 'Write a question.' });
  if (chatTemplate !== undefined && model.vision && /['"]image['"]/.test(chatTemplate))
    return renderChat({ template: chatTemplate, tokenizer, messages: messages.map(inParts), addGenerationPrompt });

  // The template knows texts only: a character that occurs nowhere else stands for a picture until it is rendered.
  const mark = freeCharacter(JSON.stringify(messages.map(inParts)) + (chatTemplate ?? ''));
  const inText = messages.map(({ role, content }) => ({
    role,
    content: partsOf(content).map((part) => (part.type === 'text' ? part.text : mark)).join(''),
  }));
  const rendered: Segment[] =
    chatTemplate === undefined
      ? inText.map(({ content }) => ({ kind: 'user', text: content }))
      : renderChat({ template: chatTemplate, tokenizer, messages: inText, addGenerationPrompt });
  const placeholder = `${model.vision?.placeholder ?? ''}\n`;
  return rendered.flatMap(({ kind, text }) =>
    text.split(mark).flatMap((piece, i): Segment[] => [
      ...(i > 0 ? [{ kind: 'template', text: placeholder } as const] : []),
      ...(piece === '' ? [] : [{ kind, text: piece }]),
    ]),
  );
}

const partsOf = (content: Message['content']): readonly MessagePart[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content;

/** The message as transformers' templates for pictures take it. Pictures themselves stay out of the template. */
const inParts = ({ role, content }: Message): ChatMessage => ({
  role,
  content: partsOf(content).map((part) => (part.type === 'text' ? { type: 'text', text: part.text } : { type: 'image' })),
});

function freeCharacter(used: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++) if (!used.includes(String.fromCharCode(code))) return String.fromCharCode(code);
  throw new InputError({ message: 'The messages use every private-use character (U+E000 to U+F8FF); one must stay free.' });
}

/**
 * Replaces each placeholder that the template wrote by the tokens of its picture; segments stay apart.
 *
 * @throws InputError if there are more or fewer pictures than placeholders
 */
export function placeImages(
  segments: readonly Segment[],
  { vision, name }: Model,
  pictures: readonly Picture[],
): { readonly segments: readonly Segment[]; readonly placements: readonly ImagePlacement[] } {
  if (!vision && pictures.length > 0)
    throw new InputError({
      message: `${pictures.length} images were given, but ${name} is a text model.`,
      hint: 'Load a model with a vision encoder.',
    });
  if (!vision) return { segments, placements: [] };
  const { placeholder, processor } = vision;
  const placements = pictures.map((picture) => processor.place(picture));
  let found = 0;
  const placed = segments.map((segment): Segment => {
    if (segment.kind === 'user') return segment;
    const pieces = segment.text.split(placeholder);
    const text = pieces.reduce((before, after) => before + (placements[found++]?.prompt ?? placeholder) + after);
    return { kind: 'template', text };
  });
  if (found !== pictures.length)
    throw new InputError({
      message: `The prompt has ${found} places for images (${placeholder}), but ${pictures.length} images were given.`,
      where: describe(pictures, placements),
      hint: 'Pass as many images as the prompt has placeholders.',
    });
  return { segments: placed, placements };
}

/**
 * Number of the picture whose embedding stands at each place.
 *
 * @throws InputError if the image tokens among the ids are not as many as the pictures' embeddings
 */
export function locate(
  ids: readonly number[],
  { imageTokenId, placeholder }: Vision,
  pictures: readonly Picture[],
  placements: readonly ImagePlacement[],
): (number | undefined)[] {
  const owners = placements.flatMap(({ tokens }, i) => Array.from({ length: tokens }, () => i));
  let next = 0;
  const imageAt = ids.map((id) => (id === imageTokenId ? owners[next++] : undefined));
  if (next !== owners.length)
    throw new InputError({
      message: `The images need ${owners.length} tokens '${placeholder}' (id ${imageTokenId}), but the prompt has ${next}.`,
      where: describe(pictures, placements),
      hint: 'The tokenizer and the config.json of the checkpoint do not agree on the image token.',
    });
  return imageAt;
}

const describe = (pictures: readonly Picture[], placements: readonly ImagePlacement[]): string | undefined =>
  pictures.length === 0
    ? undefined
    : pictures
        .map(({ width, height }, i) => `image ${i}: ${width} x ${height} pixels, ${placements[i]?.formula ?? ''} = ${placements[i]?.tokens} tokens`)
        .join('; ');
