import { InputError } from '@weft/errors';
import { part, type PromptRule } from '@weft/spec';
import type { GenerationOptions, GenerationSettings } from './generation-options.js';
import { checkOptions, resolveSettings } from './generation-settings.js';
import { GenerationStream, type GenerationChunk, type GenerationResult } from './generation-stream.js';
import {
  abortedResult,
  answerPrompt,
  continuePrompt,
  openPrompt,
  preparePrompt,
  readsAnewBeyond,
  requireRoom,
  startTimes,
  vocabSizeOf,
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

/** An answer that is under way. */
interface Turn {
  readonly signal: AbortSignal;
  /** Settled when it has ended, however it did. */
  readonly ended: Promise<unknown>;
}

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
  /** The last of those that have not ended; those before it were cancelled. */
  #turn: Turn | undefined;

  constructor(context: GenerationContext, options: ChatOptions) {
    checkOptions(options, ['system'], { where: 'chat', vocabSize: vocabSizeOf(context) });
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
   * that fails leaves the conversation as it was. After `cancel()` the next may be sent at once: it waits until the one
   * before has ended.
   *
   * @throws InputError for bad options, or while another answer is under way that was not cancelled
   */
  send(given: string | readonly (MessagePart | ForeignPart)[], options: SendOptions = {}): GenerationStream {
    checkOptions(options, ['images', 'videos'], {
      where: 'chat.send',
      vocabSize: vocabSizeOf(this.#context),
    });
    const before = this.#requireFree();
    const [{ content }] = readMessages([{ role: 'user', content: given }], 'chat.send') as [Message];
    const { system: _, ...always } = this.#options;
    const { images = [], videos = [], ...own } = options;
    const settings = resolveSettings(
      { ...always, ...own },
      this.#context.generation,
      this.#context.endTokenIds,
    );
    const signals = [always.signal, own.signal].filter((signal) => signal !== undefined);
    return new GenerationStream(
      (emit, signal) =>
        this.#after(before, signal, () => this.#answer({ content, images, videos, settings, emit, signal })),
      signals.length > 0 ? AbortSignal.any(signals) : undefined,
    );
  }

  /**
   * Forgets the conversation, with an answer that was cancelled and has not ended yet.
   *
   * @throws InputError while an answer is under way that was not cancelled
   */
  reset(): void {
    const before = this.#requireFree();
    if (this.#turn) void this.#after(before, AbortSignal.abort(), async () => this.#forget());
    else this.#forget();
  }

  /** The end of the answer before, which must have been cancelled. @throws InputError if it was not */
  #requireFree(): Promise<unknown> {
    if (this.#turn && !this.#turn.signal.aborted)
      throw new InputError({
        message: 'The chat is still answering.',
        hint: 'Await the result of the last answer, or cancel it.',
      });
    return this.#turn?.ended ?? Promise.resolve();
  }

  /** Begins something when what was there before has ended. */
  #after<T>(before: Promise<unknown>, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const result = before.then(work).finally(() => {
      if (this.#turn === turn) this.#turn = undefined;
    });
    const turn: Turn = { signal, ended: result.catch(() => undefined) };
    this.#turn = turn;
    return result;
  }

  #forget(): void {
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

  async #answer(given: {
    readonly content: string | readonly MessagePart[];
    readonly images: readonly ImageInput[];
    readonly videos: readonly VideoInput[];
    readonly settings: GenerationSettings;
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
      // One that was cancelled while it waited leaves nothing.
      signal.throwIfAborted();
      messages = [
        ...messages,
        { role: 'user', content: await withVisuals(content, { images, videos }, { signal, backdrop }) },
      ];
      prompt = await preparePrompt(this.#context, { messages }, { times, signal });
      requireRoom(this.#context, prompt, settings);
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
    const { model } = this.#context;
    const rule = readsAnewBeyond(model) === undefined ? undefined : part(model, 'backbone').frequencies;
    this.#held = continued(prompt.keys, result.tokenIds, sequence.length, rule);
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
      result.push({ type: 'image', image: await readPicture(part.image, { signal, backdrop }) });
    else if (part.type === 'video' && part.frames !== undefined)
      result.push({ type: 'video', ...(await readVideo(part as VideoInput, { signal })) });
    else result.push(part);
  return result;
}
