import { InputError } from '@weft/errors';
import {
  senseOf,
  type ImagePlacement,
  type ImageSense,
  type PromptForm,
  type TokenPositions,
} from '@weft/spec';
import type { Segment } from '@weft/text';
import { renderConversation } from './conversation.js';
import type { ConversationTools, Question } from './message.js';
import { describeVisuals, locate, placeVisuals } from './place-visuals.js';
import { formedPlaces, formedText } from './prompt-form.js';
import { encode, isFramed } from './render.js';
import { refuseLongQuestion, refuseLongText } from './text-limit.js';
import type { Visual } from './visuals.js';

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
 * The ids of a question: its text with the tokens of each picture in place of its placeholder.
 *
 * @param known what processors said of the visuals, parallel to them; they are asked unless given
 * @throws InputError for an empty prompt, one that is too long, or image tokens that do not add up
 */
export function buildPrompt(
  tools: PromptTools,
  question: Question,
  visuals: readonly Visual[],
  known?: readonly ImagePlacement[],
): Prompt {
  const { tokenizer, model } = tools;
  refuseLongQuestion(tools, question);
  const written = segmentsOf(tools, question, visuals);
  refuseLongText(
    tools,
    written.reduce((length, { text }) => length + text.length, 0),
  );
  const placed = placeVisuals(written, model, visuals, known);
  const { pictures, placements } = placed;
  const form = formFor(tools, visuals);
  const ids = form
    ? [
        ...fromImageToken(encode(tokenizer, placed.segments, false), form.sense),
        ...encode(tokenizer, formedQuestion(form.rule, question), false),
      ]
    : encode(tokenizer, placed.segments, isFramed(tools, question, placed.segments));
  if (ids.length === 0) throw new InputError({ message: 'The prompt is empty.', hint: 'Write a question.' });
  const imageAt = locate(ids, model, pictures, placements);
  if (ids.length >= tools.maxPositions)
    throw new InputError({
      message: `The prompt has ${ids.length} tokens, but the model reads at most ${tools.maxPositions} with the answer.`,
      where: describeVisuals(pictures, placements),
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
    visible: senseOf(model, 'image')?.cross?.visible(ids, placements),
  };
}

/** How a prompt with pictures is written where the checkpoint has no chat template, and the sense that sees them. */
interface FormedSense {
  readonly rule: PromptForm;
  readonly sense: ImageSense;
}

function formFor(
  { model, chatTemplate }: ConversationTools,
  visuals: readonly Visual[],
): FormedSense | undefined {
  const [rule, sense] = [model.prompt.form, senseOf(model, 'image')];
  return chatTemplate === undefined && visuals.length > 0 && rule && sense ? { rule, sense } : undefined;
}

/** The text of a question with the places of its pictures; the places alone where a form says where they stand. */
function segmentsOf(
  tools: ConversationTools,
  { messages, prompt }: Question,
  visuals: readonly Visual[],
): Segment[] {
  const form = formFor(tools, visuals);
  if (form) return formedPlaces(form.rule, form.sense.placeholder, visuals.length);
  return messages
    ? renderConversation(tools, messages, { addGenerationPrompt: true })
    : rawPrompt(withFirstToken(tools, prompt));
}

/** Some tokenizers put the mark of a word's beginning before the first control token. */
const fromImageToken = (ids: readonly number[], { tokenId }: ImageSense): readonly number[] =>
  ids.slice(Math.max(0, ids.indexOf(tokenId)));

/** What follows the pictures: encoded apart from them, so that the text begins as a text on its own does. */
const formedQuestion = (form: PromptForm, { messages, prompt }: Question): Segment[] =>
  messages ? formedText(form, messages) : [...rawPrompt(prompt), { kind: 'template', text: form.after }];

/** A raw prompt with the tokenizer's first token, for models that insist on it. */
function withFirstToken(
  { model, tokenizer: { bosToken } }: ConversationTools,
  prompt: string | undefined,
): string | undefined {
  const sense = senseOf(model, 'image');
  if (!sense || !model.prompt.insertsFirstToken || !bosToken || !prompt || prompt.includes(bosToken))
    return prompt;
  let start = 0;
  while (prompt.startsWith(sense.placeholder, start)) start += sense.placeholder.length;
  return prompt.slice(0, start) + bosToken + prompt.slice(start);
}

const rawPrompt = (prompt: string | undefined): Segment[] => {
  if (prompt === undefined || prompt.trim() === '')
    throw new InputError({ message: 'The prompt is empty.', hint: 'Write a question.' });
  return [{ kind: 'template', text: prompt }];
};
