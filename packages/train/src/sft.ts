import { ConfigError, InputError } from '@weft/errors';
import {
  conversationRenderer,
  encodePieces,
  readMessages,
  readPictures,
  type ConversationTools,
  type ImageInput,
  type Message,
  type MessageInput,
  type Renderer,
} from '@weft/runtime';
import { senseOf } from '@weft/spec';
import { withRenderThread, type Segment } from '@weft/text';
import { ignored } from './batch.js';
import type { TrainingExample } from './training-example.js';

/** A conversation to learn from. */
export interface SftSample extends ConversationTools {
  /** Ends with an answer: a message of the role `assistant`. */
  readonly messages: readonly MessageInput[];
  /** Pictures of the image parts, in order. If no message has an image part, they come first in the first user message. */
  readonly images?: readonly ImageInput[] | undefined;
  /** Most tokens; no limit unless given. */
  readonly maxLength?: number | undefined;
}

/** Where an answer stands in the rendered conversation, in UTF-16 units. */
interface AnswerRange {
  readonly start: number;
  readonly end: number;
  /** Whether the range ends with a control token of the template. */
  readonly isEnded: boolean;
}

/**
 * A conversation as a training example. Supervised are the answers of the assistant, each with the control token that
 * the chat template ends it with, and nothing else: system and user turns, role tags, placeholders of images and what
 * the template writes after an answer get the label -100. If the template ends an answer with no control token, the
 * tokenizer's end of sequence is put after it, as LLaVA's training does, so that the model learns to stop.
 *
 * The conversation is rendered up to each answer, as for generation, and with it: the first must be the beginning of
 * the second, and both of the whole. But for ends that were put in, an answer goes on from the ids that generation
 * would see. Texts of messages never become control tokens.
 *
 * @throws InputError if there is no answer at the end, pictures do not add up, or the example is too long
 * @throws ConfigError if the template renders a turn differently once others follow, or nothing could end an answer
 */
export async function sftExample(sample: SftSample): Promise<TrainingExample> {
  const { model, images = [], maxLength = Infinity } = sample;
  const messages = withImageParts(checkTurns(readMessages(sample.messages)), images.length);
  const pictures = await readPictures({ messages, images }, undefined, model.prompt.backdrop);
  const sense = senseOf(model, 'image');
  const seen = sense && pictures.length > 0 ? sense.processor.process(pictures) : undefined;
  const { whole, answers } = await withRenderThread(() => {
    const render = conversationRenderer(sample, messages);
    const whole = render({ addGenerationPrompt: false });
    return { whole, answers: findAnswers(sample, messages, render, whole) };
  });
  const cuts = answers.flatMap(({ start, end }) => [start, end]);
  const cut = cutSegments(whole, cuts);
  const spoken = answers.at(-1)!.isEnded ? cut : cut.slice(0, -1);
  const encoded = encodePieces(sample, spoken, pictures, seen?.images);
  // Every second piece is an answer.
  const pieces = encoded.map((ids, i) =>
    i % 2 === 0 || answers[(i - 1) / 2]!.isEnded ? ids : [...ids, endOfSequence(sample)],
  );
  const inputIds = pieces.flat();
  if (inputIds.length > maxLength)
    throw new InputError({
      message: `The conversation has ${inputIds.length} tokens, but at most ${maxLength} are allowed.`,
      where: 'sftExample',
      hint: 'Raise maxLength up to what the model reads, shorten the texts, or use fewer or smaller images.',
    });
  const labels = pieces.flatMap((ids, i) =>
    ids.map((id) => (i % 2 === 1 && id !== sense?.tokenId ? id : ignored)),
  );
  return { inputIds, labels, images: seen?.inputs ?? null, placements: seen?.images };
}

/** @throws InputError unless the conversation begins with a turn to answer and ends with an answer */
export function checkTurns(messages: readonly Message[], where = 'messages'): readonly Message[] {
  const roles = messages.map(({ role }) => role);
  if (roles.at(-1) !== 'assistant')
    throw new InputError({
      message:
        roles.length === 0
          ? 'The conversation has no messages.'
          : `The last message is of the role '${roles.at(-1)}'.`,
      where,
      hint: "End with a message of the role 'assistant': answers are what is learnt.",
    });
  if (roles[0] === 'assistant')
    throw new InputError({
      message: "The first message is of the role 'assistant'.",
      where,
      hint: 'Begin with what it answers.',
    });
  return messages;
}

