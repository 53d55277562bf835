import {
  createStopMatcher,
  createStreamingDecoder,
  type StopMatcher,
  type StreamingDecoder,
  type Tokenizer,
} from '@weft/text';
import type { GenerationSettings } from './generation-options.js';
import type { FinishReason, GenerationChunk } from './generation-stream.js';
import { seededRandom, type Random } from './random.js';
import { chooseToken } from './sampling.js';

/** One answer in the making: chooses tokens, turns them into text, knows when it is finished. */
export class Answer {
  readonly tokenIds: number[] = [];
  text = '';
  finishReason: FinishReason | undefined;
  readonly #ids: number[];
  readonly #settings: GenerationSettings;
  /** Most tokens of the answer. */
  readonly most: number;
  readonly #random: Random;
  readonly #decoder: StreamingDecoder;
  readonly #stops: StopMatcher;
  readonly #emit: (chunk: GenerationChunk) => void;

  /** @param maxPositions most tokens of prompt and answer together */
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
    this.most = Math.min(settings.maxNewTokens, maxPositions - promptIds.length);
    this.#random = seededRandom(settings.seed ?? Math.floor(Math.random() * 2 ** 53));
    this.#decoder = createStreamingDecoder(tokenizer, { skipSpecialTokens: true });
    this.#stops = createStopMatcher(settings.stop);
    this.#emit = emit;
  }

  /** Takes the logits `[V]` after the last token, which are changed, and returns the token that follows. */
  accept(logits: Float32Array): number {
    return this.take(chooseToken(logits, this.#ids, this.#settings, this.#random));
  }

  /** Takes a token that was chosen elsewhere. */
  take(tokenId: number): number {
    this.#ids.push(tokenId);
    this.tokenIds.push(tokenId);
    const isEnd = this.#settings.endTokenIds.has(tokenId);
    let { text, stopped } = this.#stops.push(isEnd ? '' : this.#decoder.push(tokenId));
    if (stopped !== undefined || isEnd) this.finishReason = 'stop';
    else if (this.tokenIds.length >= this.most) this.finishReason = 'length';
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

  /** Ends the answer from outside. Held back text belongs to it. */
  abort(): void {
    if (this.finishReason) return;
    this.finishReason = 'abort';
    const rest = this.#stops.push(this.#decoder.flush());
    this.text += rest.text + (rest.stopped === undefined ? this.#stops.flush() : '');
  }
}
