import { InputError } from '@weft/errors';
import type { PromptRule } from '@weft/spec';
import { checkOptions, resolveSettings, type GenerationOptions } from './generation-options.js';
import { GenerationStream, type GenerationChunk, type GenerationResult } from './generation-stream.js';
import {
  abortedResult,
  answerPrompt,
  continuePrompt,
  openPrompt,
  preparePrompt,
  startTimes,
  type GenerationContext,
  type KnownPrompt,
  type OpenPrompt,
} from './generator.js';
import type { PictureLease } from './picture-store.js';
import type { PromptKeys } from './prefix-store.js';
import type { ForeignPart, Message, MessagePart } from './message.js';
import { readMessages } from './read-message.js';
import { continued, sharedPrefix } from './prompt-keys.js';
import type { Sequence } from './sequence.js';
import { readPicture, readVideo, type ImageInput, type VideoInput } from './visuals.js';

export interface ChatOptions extends GenerationOptions {
  /** What a message of the role `system` says before the conversation. */
  readonly system?: string | undefined;
}

export interface SendOptions extends GenerationOptions {
  /** Pictures that come before the text. */
  readonly images?: readonly ImageInput[] | undefined;
  /** Videos that come before the text, after the pictures. */
  readonly videos?: readonly VideoInput[] | undefined;
}

const nothing: PromptKeys = { ids: [], marks: [] };

/**
 * A conversation. Keys and values of earlier turns stay: a turn reads only what differs from the turns before. The
 * whole conversation is rendered afresh for each turn, so the answers are those of a fresh generation over all messages.
 */
export class Chat {
  readonly #context: GenerationContext;
  readonly #options: ChatOptions;
  #messages: Message[] = [];
  #sequence: Sequence | undefined;
  readonly #lease: PictureLease;
  /** What the sequence holds. */
  #held = nothing;
  #busy = false;

  constructor(context: GenerationContext, options: ChatOptions) {
    checkOptions(options, ['system'], 'chat');
    this.#context = context;
    this.#lease = context.pictures.lease();
    this.#options = options;
    this.#start();
  }

  /** The conversation so far. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /**
   * Says something and streams the answer. An answer that is aborted stays in the conversation as far as it came; one
   * that fails leaves the conversation as it was.
   *
   * @throws InputError for bad options, or while another answer is under way
   */
  send(given: string | readonly (MessagePart | ForeignPart)[], options: SendOptions = {}): GenerationStream {
    checkOptions(options, ['images', 'videos'], 'chat.send');
    if (this.#busy)
      throw new InputError({
        message: 'The chat is still answering.',
        hint: 'Await the result of the last answer, or cancel it.',
      });
    const [{ content }] = readMessages([{ role: 'user', content: given }], 'chat.send') as [Message];
    const { system: _, ...always } = this.#options;
    const { images = [], videos = [], ...own } = options;
    const settings = resolveSettings(
      { ...always, ...own },
      this.#context.generation,
      this.#context.endTokenIds,
    );
    const signals = [always.signal, own.signal].filter((signal) => signal !== undefined);
    this.#busy = true;
    return new GenerationStream(
      async (emit, signal) => {
        try {
          return await this.#turn({ content, images, videos, settings, emit, signal });
        } finally {
          this.#busy = false;
        }
      },
      signals.length > 0 ? AbortSignal.any(signals) : undefined,
    );
  }

  /** Forgets the conversation. @throws InputError while an answer is under way */
  reset(): void {
    if (this.#busy)
      throw new InputError({
        message: 'The chat is still answering.',
        hint: 'Await the result, or cancel it.',
      });
    this.#sequence?.release();
    this.#lease.release();
    this.#sequence = undefined;
    this.#held = nothing;
    this.#start();
  }

  #start(): void {
    const { system } = this.#options;
    this.#messages = system === undefined ? [] : [{ role: 'system', content: system }];
  }

  async #turn(given: {
    readonly content: string | readonly MessagePart[];
    readonly images: readonly ImageInput[];
    readonly videos: readonly VideoInput[];
    readonly settings: ReturnType<typeof resolveSettings>;
    readonly emit: (chunk: GenerationChunk) => void;
    readonly signal: AbortSignal;
  }): Promise<GenerationResult> {
    const { content, images, videos, settings, emit, signal } = given;
    const times = startTimes(this.#context);
    const backdrop = this.#context.model.prompt.backdrop;
    let messages = this.#messages;
    let prompt: KnownPrompt;
    let opened: OpenPrompt;
    try {
      messages = [
        ...messages,
        { role: 'user', content: await withVisuals(content, { images, videos }, { signal, backdrop }) },
      ];
      prompt = await preparePrompt(this.#context, { messages }, { times, signal });
      opened = await this.#open(prompt, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return abortedResult(times);
    }
    const { sequence } = opened;
    this.#lease.keep(prompt.keys.pictureKeys);
    this.#held = continued(prompt.keys, [], sequence.length);
    const result = await answerPrompt(
      this.#context,
      { prompt, settings, opened, lease: this.#lease },
      { times, emit, signal },
    );
    this.#held = continued(prompt.keys, result.tokenIds, sequence.length);
    this.#messages = [...messages, { role: 'assistant', content: result.text }];
    return result;
  }

  /** The sequence of earlier turns as far as the prompt begins like them, or a new one. */
  async #open(prompt: KnownPrompt, signal: AbortSignal): Promise<OpenPrompt> {
    const shared = sharedPrefix(prompt.keys, this.#held);
    if (this.#sequence && shared > 0) {
      await this.#sequence.truncate(shared);
      return continuePrompt(this.#context, prompt, this.#sequence);
    }
    const opened = await openPrompt(this.#context, prompt, signal);
    this.#sequence?.release();
    this.#sequence = opened.sequence;
    return opened;
  }
}

/** The content as parts, pictures and videos decoded: later turns need not decode them again. */
async function withVisuals(
  content: string | readonly MessagePart[],
  { images, videos }: { readonly images: readonly ImageInput[]; readonly videos: readonly VideoInput[] },
  { signal, backdrop }: { readonly signal: AbortSignal; readonly backdrop: PromptRule['backdrop'] },
): Promise<MessagePart[]> {
  const parts: readonly MessagePart[] =
    typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  const pictures = images.map((image): MessagePart => ({ type: 'image', image }));
  const films = videos.map((video): MessagePart => ({ type: 'video', ...video }));
  const filled = parts.map((part) => {
    if (part.type === 'image' && part.image === undefined) return pictures.shift() ?? part;
    if (part.type === 'video' && part.frames === undefined) return films.shift() ?? part;
    return part;
  });
  const result: MessagePart[] = [];
  for (const part of [...pictures, ...films, ...filled])
    if (part.type === 'image' && part.image !== undefined)
      result.push({ type: 'image', image: await readPicture(part.image, signal, backdrop) });
    else if (part.type === 'video' && part.frames !== undefined)
      result.push({ type: 'video', ...(await readVideo(part as VideoInput, signal)) });
    else result.push(part);
  return result;
}
