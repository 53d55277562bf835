import { SessionError } from '@weft/errors';
import { KvStore, type SlotSize, type Span } from './kv-store.js';

/** Number of a sequence that an engine holds. */
export type SequenceId = number;

/** Tokens at the beginning of a sequence that somebody else owns, and that are not changed. */
export interface SharedTokens {
  readonly span: Span;
  /** Called once the sequence has no use for them any more. */
  readonly release: () => void;
}

interface Sequence {
  /** The store that holds its tokens, if any does, and where in it: times from `start` on of a column. */
  home: KvStore | undefined;
  column: number;
  start: number;
  length: number;
  /** What it begins with before its first step. */
  shared: readonly SharedTokens[];
}

/** Sequences side by side in one store, ready for a step. */
export interface Arrangement {
  readonly store: KvStore;
  /** For each column the place of its sequence in the step; -1 for a column of none. */
  readonly rows: readonly number[];
  /** For each column the times that count before the step, which are its last; 0 for a column of none. */
  readonly pasts: readonly number[];
}

/** A store is gathered anew when fewer of its columns take part in a step than this share. */
const leastShare = 0.5;

/**
 * Which tokens each sequence holds, and where. Sequences that step together lie side by side in one store and end
 * together; while the same ones step, appending is one contiguous write. When others join, or many have left, they are
 * gathered in a new store. A fork looks at the same memory until one of the two goes on.
 */
export class SequenceTable {
  readonly #slots: readonly SlotSize[];
  readonly #sequences = new Map<SequenceId, Sequence>();
  /** Sequences that look at each store. */
  readonly #users = new Map<KvStore, Set<Sequence>>();
  #opened = 0;

  constructor(slots: readonly SlotSize[]) {
    this.#slots = slots;
  }

  /** A sequence that begins with tokens of others. */
  open(shared: readonly SharedTokens[] = []): SequenceId {
    const length = shared.reduce((sum, { span }) => sum + span.length, 0);
    this.#sequences.set(++this.#opened, { home: undefined, column: 0, start: 0, length, shared });
    return this.#opened;
  }

  /** A sequence that holds the same tokens; neither sees what the other appends. */
  fork(id: SequenceId): SequenceId {
    const sequence = this.#get(id);
    // What is shared has one owner: it becomes memory of both.
    if (!sequence.home && sequence.shared.length > 0) this.#gather([sequence]);
    const copy = { ...sequence };
    this.#sequences.set(++this.#opened, copy);
    if (copy.home) this.#usersOf(copy.home).add(copy);
    return this.#opened;
  }

  /** Forgets all tokens after the first `length`. */
  truncate(id: SequenceId, length: number): void {
    const sequence = this.#get(id);
    if (!sequence.home && length < sequence.length) this.#gather([sequence]);
    sequence.length = Math.min(sequence.length, length);
  }

  /** Forgets a sequence; one that is not there is no error. */
  release(id: SequenceId): void {
    const sequence = this.#sequences.get(id);
    if (!sequence) return;
    this.#leave(sequence);
    this.#sequences.delete(id);
  }