function withImageParts(messages: readonly Message[], images: number): readonly Message[] {
  const hasPlaces = messages.some(
    ({ content }) => typeof content !== 'string' && content.some(({ type }) => type === 'image'),
  );
  const first = messages.findIndex(({ role }) => role === 'user');
  if (images === 0 || hasPlaces || first < 0) return messages;
  const { role, content } = messages[first]!;
  const text = typeof content === 'string' ? [{ type: 'text', text: content } as const] : content;
  const places = Array.from({ length: images }, () => ({ type: 'image' }) as const);
  return messages.with(first, { role, content: [...places, ...text] });
}

const textOf = (segments: readonly Segment[]): string => segments.map(({ text }) => text).join('');

function findAnswers(
  sample: SftSample,
  messages: readonly Message[],
  render: Renderer,
  whole: readonly Segment[],
): AnswerRange[] {
  const { model, tokenizer } = sample;
  const controls = [...tokenizer.specialTokens].filter(
    (token) => token !== '' && token !== senseOf(model, 'image')?.placeholder,
  );
  const all = textOf(whole);
  return messages.flatMap(({ role }, i): AnswerRange[] => {
    if (role !== 'assistant') return [];
    const before = textOf(render({ messages: i, addGenerationPrompt: true }));
    const after = render({ messages: i + 1, addGenerationPrompt: false });
    const text = textOf(after);
    requirePrefix(
      before,
      text,
      `message ${i}: the turn that asks for it is rendered differently before and with the answer`,
    );
    const range = answerRange(after, before.length, controls);
    requirePrefix(
      text.slice(0, range.end),
      all,
      `message ${i}: the answer is rendered differently once others follow`,
    );
    return [range];
  });
}

function requirePrefix(beginning: string, text: string, what: string): void {
  if (text.startsWith(beginning)) return;
  const at = beginning.split('').findIndex((character, i) => text[i] !== character);
  const near = (full: string): string => JSON.stringify(full.slice(Math.max(0, at - 20), at + 20));
  throw new ConfigError({
    message: `The chat template does not fit supervised training. ${what}: ${near(beginning)} became ${near(text)}.`,
    where: 'chat template',
    hint: 'Train with a template that writes every turn the same way wherever it stands, or split the conversation into samples of one answer.',
  });
}

/** The answer that begins at `start`, with the first control token that the template writes after its text. */
function answerRange(segments: readonly Segment[], start: number, controls: readonly string[]): AnswerRange {
  const placed: { readonly segment: Segment; readonly from: number; readonly to: number }[] = [];
  let at = 0;
  for (const segment of segments) placed.push({ segment, from: at, to: (at += segment.text.length) });
  const ownText = placed.findLast(({ segment, to }) => segment.kind === 'user' && to > start);
  const written = Math.max(start, ownText?.to ?? start);
  for (const { segment, from, to } of placed) {
    if (segment.kind === 'user' || to <= written) continue;
    const ends = controls.flatMap((control) => {
      const found = segment.text.indexOf(control, Math.max(0, written - from));
      return found < 0 ? [] : [{ found, end: from + found + control.length }];
    });
    // Of two that begin at one place the longer is the token.
    const [first] = ends.toSorted((a, b) => a.found - b.found || b.end - a.end);
    if (first) return { start, end: first.end, isEnded: true };
  }
  return { start, end: Math.max(written, textOf(segments).trimEnd().length), isEnded: false };
}

/** Segments divided at places of their joined text; one piece more than there are cuts. */
function cutSegments(segments: readonly Segment[], cuts: readonly number[]): Segment[][] {
  const bounds = [0, ...cuts, Infinity];
  return bounds.slice(0, -1).map((from, i) => {
    const to = bounds[i + 1]!;
    let at = 0;
    return segments.flatMap(({ kind, text }): Segment[] => {
      const own = text.slice(Math.max(0, from - at), Math.max(0, to - at));
      at += text.length;
      return own === '' ? [] : [{ kind, text: own }];
    });
  });
}

function endOfSequence({ tokenizer }: SftSample): number {
  if (tokenizer.eosTokenId !== undefined) return tokenizer.eosTokenId;
  throw new ConfigError({
    message:
      'The chat template ends answers with no control token, and the tokenizer has no end of sequence.',
    where: 'tokenizer_config.json',
    hint: 'Set eos_token, or let the template write one after each answer.',
  });
}
