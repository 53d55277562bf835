import { InputError } from '@weft/errors';
import type { TokenPositions } from '@weft/spec';
import type { Engine, TextStep } from './engine.js';

/** New tokens of one row, and the embeddings `[N, D]` of the image tokens among them, in order. */
export interface RowTokens {
  readonly ids: readonly number[];
  readonly embeds?: Float32Array | undefined;
  /** Positions of these tokens; counted on from those before unless given. */
  readonly positions?: TokenPositions | undefined;
  /** What they see by cross-attention; what the token before them saw unless given. */
  readonly seen?: SeenPictures | undefined;
}

/** Pictures that a row's cross-attention may see. */
export interface SeenPictures {
  /** Handles of their keys. */
  readonly keys: readonly number[];
  /** Tiles of all of them. */
  readonly tiles: number;
  /** Which tiles each token sees, `[tokens, tiles]`. */
  readonly visible: Uint8Array;
}

/** Facts of the model that sequences need. */
export interface SequenceShape {
  readonly hiddenSize: number;
  readonly vocabSize: number;
  /** Ids that embeddings of pictures and videos take the place of. */
  readonly visualTokenIds: readonly number[];
  /** Numbers that make up a position; 1 unless the model has a rule for positions. */
  readonly axes: number;
}

/** Tokens of one run: an abort waits for no more than this. */
const chunkLength = 256;

/**
 * Rows of tokens whose keys and values the engine keeps. Rows of different lengths end together: shorter ones begin
 * with masked padding, and positions count from the first token of each.
 */
export class Sequence {
  readonly #engine: Engine;
  readonly #cache: number;
  readonly #shape: SequenceShape;
  /** Tokens of each row, padding not counted. */
  #counts: number[];
  /** Position of each row's next token, where none is given. */
  #next: number[];
  /** What each row's last token saw by cross-attention. */
  #seen: (SeenPictures | undefined)[] = [];

  private constructor(engine: Engine, cache: number, shape: SequenceShape, batch: number) {
    this.#engine = engine;
    this.#cache = cache;
    this.#shape = shape;
    this.#counts = Array.from({ length: batch }, () => 0);
    this.#next = [...this.#counts];
  }

  static async open(engine: Engine, shape: SequenceShape, batch: number): Promise<Sequence> {
    return new Sequence(engine, await engine.open(batch), shape, batch);
  }