  clear(): void {
    for (const id of [...this.#sequences.keys()]) this.release(id);
  }

  length(id: SequenceId): number {
    return this.#get(id).length;
  }

  /** Where the tokens from one on lie. */
  spans(id: SequenceId, from: number, length: number): readonly Span[] {
    const { home, column, start, shared } = this.#get(id);
    if (home) return [home.span(column, start + from, length)];
    let at = 0;
    return shared.flatMap(({ span }) => {
      const first = Math.max(0, from - at);
      const count = Math.min(span.length, from + length - at) - first;
      at += span.length;
      return count > 0 ? [{ ...span, start: span.start + first, length: count }] : [];
    });
  }

  /** Puts sequences side by side, all different. @param coming times that are about to be appended */
  arrange(ids: readonly SequenceId[], coming = 0): Arrangement {
    const sequences = ids.map((id) => this.#get(id));
    if (!this.#isArranged(sequences)) this.#gather(sequences, { coming });
    const store = sequences[0]!.home!;
    const rows = Array.from({ length: store.batch }, () => -1);
    const pasts = Array.from({ length: store.batch }, () => 0);
    for (const [row, { column, length }] of sequences.entries()) {
      rows[column] = row;
      pasts[column] = length;
    }
    return { store, rows, pasts };
  }

  /**
   * Takes over the keys and values of a step.
   *
   * @param ids as they were arranged
   * @param counts new tokens of each
   * @param present of each slot, `[times, columns, heads, size]`
   */
  append(
    ids: readonly SequenceId[],
    counts: readonly number[],
    present: (slot: number) => Float32Array,
  ): void {
    const sequences = ids.map((id) => this.#get(id));
    const store = sequences[0]!.home!;
    const times = Math.max(...counts);
    if (sequences.some(({ length }, i) => length > 0 && counts[i]! < times)) {
      // Padding would come between old and new tokens.
      const fresh = ({ column }: Sequence, count: number): Span => ({
        slot: present,
        batch: store.batch,
        column,
        start: times - count,
        length: count,
      });
      this.#gather(sequences, { fresh: (sequence, i) => [fresh(sequence, counts[i]!)] });
      for (const [i, sequence] of sequences.entries()) sequence.length += counts[i]!;
      return;
    }
    const before = store.length;
    store.append(present, times);
    for (const [i, sequence] of sequences.entries()) {
      if (sequence.length === 0) sequence.start = before + times - counts[i]!;
      sequence.length += counts[i]!;
    }
  }

  /** Whether sequences can be appended to where they are. */
  #isArranged(sequences: readonly Sequence[]): boolean {
    const { home } = sequences[0]!;
    if (!home || sequences.some((sequence) => sequence.home !== home)) return false;
    if (sequences.length < leastShare * home.batch) return false;
    if (new Set(sequences.map(({ column }) => column)).size < sequences.length) return false;
    const ends = sequences.flatMap(({ start, length }) => (length > 0 ? [start + length] : []));
    const end = ends[0] ?? 1;
    if (ends.some((other) => other !== end)) return false;
    // What nobody else looks at can be cut off.
    if (end < home.length && this.#usersOf(home).size === sequences.length) home.cut(end);
    return end === home.length;
  }

  /** Moves sequences to a store of their own. @param fresh what comes after the tokens of each */
  #gather(
    sequences: readonly Sequence[],
    {
      fresh = () => [],
      coming,
    }: {
      readonly fresh?: (sequence: Sequence, i: number) => readonly Span[];
      readonly coming?: number;
    } = {},
  ): void {
    const columns = sequences.map((sequence, i) => [...this.#held(sequence), ...fresh(sequence, i)]);
    const store = KvStore.gather(this.#slots, columns, coming);
    for (const [column, sequence] of sequences.entries()) {
      this.#leave(sequence);
      sequence.home = store;
      sequence.column = column;
      const length = columns[column]!.reduce((sum, span) => sum + span.length, 0);
      sequence.start = store.length - length;
      this.#usersOf(store).add(sequence);
    }
  }

  #held({ home, column, start, length, shared }: Sequence): Span[] {
    if (length === 0) return [];
    return home ? [home.span(column, start, length)] : shared.map(({ span }) => span);
  }

  /** Gives up what the sequence looks at. */
  #leave(sequence: Sequence): void {
    for (const { release } of sequence.shared) release();
    sequence.shared = [];
    if (!sequence.home) return;
    const users = this.#usersOf(sequence.home);
    users.delete(sequence);
    if (users.size === 0) this.#users.delete(sequence.home);
    sequence.home = undefined;
  }

  #usersOf(store: KvStore): Set<Sequence> {
    let users = this.#users.get(store);
    if (!users) this.#users.set(store, (users = new Set()));
    return users;
  }

  #get(id: SequenceId): Sequence {
    const sequence = this.#sequences.get(id);
    if (!sequence)
      throw new SessionError({
        message: `There is no sequence ${id}; it was released.`,
        where: "session 'text'",
      });
    return sequence;
  }
}
