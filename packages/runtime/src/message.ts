import type { Model } from '@weft/spec';
import type { Tokenizer } from '@weft/text';
import type { ImageInput, VideoInput } from './visuals.js';

/**
 * A part of a message. An image part without `image` takes the next of the request's `images`, a video part without
 * `frames` the next of its `videos`.
 */
export type MessagePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image?: ImageInput | undefined }
  | ({ readonly type: 'video' } & Partial<VideoInput>);

/** Those who may speak; which of them a chat template takes is its own affair. */
export const roles = ['system', 'user', 'assistant', 'tool'] as const;

export type Role = (typeof roles)[number];

/** What a message may say beside its content, for templates that read it. Text in it counts as user text. */
export interface MessageFields {
  readonly name?: string | undefined;
  readonly tool_calls?: readonly unknown[] | undefined;
  readonly tool_call_id?: string | undefined;
  readonly reasoning_content?: string | undefined;
  readonly thinking?: string | undefined;
}

/** One message of a conversation. The role comes from the program, never from a user. */
export interface Message extends MessageFields {
  readonly role: Role;
  readonly content: string | readonly MessagePart[];
}

/**
 * Parts as other programs write them: those of OpenAI's chat completions (`text`, `image_url`, `file`) and responses
 * (`input_text`, `output_text`, `input_image`, `input_file`), of the AI SDK (`image`, `file`) and of transformers
 * (`image` with `url`, `path` or `base64`). Files must be images. What a server is sent may name data URLs and addresses
 * only; files of this machine are named by `image` and `path`.
 */
export type ForeignPart =
  | { readonly type: 'input_text' | 'output_text'; readonly text: string }
  | {
      readonly type: 'image_url' | 'input_image';
      readonly image_url: string | { readonly url: string; readonly detail?: string | undefined };
      readonly detail?: string | undefined;
    }
  | {
      readonly type: 'file';
      readonly mediaType: string;
      readonly data: string | URL | Uint8Array | ArrayBuffer | Blob;
      readonly filename?: string | undefined;
    }
  | { readonly type: 'file'; readonly mediaType: string; readonly url: string }
  | { readonly type: 'file'; readonly file: { readonly file_data: string; readonly filename?: string } }
  | { readonly type: 'input_file'; readonly file_data: string; readonly filename?: string }
  | {
      readonly type: 'image';
      readonly image: ImageInput;
      readonly mediaType?: string | undefined;
      readonly providerOptions?: unknown;
    }
  | { readonly type: 'image'; readonly url: string | URL }
  | { readonly type: 'image'; readonly path: string }
  | { readonly type: 'image'; readonly base64: string };

/** A message as this or other programs write it; `readMessages` makes a {@link Message} of it. */
export interface MessageInput extends MessageFields {
  readonly role: Role;
  /** May be missing in an answer that only calls tools. */
  readonly content?: string | readonly (MessagePart | ForeignPart)[] | null | undefined;
}

/** What a question shows. */
export interface ShownVisuals {
  /** Pictures in the order of their placeholders. */
  readonly images?: readonly ImageInput[] | undefined;
  /** Videos in the order of their placeholders. */
  readonly videos?: readonly VideoInput[] | undefined;
}

/** A question as a conversation, rendered by the checkpoint's chat template. */
export interface AskedByMessages<M = Message> extends ShownVisuals {
  /** Text of messages never becomes a control token. */
  readonly messages: readonly M[];
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

/** A {@link Question} whose messages may be written in the ways of other programs. */
export type QuestionInput = AskedByMessages<MessageInput> | AskedByPrompt;

/** What conversations are written with. */
export interface ConversationTools {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** The checkpoint's Jinja template; a base model may have none. */
  readonly chatTemplate: string | undefined;
}
