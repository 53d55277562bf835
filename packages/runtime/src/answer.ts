import {
  createStopMatcher,
  createStreamingDecoder,
  type StopMatcher,
  type StreamingDecoder,
  type Tokenizer,
} from '@weft/text';
import type { GenerationSettings } from './generation-options.js';
import { answerLength } from './generation-settings.js';
import type { FinishReason, GenerationChunk } from './generation-stream.js';
import type { LogitsProcessor } from './logits-processors.js';
import { seededRandom, type Random } from './random.js';
import { chooseToken, processorsOf } from './sampling.js';

/** One answer in the making: chooses tokens, turns them into text, knows when it is finished. */
export class Answer {
  readonly tokenIds: number[] = [];
  text = '';
  finishReason: FinishReason | undefined;
  readonly #ids: number[];
  readonly #settings: GenerationSettings;
  /** Most tokens of the answer. */
  readonly most: number;
  readonly #processors: readonly LogitsProcessor[];
  readonly #random: Random;
  readonly #started = performance.now();
  readonly #decoder: StreamingDecoder;
  readonly #stops: StopMatcher;
  readonly #emit: (chunk: GenerationChunk) => void;

  /**
   * Its time begins.
   *
   * @param maxPositions most tokens of prompt and answer together
   * @throws InputError if the prompt leaves no room for it
   */
  constructor(
    promptIds: readonly number[],
    settings: GenerationSettings,
    tokenizer: Tokenizer,
    {
      maxPositions,
      emit,
    }: { readonly maxPositions: number; readonly emit: (chunk: GenerationChunk) => void },
  ) {
    this.#ids = [...promptIds];
    this.#settings = settings;
    this.most = answerLength(settings, promptIds.length, maxPositions);
    this.#processors = processorsOf(settings, { promptIds, most: this.most });
    this.#random = seededRandom(settings.seed ?? Math.floor(Math.random() * 2 ** 53));
    this.#decoder = createStreamingDecoder(tokenizer, { skipSpecialTokens: true });
    this.#stops = createStopMatcher(settings.stop);
    this.#emit = emit;
  }

  /** Takes the logits `[V]` after the last token, which are changed, and returns the token that follows. */
  accept(logits: Float32Array): number {
    for (const processor of this.#processors) processor(logits, this.#ids);
    return this.take(chooseToken(logits, this.#settings.doSample, this.#random), this.isLate);
  }

  /** Whether its time is over. */
  get isLate(): boolean {
    const { maxTime } = this.#settings;
    return maxTime !== undefined && performance.now() - this.#started > maxTime * 1000;
  }

  /** Takes a token that was chosen elsewhere. @param isLast whether the answer ends with it in any case */
  take(tokenId: number, isLast = false): number {
    this.#ids.push(tokenId);
    this.tokenIds.push(tokenId);
    const isEnd = this.#settings.endTokenIds.has(tokenId);
    let { text, stopped } = this.#stops.push(isEnd ? '' : this.#decoder.push(tokenId));
    if (stopped !== undefined || isEnd) this.finishReason = 'stop';
    else if (isLast || this.tokenIds.length >= this.most) this.finishReason = 'length';
    if (this.finishReason && stopped === undefined) {
      const rest = this.#stops.push(this.#decoder.flush());
      text += rest.text;
      stopped = rest.stopped;
      if (stopped === undefined) text += this.#stops.flush();
      else this.finishReason = 'stop';
    }
    this.text += text;
    this.#emit({ text, tokenId });
    return tokenId;
  }

  /** Ends the answer from outside. Text that was held back belongs to it, and comes in a chunk without a token. */
  abort(): void {
    if (this.finishReason) return;
    this.finishReason = 'abort';
    const rest = this.#stops.push(this.#decoder.flush());
    const text = rest.text + (rest.stopped === undefined ? this.#stops.flush() : '');
    this.text += text;
    if (text) this.#emit({ text });
  }
}
