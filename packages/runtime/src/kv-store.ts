/** Sizes of keys or values of one layer. */
export interface SlotSize {
  readonly heads: number;
  readonly size: number;
}

/** Keys and values of neighbouring tokens of one sequence, wherever they lie. */
export interface Span {
  /** The array of a slot, `[times, batch, heads, size]`. */
  readonly slot: (index: number) => Float32Array;
  readonly batch: number;
  readonly column: number;
  /** First time, and number of times. */
  readonly start: number;
  readonly length: number;
}

const leastCapacity = 64;

/**
 * Keys and values of several sequences side by side, time outermost: `[capacity, batch, heads, size]` for each slot, so
 * that appending is one contiguous write and the past is a view. The first time is a masked zero: the graph cannot take
 * an empty past.
 *
 * Memory grows by doubling, but no step copies everything: from three quarters of the capacity on each append moves a
 * few times to the next arrays.
 */
export class KvStore {
  readonly #slots: readonly SlotSize[];
  readonly batch: number;
  #capacity: number;
  /** Times in use, the masked first one included. */
  #length = 1;
  #data: Float32Array[];
  /** Arrays of twice the capacity, the first `#moved` times of which are filled. */
  #next: Float32Array[] | undefined;
  #moved = 0;

  constructor(slots: readonly SlotSize[], batch: number, capacity = leastCapacity) {
    this.#slots = slots;
    this.batch = batch;
    this.#capacity = Math.max(capacity, leastCapacity);
    this.#data = this.#arrays(this.#capacity);
  }

  /**
   * A store with one column for each sequence, all ending together. Times before a sequence's first are zeros.
   *
   * @param coming times for which there is room beside
   */
  static gather(slots: readonly SlotSize[], columns: readonly (readonly Span[])[], coming = 0): KvStore {
    const lengths = columns.map(lengthOf);
    const length = 1 + Math.max(...lengths);
    const store = new KvStore(slots, columns.length, ((3 * (length + coming)) >> 1) + leastCapacity);
    store.#length = length;
    for (const [column, spans] of columns.entries()) {
      let to = length - lengths[column]!;
      for (const span of spans) {
        for (let slot = 0; slot < slots.length; slot++)
          copySpan(
            span,
            slot,
            { data: store.#data[slot]!, batch: store.batch, column, start: to },
            store.#width(slot),
          );
        to += span.length;
      }
    }
    return store;
  }

  get length(): number {
    return this.#length;
  }

  /** Keys or values of the past, `[length, batch, heads, size]`: a view, valid until the next `append`. */
  past(slot: number): Float32Array {
    return this.#data[slot]!.subarray(0, this.#length * this.batch * this.#width(slot));
  }

  /** Part of a column. Times may be read until they are cut off. */
  span(column: number, start: number, length: number): Span {
    return { slot: (index) => this.#data[index]!, batch: this.batch, column, start, length };
  }

  /** Takes over keys and values of new times, `[times, batch, heads, size]` for each slot. */
  append(present: (slot: number) => Float32Array, times: number): void {
    this.#reserve(this.#length + times);
    for (const [slot, data] of this.#data.entries())
      data.set(present(slot), this.#length * this.batch * this.#width(slot));
    this.#length += times;
    if (4 * this.#length >= 3 * this.#capacity) {
      this.#next ??= this.#arrays(2 * this.#capacity);
      // A quarter of the capacity is left, and all of it is to be moved by then.
      this.#move(this.#next, this.#moved + 5 * times);
    }
  }

  /** Forgets all times from one on. */
  cut(length: number): void {
    this.#length = Math.min(this.#length, length);
    this.#moved = Math.min(this.#moved, this.#length);
  }

  #reserve(length: number): void {
    if (length <= this.#capacity) return;
    const capacity = Math.max(length, 2 * this.#capacity);
    if (!this.#next || capacity > 2 * this.#capacity) {
      this.#next = this.#arrays(capacity);
      this.#moved = 0;
    }
    this.#move(this.#next, this.#length);
    this.#data = this.#next;
    this.#capacity = capacity;
    this.#next = undefined;
    this.#moved = 0;
  }

  /** Fills the next arrays up to a time. */
  #move(next: readonly Float32Array[], until: number): void {
    const end = Math.min(until, this.#length);
    if (end <= this.#moved) return;
    for (const [slot, data] of this.#data.entries()) {
      const width = this.batch * this.#width(slot);
      next[slot]!.set(data.subarray(this.#moved * width, end * width), this.#moved * width);
    }
    this.#moved = end;
  }

  #width(slot: number): number {
    const { heads, size } = this.#slots[slot]!;
    return heads * size;
  }

  #arrays(capacity: number): Float32Array[] {
    return this.#slots.map(({ heads, size }) => new Float32Array(capacity * this.batch * heads * size));
  }
}

const lengthOf = (spans: readonly Span[]): number => spans.reduce((sum, { length }) => sum + length, 0);

/** Copies a slot of a span to a column, from a time on. @param width values of one time of one column */
export function copySpan(
  { slot, batch, column, start, length }: Span,
  index: number,
  to: {
    readonly data: Float32Array;
    readonly batch: number;
    readonly column: number;
    readonly start: number;
  },
  width: number,
): void {
  const data = slot(index);
  if (batch === 1 && to.batch === 1) {
    to.data.set(data.subarray(start * width, (start + length) * width), to.start * width);
    return;
  }
  for (let time = 0; time < length; time++) {
    const from = ((start + time) * batch + column) * width;
    to.data.set(data.subarray(from, from + width), ((to.start + time) * to.batch + to.column) * width);
  }
}
