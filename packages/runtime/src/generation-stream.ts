/** A token and the text that it completed; the text may be empty. */
export interface GenerationChunk {
  readonly text: string;
  /** Absent where an answer was aborted and the chunk has the text that was held back, in case a stop string began. */
  readonly tokenId?: number | undefined;
}

/**
 * Why an answer ended: `stop` by an end token or a stop string, `length` because `maxNewTokens`, `maxTime` or the
 * context was used up, `abort` by the signal or because the reader left the loop.
 */
export type FinishReason = 'stop' | 'length' | 'abort';

/** Times in ms. */
export interface Timings {
  /** Of loading the model, once. */
  readonly load: number;
  /** Reading, decoding and resizing pictures. */
  readonly preprocess: number;
  /** Vision encoder and connector. */
  readonly encode: number;
  /** The prompt through the language model. */
  readonly prefill: number;
  /** All tokens of the answer after the first. */
  readonly decode: number;
}

export interface GenerationResult {
  readonly text: string;
  /** Generated ids, the end token included. */
  readonly tokenIds: readonly number[];
  readonly finishReason: FinishReason;
  /** Tokens of the prompt, those of images included. */
  readonly promptTokens: number;
  /** Tokens of the prompt whose keys and values were there from an earlier turn, or from a prompt that begins alike. */
  readonly cachedTokens: number;
  readonly imageTokens: number;
  readonly generatedTokens: number;
  readonly timings: Timings;
  /** The best beams, best first, when several were asked for. */
  readonly sequences?: readonly {
    readonly text: string;
    readonly tokenIds: readonly number[];
    readonly score: number;
  }[];
}

/**
 * An answer while it is generated: an async iterable of its chunks, and a promise of the whole. Generation starts at
 * once and does not wait for the reader. Leaving the loop ends it.
 */
export class GenerationStream implements AsyncIterable<GenerationChunk> {
  readonly #controller = new AbortController();
  readonly #result: Promise<GenerationResult>;
  readonly #chunks: GenerationChunk[] = [];
  /** Readers that wait; there may be several. */
  #waiting: (() => void)[] = [];
  #done = false;

  /** @param generate calls `emit` for each chunk, and ends with reason `abort` once the signal is aborted */
  constructor(
    generate: (emit: (chunk: GenerationChunk) => void, signal: AbortSignal) => Promise<GenerationResult>,
    signal?: AbortSignal,
  ) {
    const both = signal ? AbortSignal.any([signal, this.#controller.signal]) : this.#controller.signal;
    const emit = (chunk: GenerationChunk): void => {
      this.#chunks.push(chunk);
      this.#wake();
    };
    this.#result = generate(emit, both).finally(() => {
      this.#done = true;
      this.#wake();
    });
    // Whoever reads the stream or its result gets the error; nobody else needs to.
    this.#result.catch(() => undefined);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** The whole answer. @throws the error that ended the generation */
  result(): Promise<GenerationResult> {
    return this.#result;
  }

  /** Ends the generation; `result()` then has what was generated so far. */
  cancel(): void {
    this.#controller.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GenerationChunk, void, undefined> {
    let finished = false;
    try {
      for (let next = 0; ;) {
        const chunk = this.#chunks[next];
        if (chunk) {
          next++;
          yield chunk;
        } else if (this.#done) break;
        else await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      finished = true;
      await this.#result;
    } finally {
      if (!finished) this.cancel();
    }
  }
}
