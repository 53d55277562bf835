import type { Model } from '@weft/spec';
import type { Tokenizer } from '@weft/text';
import type { ImageInput, VideoInput } from './visuals.js';

/**
 * A part of a message. An image part without `image` takes the next of the request's `images`, a video part without
 * `frames` the next of its `videos`.
 */
export type MessagePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image?: ImageInput }
  | ({ readonly type: 'video' } & Partial<VideoInput>);

/** Those who may speak; which of them a chat template takes is its own affair. */
export const roles = ['system', 'user', 'assistant', 'tool'] as const;

export type Role = (typeof roles)[number];

/** One message of a conversation. The role comes from the program, never from a user. */
export interface Message {
  readonly role: Role;
  readonly content: string | readonly MessagePart[];
}

/** What a question shows. */
export interface ShownVisuals {
  /** Pictures in the order of their placeholders. */
  readonly images?: readonly ImageInput[] | undefined;
  /** Videos in the order of their placeholders. */
  readonly videos?: readonly VideoInput[] | undefined;
}

/** A question as a conversation, rendered by the checkpoint's chat template. */
export interface AskedByMessages extends ShownVisuals {
  /** Text of messages never becomes a control token. */
  readonly messages: readonly Message[];
  readonly prompt?: undefined;
}

/** A question as the model reads it. */
export interface AskedByPrompt extends ShownVisuals {
  /** The whole prompt; control tokens and image placeholders in it count. */
  readonly prompt: string;
  readonly messages?: undefined;
}

/** What the model is asked: by messages or by a prompt. */
export type Question = AskedByMessages | AskedByPrompt;

/** What conversations are written with. */
export interface ConversationTools {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** The checkpoint's Jinja template; a base model may have none. */
  readonly chatTemplate: string | undefined;
}