  /** Tokens of the longest row. */
  get length(): number {
    return Math.max(...this.#counts);
  }

  /**
   * Appends tokens to every row, in chunks.
   *
   * @returns logits of the last token of each row, `[V]` each
   * @throws the signal's reason if it is aborted
   */
  async extend(rows: readonly RowTokens[], signal?: AbortSignal): Promise<Float32Array[]> {
    const { vocabSize } = this.#shape;
    const columns = Math.max(...rows.map(({ ids }) => ids.length));
    const used = rows.map(() => 0);
    let logits: Float32Array = new Float32Array(0);
    for (let start = 0; start < columns; start += chunkLength) {
      signal?.throwIfAborted();
      const length = Math.min(chunkLength, columns - start);
      const isLast = start + length === columns;
      logits = await abortable(
        this.#engine.run(this.#cache, this.#chunk(rows, { columns, start, length, isLast, used })),
        signal,
      );
    }
    for (const [row, { ids, embeds, positions, seen }] of rows.entries()) {
      if (seen) this.#seen[row] = { ...seen, visible: seen.visible.slice(seen.visible.length - seen.tiles) };
      this.#counts[row]! += ids.length;
      this.#next[row] = positions?.next ?? this.#next[row]! + ids.length;
      const given = (embeds?.length ?? 0) / this.#shape.hiddenSize;
      if (embeds && used[row] !== given)
        throw new InputError(
          `Row ${row} has ${used[row]} image tokens, but ${given} image embeddings were given.`,
        );
    }
    return rows.map((_, row) => logits.subarray(row * vocabSize, (row + 1) * vocabSize));
  }

  #chunk(
    rows: readonly RowTokens[],
    {
      columns,
      start,
      length,
      isLast,
      used,
    }: { columns: number; start: number; length: number; isLast: boolean; used: number[] },
  ) {
    const { hiddenSize, visualTokenIds, axes } = this.#shape;
    const inputIds = new BigInt64Array(rows.length * length);
    const positionIds = new BigInt64Array(axes * rows.length * length);
    const mask = new BigInt64Array(rows.length * length);
    const places: number[] = [];
    const embeds: Float32Array[] = [];
    for (const [row, { ids, embeds: given, positions }] of rows.entries()) {
      const padding = columns - ids.length;
      const first = used[row]!;
      for (let column = Math.max(0, padding - start); column < length; column++) {
        const flat = row * length + column;
        const token = start + column - padding;
        inputIds[flat] = BigInt(ids[token]!);
        for (let axis = 0; axis < axes; axis++)
          positionIds[axis * inputIds.length + flat] = BigInt(
            positions?.axes[axis]?.[token] ?? this.#next[row]! + token,
          );
        mask[flat] = 1n;
        if (given && visualTokenIds.includes(ids[token]!) && (used[row]! + 1) * hiddenSize <= given.length) {
          places.push(flat);
          used[row]!++;
        }
      }
      if (given) embeds.push(given.subarray(first * hiddenSize, used[row]! * hiddenSize));
    }
    return {
      length,
      inputIds,
      positionIds,
      mask,
      logitPositions: BigInt64Array.from(isLast ? rows.map((_, row) => BigInt((row + 1) * length - 1)) : []),
      imagePositions: BigInt64Array.from(places, BigInt),
      imageEmbeds: joined(embeds),
      ...this.#sight(rows, { columns, start, length }),
    };
  }

  /** What the tokens of a chunk see by cross-attention. */
  #sight(
    rows: readonly RowTokens[],
    { columns, start, length }: { columns: number; start: number; length: number },
  ): Pick<TextStep, 'seenKeys' | 'seenMask'> {
    const seen = rows.map((row, i) => row.seen ?? this.#seen[i]);
    const tiles = Math.max(0, ...seen.map((one) => one?.tiles ?? 0));
    if (tiles === 0) return { seenKeys: [], seenMask: new BigInt64Array(0) };
    const seenMask = new BigInt64Array(rows.length * length * tiles);
    for (const [row, { ids, seen: given }] of rows.entries()) {
      const own = seen[row]?.tiles ?? 0;
      for (let column = 0; column < length; column++) {
        const to = (row * length + column) * tiles;
        seenMask.fill(-1n, to + own, to + tiles);
        const token = start + column - (columns - ids.length);
        const from = given ? token * own : 0;
        if (token < 0) continue;
        for (let tile = 0; tile < own; tile++) seenMask[to + tile] = BigInt(seen[row]!.visible[from + tile]!);
      }
    }
    return { seenKeys: seen.map((one) => one?.keys ?? []), seenMask };
  }

  /** Keeps the named rows, in that order; rows may repeat. */
  async select(rows: readonly number[]): Promise<void> {
    this.#counts = rows.map((row) => this.#counts[row]!);
    this.#next = rows.map((row) => this.#next[row]!);
    this.#seen = rows.map((row) => this.#seen[row]);
    await this.#engine.select(this.#cache, rows);
  }

  /** Forgets all tokens after the first `length` of a sequence that has one row. */
  async truncate(length: number): Promise<void> {
    this.#counts = this.#counts.map((count) => Math.min(count, length));
    this.#next = this.#next.map((next) => Math.min(next, length));
    await this.#engine.truncate(this.#cache, length);
  }

  /** Frees the cache, after the run that may be under way. */
  release(): void {
    // After `close` there is nothing left to free.
    this.#engine.release(this.#cache).catch(() => undefined);
  }
}

/** Arrays one after the other, in new memory. */
export function joined(arrays: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    result.set(array, at);
    at += array.length;
  }
  return result;
}

/** The promise's result, or the signal's reason as soon as it is aborted. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
