import { InputError, type Notice } from '@weft/errors';
import type { Json, Model } from '@weft/spec';
import type { Tokenizer } from '@weft/text';
import { abortable } from './abortable.js';
import { Chat, type ChatOptions } from './chat.js';
import { forward, type ForwardInputs, type Logits } from './forward.js';
import type { GenerationOptions, GenerationSettings } from './generation-options.js';
import { checkOptions, resolveSettings } from './generation-settings.js';
import { GenerationStream, type GenerationResult } from './generation-stream.js';
import {
  abortedResult,
  answerPrompt,
  openPrompt,
  preparePrompt,
  requireRoom,
  startTimes,
  vocabSizeOf,
  type GenerationContext,
  type OpenPrompt,
  type Progress,
} from './generator.js';
import { requireSight, type Eye } from './preparer.js';
import type { QuestionInput } from './message.js';
import { readPicture, type ImageInput } from './visuals.js';

/** A question and how to answer it. Give `messages` or `prompt`. */
export type GenerationRequest = QuestionInput & GenerationOptions;

/** A tensor of the checkpoint that the model does not use, and why. */
export interface UnusedTensor {
  readonly name: string;
  readonly reason: string;
}

/** What `load` hands to the model. */
export interface LoadedParts extends GenerationContext {
  /** Absolute path of the checkpoint. */
  readonly folder: string;
  readonly preprocessor: Json;
  readonly eye: Eye;
  readonly unusedTensors: readonly UnusedTensor[];
  readonly notices: readonly Notice[];
  readonly parameters: number;
}

/** A model that is ready to answer. Close it to free its memory. */
export class LoadedModel {
  /** Absolute path of the checkpoint. */
  readonly folder: string;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** Tensors of the checkpoint that have no place in the model, each with its reason. */
  readonly unusedTensors: readonly UnusedTensor[];
  /** What the checkpoint's files say and the model does not apply, or reads in another way; each once. */
  readonly notices: readonly Notice[];
  /** Number of parameters. */
  readonly parameters: number;
  readonly #parts: LoadedParts;

  constructor(parts: LoadedParts) {
    this.#parts = parts;
    this.folder = parts.folder;
    this.model = parts.model;
    this.tokenizer = parts.tokenizer;
    this.unusedTensors = parts.unusedTensors;
    this.notices = parts.notices;
    this.parameters = parts.parameters;
  }

  /**
   * Image embeddings `[tokens, D]` of each picture, as the language model reads them in a conversation of these pictures.
   *
   * @throws InputError if a picture cannot be used, or the model takes fewer in a conversation
   * @throws UnsupportedError if the model has no sight
   */
  async encodeImages(
    images: readonly ImageInput[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Float32Array[]> {
    const { engine, eye } = this.#parts;
    const results: Float32Array[] = [];
    for (const [i, image] of images.entries()) {
      const visual = await readPicture(image, { signal, backdrop: this.model.prompt.backdrop });
      signal?.throwIfAborted();
      const placement = requireSight(this.model).processor.place(visual, i, images.length);
      const pending = eye([{ visual, placement }], true).then(async ([picture]) => {
        const embeds = await engine.embeds(picture!.id);
        await engine.forget([picture!.id]);
        return embeds;
      });
      results.push(await abortable(pending, signal));
    }
    return results;
  }

  /**
   * Answers a question, token by token.
   *
   * @throws InputError at once for options that do not exist or are out of range; other errors come from the stream
   */
  generate(request: GenerationRequest): GenerationStream {
    const settings = this.#settings(request);
    return new GenerationStream(
      (emit, signal) => this.#answer(request, settings, { emit, signal }),
      request.signal,
    );
  }

  async #answer(
    request: GenerationRequest,
    settings: GenerationSettings,
    { emit, signal }: Omit<Progress, 'times'>,
  ): Promise<GenerationResult> {
    const times = startTimes(this.#parts);
    const lease = this.#parts.pictures.lease();
    let opened: OpenPrompt | undefined;
    try {
      const prompt = await preparePrompt(this.#parts, request, { times, signal });
      requireRoom(this.#parts, prompt, settings);
      opened = await openPrompt(this.#parts, prompt, signal);
      return await answerPrompt(this.#parts, { prompt, settings, opened, lease }, { times, emit, signal });
    } catch (error) {
      if (!signal?.aborted) throw error;
      return abortedResult(times);
    } finally {
      opened?.sequence.release();
      lease.release();
    }
  }

  /**
   * Answers several questions at once, each with its own options. Prompts may have different lengths. If one fails the
   * others are given up.
   *
   * @throws InputError for bad options or inputs
   */
  async generateBatch(
    requests: readonly GenerationRequest[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<GenerationResult[]> {
    const settings = requests.map((request) => this.#settings(request));
    if (requests.some((request) => request.signal))
      throw new InputError({
        message: 'One request of a batch cannot be aborted on its own.',
        hint: 'Pass { signal } for the whole batch.',
      });
    const failed = new AbortController();
    const all = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
    const emit = (): void => undefined;
    // Each has a signal of its own: one that hundreds listen to looks like a leak to Node.
    const answers = requests.map((request, i) =>
      this.#answer(request, settings[i]!, { emit, signal: AbortSignal.any([all]) }),
    );
    try {
      return await Promise.all(answers);
    } catch (error) {
      failed.abort();
      await Promise.allSettled(answers);
      throw error;
    }
  }

  /** A conversation that keeps the keys and values of earlier turns, images included. */
  chat(options: ChatOptions = {}): Chat {
    return new Chat(this.#parts, options);
  }

  /**
   * The whole model once, without generation: logits `[B, L, V]` of all tokens.
   *
   * @throws InputError if the inputs do not fit each other
   */
  forward(inputs: ForwardInputs): Promise<Logits> {
    return forward(this.#parts, inputs);
  }

  /** What `verify` and other tools of this package work with. */
  get parts(): LoadedParts {
    return this.#parts;
  }

  /** Frees sessions and caches, after what is under way. A second call does nothing. */
  close(): Promise<void> {
    return this.#parts.engine.close();
  }

  #settings(request: GenerationRequest): GenerationSettings {
    checkOptions(request, ['messages', 'prompt', 'images', 'videos'], {
      where: 'generate',
      vocabSize: vocabSizeOf(this.#parts),
    });
    return resolveSettings(request, this.#parts.generation, this.#parts.endTokenIds);
  }
}
