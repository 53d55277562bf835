import type { RenderLimits } from '@weft/jinja';
import type { Segment } from './chat-segments.js';
import { render } from './render-apart.js';
import type { Tokenizer } from './tokenizer.js';

/** One part of a message: text, or the place of an image or a video. */
export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image' | 'video'; readonly [key: string]: unknown };

/** One message of a conversation, as transformers' chat templates take it. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, …; comes from the program, never from a user. */
  readonly role: string;
  readonly content: string | readonly ContentPart[];
  /** Further fields that a template may read (`tool_calls`, `name`, …). Their strings count as user text. */
  readonly [key: string]: unknown;
}

/** A conversation and what its rendering needs. */
export interface RenderChatOptions {
  /** The checkpoint's Jinja template. */
  readonly template: string;
  readonly messages: readonly ChatMessage[];
  /** Gives the default of `tokens`. */
  readonly tokenizer: Pick<Tokenizer, 'specialTokenNames'>;
  /** Whether to end with the beginning of an answer; false by default. */
  readonly addGenerationPrompt?: boolean | undefined;
  /** Special tokens by the names the template uses (`bos_token`, …); those of the tokenizer by default. */
  readonly tokens?: Readonly<Record<string, string>> | undefined;
  /** Further template variables (`tools`, `documents`, …). They are trusted: special tokens in them count. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
  /** The time that `strftime_now` tells; the present by default. */
  readonly now?: Date | undefined;
  /** Bounds of the work; those that are left out are `defaultLimits` of `@weft/jinja`. */
  readonly limits?: Partial<RenderLimits> | undefined;
}

/**
 * Renders a conversation once, with the checkpoint's own template, as Jinja2 3.1.6 does with the settings of
 * transformers. Text of messages never becomes a special token: it comes back in `user` segments, which
 * `encodeSegments` encodes as ordinary text. Every character that comes from a message is in one, also where the
 * template trims, cuts, changes or quotes the text.
 *
 * The caller's thread is held for as long as `limits` allow. Within `withRenderThread` a rendering that takes more than
 * a moment goes on in a thread of its own.
 *
 * @throws {ConfigError} if the template cannot be parsed.
 * @throws {InputError} if the template refuses the messages, or passes a limit.
 */
export function renderChat(options: RenderChatOptions): Segment[] {
  const { template, messages, tokenizer, addGenerationPrompt = false, extra = {} } = options;
  const tokens = options.tokens ?? tokenizer.specialTokenNames;
  return render({
    template,
    messages,
    variables: {
      ...tokens,
      tools: null,
      documents: null,
      ...extra,
      add_generation_prompt: addGenerationPrompt,
    },
    now: options.now,
    limits: options.limits ?? {},
  });
}
