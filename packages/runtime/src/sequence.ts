import { InputError } from '@weft/errors';
import type { TokenPositions } from '@weft/spec';
import type { EmbedPiece, Engine, RowPictures, SequenceId, StepRow } from './engine.js';
import type { Scheduler } from './scheduler.js';

/** New tokens, and the embeddings of the image tokens among them, in order. */
export interface RowTokens {
  readonly ids: readonly number[];
  readonly pieces?: readonly EmbedPiece[] | undefined;
  /** Positions of these tokens; counted on from those before unless given. */
  readonly positions?: TokenPositions | undefined;
  /** What they see by cross-attention; what the token before them saw unless given. */
  readonly seen?: RowPictures | undefined;
}

/** Facts of the model that sequences need. */
export interface SequenceShape {
  /** Ids that embeddings of pictures and videos take the place of. */
  readonly visualTokenIds: readonly number[];
  /** Numbers that make up a position; 1 unless the model has a rule for positions. */
  readonly axes: number;
}

/** What sequences are made with. */
export interface SequenceTools {
  readonly engine: Engine;
  readonly scheduler: Scheduler;
  readonly shape: SequenceShape;
}

/** Tokens whose keys and values the engine keeps, as a request sees them: it knows their positions and their sight. */
export class Sequence {
  readonly #tools: SequenceTools;
  readonly #id: SequenceId;
  #length: number;
  /** Position of the next token, where none is given. */
  #next: number;
  /** What the last token saw by cross-attention. */
  #seen: RowPictures | undefined;

  private constructor(
    tools: SequenceTools,
    id: SequenceId,
    { length, next, seen }: { readonly length: number; readonly next: number; readonly seen?: RowPictures },
  ) {
    this.#tools = tools;
    this.#id = id;
    this.#length = length;
    this.#next = next;
    this.#seen = seen;
  }

  /** A new sequence with what is held of a prompt's beginning. @param blocks see `blockKeys` */
  static async open(tools: SequenceTools, blocks?: readonly string[]): Promise<Sequence> {
    const { id, held } = await tools.engine.open(blocks);
    return new Sequence(tools, id, { length: held, next: held });
  }

  /** Tokens that it holds. */
  get length(): number {
    return this.#length;
  }

  /**
   * Appends tokens.
   *
   * @returns logits `[V]` of the last one
   * @throws the signal's reason if it is aborted
   * @throws InputError if there are more or fewer image tokens than embeddings
   */
  async extend(tokens: RowTokens, signal?: AbortSignal): Promise<Float32Array> {
    const { ids, pieces, positions } = tokens;
    const places = pieces ? this.#places(ids, pieces) : [];
    const seen = tokens.seen ?? (this.#seen && repeated(this.#seen, ids.length));
    const reading = {
      id: this.#id,
      held: this.#length,
      length: ids.length,
      row: (from: number, count: number) => this.#row(tokens, { places, seen, from, count }),
    };
    const logits = await this.#tools.scheduler.read(reading, signal);
    this.#length += ids.length;
    this.#next = positions?.next ?? this.#next + ids.length;
    if (tokens.seen) {
      const { tiles, visible } = tokens.seen;
      this.#seen = { ...tokens.seen, visible: visible.slice(visible.length - tiles) };
    }
    return logits;
  }

  #places(ids: readonly number[], pieces: readonly EmbedPiece[]): number[] {
    const { visualTokenIds } = this.#tools.shape;
    const places = ids.flatMap((id, at) => (visualTokenIds.includes(id) ? [at] : []));
    const given = pieces.reduce((sum, { count }) => sum + count, 0);
    if (places.length !== given)
      throw new InputError(
        `The prompt has ${places.length} image tokens, but ${given} image embeddings were given.`,
      );
    return places;
  }

  #row(
    { ids, pieces = [], positions }: RowTokens,
    {
      places,
      seen,
      from,
      count,
    }: {
      readonly places: readonly number[];
      readonly seen: RowPictures | undefined;
      readonly from: number;
      readonly count: number;
    },
  ): StepRow {
    const end = from + count;
    const first = places.findIndex((place) => place >= from);
    const own = places.filter((place) => place >= from && place < end);
    const counted = Array.from({ length: count }, (_, i) => this.#next + from + i);
    return {
      id: this.#id,
      ids: ids.slice(from, end),
      // A text that is read in chunks is one text: all of it is turned by the frequencies of its whole length.
      textLength: positions?.next ?? this.#next + ids.length,
      positions: Array.from(
        { length: this.#tools.shape.axes },
        (_, axis) => positions?.axes[axis]?.slice(from, end) ?? counted,
      ),
      ...(own.length > 0 && {
        places: own.map((place) => place - from),
        pieces: cutPieces(pieces, first, own.length),
      }),
      // A row that sees no tile is read without those layers.
      ...(seen &&
        seen.tiles > 0 && {
          seen: { ...seen, visible: seen.visible.slice(from * seen.tiles, end * seen.tiles) },
        }),
      ...(end < ids.length && { logits: 'none' }),
    };
  }

  /** A sequence with the same tokens. */
  async fork(): Promise<Sequence> {
    const id = await this.#tools.engine.fork(this.#id);
    return new Sequence(this.#tools, id, {
      length: this.#length,
      next: this.#next,
      ...(this.#seen ? { seen: this.#seen } : {}),
    });
  }

  /** Forgets all tokens after the first `length`. */
  async truncate(length: number): Promise<void> {
    await this.#tools.engine.truncate(this.#id, length);
    this.#length = Math.min(this.#length, length);
    this.#next = Math.min(this.#next, length);
  }

  /** Holds its beginning for other prompts. @param blocks see `blockKeys` */
  hold(blocks: readonly string[]): void {
    // What cannot be held is read again.
    if (blocks.length > 0) this.#tools.engine.hold(this.#id, blocks).catch(() => undefined);
  }

  /** Frees it, after the step that may be under way. */
  release(): void {
    // After `close` there is nothing left to free.
    this.#tools.engine.release(this.#id).catch(() => undefined);
  }
}

/** The sight of one token for several. */
function repeated(seen: RowPictures, count: number): RowPictures {
  const visible = new Uint8Array(count * seen.tiles);
  for (let token = 0; token < count; token++) visible.set(seen.visible, token * seen.tiles);
  return { ...seen, visible };
}

/** The pieces of `count` embeddings from one on. */
export function cutPieces(pieces: readonly EmbedPiece[], from: number, count: number): EmbedPiece[] {
  let at = 0;
  return pieces.flatMap((piece) => {
    const start = Math.max(from - at, 0);
    const end = Math.min(from + count - at, piece.count);
    at += piece.count;
    return start < end ? [{ picture: piece.picture, from: piece.from + start, count: end - start }] : [];
  });
}
