import { InputError } from '@weft/errors';
import type { ImagePlacement, Model, Picture, PromptForm, TokenPositions, Vision } from '@weft/spec';
import { renderChat, type ChatMessage, type Segment, type TextRange, type Tokenizer } from '@weft/text';
import { formedPlaces, formedText } from './prompt-form.js';
import { isVideo, readPicture, readVideo, type ImageInput, type VideoInput, type Visual } from './visuals.js';

/**
 * A part of a message. An image part without `image` takes the next of the request's `images`, a video part without
 * `frames` the next of its `videos`.
 */
export type MessagePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image?: ImageInput }
  | ({ readonly type: 'video' } & Partial<VideoInput>);

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
  /** Videos in the order of their placeholders. */
  readonly videos?: readonly VideoInput[] | undefined;
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

/** A prompt as ids, and the picture or video behind each image token. */
export interface Prompt {
  readonly ids: readonly number[];
  /** Pictures and videos in the order of their tokens. */
  readonly pictures: readonly Visual[];
  /** Parallel to `ids`: number of the picture whose embedding stands at the place, if any. */
  readonly imageAt: readonly (number | undefined)[];
  /** Parallel to `pictures`. */
  readonly placements: readonly ImagePlacement[];
  /** Tokens of pictures and videos. */
  readonly imageTokens: number;
  /** Positions of the ids, where the model has a rule for them. */
  readonly positions?: TokenPositions | undefined;
  /** Which tiles of all pictures each token sees by cross-attention, `[ids.length, tiles]`. */
  readonly visible?: Uint8Array | undefined;
}

/**
 * Decodes the pictures and videos of a question, each kind in the order of its placeholders.
 *
 * @param backdrop what shows through transparent pixels
 * @throws InputError if one cannot be read, or if there are more or fewer than places for them
 */
export async function readVisuals(
  { messages, images = [], videos = [] }: Question,
  signal?: AbortSignal,
  backdrop?: Vision['backdrop'],
): Promise<Visual[]> {
  const waiting = { image: [...images], video: [...videos] };
  const given = { image: images.length, video: videos.length };
  const visuals: Visual[] = [];
  if (!messages) {
    for (const source of images) visuals.push(await readPicture(source, signal, backdrop));
    for (const source of videos) visuals.push(await readVideo(source, signal));
    return visuals;
  }
  const missing = (kind: 'image' | 'video') =>
    new InputError({
      message: `The messages have more ${kind} parts than the ${given[kind]} ${kind}s given.`,
      where: `${kind}s`,
      hint: `Pass one ${kind} for each part of type ${kind}.`,
    });
  for (const part of messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))) {
    if (part.type === 'image') {
      const source = part.image ?? waiting.image.shift();
      if (source === undefined) throw missing('image');
      visuals.push(await readPicture(source, signal, backdrop));
    } else if (part.type === 'video') {
      const source = part.frames === undefined ? waiting.video.shift() : (part as VideoInput);
      if (source === undefined) throw missing('video');
      visuals.push(await readVideo(source, signal));
    }
  }
  for (const kind of ['image', 'video'] as const)
    if (waiting[kind].length > 0)
      throw new InputError({
        message: `${given[kind]} ${kind}s were given, but the messages have places for ${given[kind] - waiting[kind].length}.`,
        where: `${kind}s`,
        hint: `Add a part { type: '${kind}' } to a message for each ${kind}.`,
      });
  return visuals;
}

/**
 * Decodes the pictures of a question, in the order of their placeholders.
 *
 * @throws InputError if a picture cannot be read, if there are more or fewer than places for them, or for a video
 */
export async function readPictures(question: Question, signal?: AbortSignal): Promise<Picture[]> {
  const visuals = await readVisuals(question, signal);
  return visuals.map((visual) => {
    if (!isVideo(visual)) return visual;
    throw new InputError({
      message: 'A video was given where only pictures are taken.',
      hint: 'Pass single frames as images.',
    });
  });
}

/**
 * The ids of a question: its text with the tokens of each picture in place of its placeholder.
 *
 * @throws InputError for an empty prompt, one that is too long, or image tokens that do not add up
 */
