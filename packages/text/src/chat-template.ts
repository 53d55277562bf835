import { compileTemplate } from './jinja.js';
import { renderSegments, type Segment } from './chat-segments.js';
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
  /** Gives the special tokens that user text must not become, and the default of `tokens`. */
  readonly tokenizer: Pick<Tokenizer, 'specialTokens' | 'specialTokenNames'>;
  /** Whether to end with the beginning of an answer; false by default. */
  readonly addGenerationPrompt?: boolean | undefined;
  /** Special tokens by the names the template uses (`bos_token`, …); those of the tokenizer by default. */
  readonly tokens?: Readonly<Record<string, string>> | undefined;
  /** Further template variables (`tools`, `documents`, …). They are trusted: special tokens in them count. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
  /** The time that `strftime_now` tells; the present by default. */
  readonly now?: Date | undefined;
}

/**
 * Renders a conversation with the checkpoint's own template. Text of messages never becomes a special token: it comes
 * back in `user` segments, which `encodeSegments` encodes as ordinary text.
 *
 * Where the template puts the text through unchanged (or trimmed), the `user` segments hold all of it. Where it takes
 * the text apart, they hold the pieces that read like special tokens, and the rest counts as template.
 *
 * @throws {ConfigError} if the template cannot be parsed.
 * @throws {InputError} if the template refuses the messages.
 */
export function renderChat(options: RenderChatOptions): Segment[] {
  const { template, messages, tokenizer, addGenerationPrompt = false, extra = {} } = options;
  const render = compileTemplate(template);
  const now = options.now ?? new Date();
  const tokens = options.tokens ?? tokenizer.specialTokenNames;
  return renderSegments({
    messages,
    specialTokens: tokenizer.specialTokens,
    avoid: template + JSON.stringify([messages, extra, tokens]),
    render: (prepared) =>
      render(
        {
          ...tokens,
          tools: null,
          documents: null,
          ...extra,
          messages: prepared,
          add_generation_prompt: addGenerationPrompt,
        },
        now,
      ),
  });
}
