import type { ImageInput, VideoInput } from './visuals.js';

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