export function buildPrompt(tools: PromptTools, question: Question, visuals: readonly Visual[]): Prompt {
  const { tokenizer, model } = tools;
  const placed = placeImages(segmentsOf(tools, question, visuals), model, visuals);
  const { pictures, placements } = placed;
  const form = formFor(tools, visuals);
  const ids = form
    ? [
        ...fromImageToken(encode(tokenizer, placed.segments, false), model.vision!),
        ...encode(tokenizer, formedQuestion(form, question), false),
      ]
    : encode(tokenizer, placed.segments, isFramed(tools, question, placed.segments));
  if (ids.length === 0) throw new InputError({ message: 'The prompt is empty.', hint: 'Write a question.' });
  const imageAt = model.vision ? locate(ids, model.vision, pictures, placements) : ids.map(() => undefined);
  if (ids.length >= tools.maxPositions)
    throw new InputError({
      message: `The prompt has ${ids.length} tokens, but the model reads at most ${tools.maxPositions} with the answer.`,
      where: describe(pictures, placements),
      hint: 'Shorten the text, or send fewer or smaller images.',
    });
  const positions = model.positions?.assign(
    ids,
    placements.map(({ layout }) => layout!),
  );
  return {
    ids,
    pictures,
    placements,
    imageAt,
    imageTokens: placements.reduce((sum, { tokens }) => sum + tokens, 0),
    positions,
    visible: model.vision?.cross?.visible(ids, placements),
  };
}

/** The form of prompts with pictures, where the checkpoint has no chat template. */
const formFor = (
  { model, chatTemplate }: ConversationTools,
  visuals: readonly Visual[],
): PromptForm | undefined =>
  chatTemplate === undefined && visuals.length > 0 ? model.vision?.form : undefined;

/** The text of a question with the places of its pictures; the places alone where a form says where they stand. */
function segmentsOf(
  tools: ConversationTools,
  { messages, prompt }: Question,
  visuals: readonly Visual[],
): Segment[] {
  const form = formFor(tools, visuals);
  if (form) return formedPlaces(form, tools.model.vision!.placeholder, visuals.length);
  return messages
    ? renderConversation(tools, messages, { addGenerationPrompt: true })
    : rawPrompt(withFirstToken(tools, prompt));
}

/** Some tokenizers put the mark of a word's beginning before the first control token. */
const fromImageToken = (ids: readonly number[], { imageTokenId }: Vision): readonly number[] =>
  ids.slice(Math.max(0, ids.indexOf(imageTokenId)));

/** What follows the pictures: encoded apart from them, so that the text begins as a text on its own does. */
const formedQuestion = (form: PromptForm, { messages, prompt }: Question): Segment[] =>
  messages ? formedText(form, messages) : [...rawPrompt(prompt), { kind: 'template', text: form.after }];

/** A raw prompt with the tokenizer's first token, for models that insist on it. */
function withFirstToken(
  { model: { vision }, tokenizer: { bosToken } }: ConversationTools,
  prompt: string | undefined,
): string | undefined {
  if (!vision?.insertsFirstToken || !bosToken || !prompt || prompt.includes(bosToken)) return prompt;
  let start = 0;
  while (prompt.startsWith(vision.placeholder, start)) start += vision.placeholder.length;
  return prompt.slice(0, start) + bosToken + prompt.slice(start);
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
export function isFramed(
  { model, tokenizer, chatTemplate }: ConversationTools,
  { messages }: Question,
  segments: readonly Segment[],
): boolean {
  if (!messages || chatTemplate === undefined) return true;
  if (!model.vision) return false;
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
  if (chatTemplate !== undefined && model.vision && /['"]image['"]/.test(chatTemplate))
    return renderChat({
      template: chatTemplate,
      tokenizer,
      messages: messages.map(inParts),
      addGenerationPrompt,
    });

  // The template knows texts only: characters that occur nowhere else stand for what is seen until it is rendered.
  const used = JSON.stringify(messages.map(inParts)) + (chatTemplate ?? '');
  const image = freeCharacter(used);
  const marks = { image, video: freeCharacter(used + image) };
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
  const placeholders: Readonly<Record<string, string>> = {
    [marks.image]: `${model.vision?.placeholder ?? ''}\n`,
    [marks.video]: `${model.vision?.video?.placeholder ?? ''}\n`,
  };
  return rendered.flatMap(({ kind, text }) =>
    text.split(new RegExp(`([${marks.image}${marks.video}])`)).flatMap((piece): Segment[] => {
      const placeholder = placeholders[piece];
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

/** What `placeImages` finds out. */
export interface PlacedImages {
  readonly segments: readonly Segment[];
  /** Pictures and videos in the order of the text. */
  readonly pictures: readonly Visual[];
  /** Parallel to `pictures`. */
  readonly placements: readonly ImagePlacement[];
}

/**
 * Replaces each placeholder that the template wrote by the tokens of its picture or video; segments stay apart.
 *
 * @param visuals each kind in the order of its placeholders
 * @throws InputError if there are more or fewer of a kind than placeholders
 */
export function placeImages(
  segments: readonly Segment[],
  { vision, name }: Model,
  visuals: readonly Visual[],
): PlacedImages {
  if (!vision && visuals.length > 0)
    throw new InputError({
      message: `${visuals.length} images were given, but ${name} is a text model.`,
      hint: 'Load a model with a vision encoder.',
    });
  if (!vision) return { segments, pictures: [], placements: [] };
  const kinds = { image: visuals.filter((visual) => !isVideo(visual)), video: visuals.filter(isVideo) };
  if (!vision.video && kinds.video.length > 0)
    throw new InputError({
      message: `${kinds.video.length} videos were given, but ${name} sees pictures only.`,
      hint: 'Pass single frames as images.',
    });
  const placementsOf = {
    image: kinds.image.map((visual, i, { length }) => place(vision, visual, i, length)),
    video: kinds.video.map((visual, i) => place(vision, visual, i)),
  };

  const placeholders = { image: vision.placeholder, video: vision.video?.placeholder };
  const kindOf = new Map(
    Object.entries(placeholders).map(([kind, text]) => [text, kind as keyof typeof kinds]),
  );
  const pattern = new RegExp(
    `(${Object.values(placeholders)
      .flatMap((text) => (text === undefined ? [] : [escaped(text)]))
      .join('|')})`,
  );
  const found = { image: 0, video: 0 };
  const pictures: Visual[] = [];
  const placements: ImagePlacement[] = [];
  const placed = segments.map((segment): Segment => {
    if (segment.kind === 'user') return segment;
    const pieces = segment.text.split(pattern).map((piece) => {
      const kind = kindOf.get(piece);
      const visual = kind && kinds[kind][found[kind]++];
      if (!visual) return piece;
      const placement = placementsOf[kind][found[kind] - 1]!;
      pictures.push(visual);
      placements.push(placement);
      return placement.prompt;
    });
    return { kind: 'template', text: pieces.join('') };
  });
  for (const kind of ['image', 'video'] as const)
    if (found[kind] !== kinds[kind].length)
      throw new InputError({
        message: `The prompt has ${found[kind]} places for ${kind}s (${placeholders[kind]}), but ${kinds[kind].length} ${kind}s were given.`,
        where: describe([...kinds.image, ...kinds.video], [...placementsOf.image, ...placementsOf.video]),
        hint: `Pass as many ${kind}s as the prompt has placeholders.`,
      });
  return { segments: placed, pictures, placements };
}

function place({ processor, video }: Vision, visual: Visual, index: number, total?: number): ImagePlacement {
  if (!isVideo(visual)) return processor.place(visual, index, total);
  const [first] = visual.frames;
  return video!.processor.place(
    { width: first?.width ?? 0, height: first?.height ?? 0, frames: visual.frames.length, fps: visual.fps },
    index,
  );
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Ids that pictures and videos take the place of. */
export const visualTokenIds = ({ vision }: Model): readonly number[] =>
  vision ? [vision.imageTokenId, ...(vision.video ? [vision.video.tokenId] : [])] : [];

/**
 * Number of the picture whose embedding stands at each place.
 *
 * @param pictures in the order of the text
 * @throws InputError if the image tokens among the ids are not as many as the pictures' embeddings
 */
export function locate(
  ids: readonly number[],
  { imageTokenId, placeholder, video }: Vision,
  pictures: readonly Visual[],
  placements: readonly ImagePlacement[],
): (number | undefined)[] {
  const owners = placements.flatMap(({ tokens }, i) => Array.from({ length: tokens }, () => i));
  let next = 0;
  const imageAt = ids.map((id) =>
    id === imageTokenId || id === video?.tokenId ? owners[next++] : undefined,
  );
  if (next !== owners.length)
    throw new InputError({
      message: `The images need ${owners.length} tokens '${placeholder}' (id ${imageTokenId}), but the prompt has ${next}.`,
      where: describe(pictures, placements),
      hint: 'The tokenizer and the config.json of the checkpoint do not agree on the image token.',
    });
  return imageAt;
}

const describe = (visuals: readonly Visual[], placements: readonly ImagePlacement[]): string | undefined =>
  visuals.length === 0
    ? undefined
    : visuals
        .map((visual, i) => {
          const { width, height } = isVideo(visual) ? visual.frames[0]! : visual;
          const what = isVideo(visual) ? `video ${i}: ${visual.frames.length} frames of` : `image ${i}:`;
          return `${what} ${width} x ${height} pixels, ${placements[i]?.formula ?? ''} = ${placements[i]?.tokens} tokens`;
        })
        .join('; ');
