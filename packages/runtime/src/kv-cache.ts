import type { CacheSlot } from './engine.js';

/**
 * Keys and values of the tokens seen so far, time outermost: `[capacity, batch, heads, size]` for each slot, so that
 * appending is one contiguous write and the past is a view. The first row is a masked zero: the graph cannot take an
 * empty past.
 */
export class KvCache {
  readonly #slots: readonly CacheSlot[];
  #batch: number;
  #capacity = 64;
  /** Rows in use, the masked first one included. */
  #length = 1;
  #data: Float32Array[];
  /** `[batch, capacity]`. */
  #mask: BigInt64Array;

  constructor(slots: readonly CacheSlot[], batch: number) {
    this.#slots = slots;
    this.#batch = batch;
    this.#data = slots.map((slot) => new Float32Array(this.#capacity * batch * slot.heads * slot.size));
    this.#mask = new BigInt64Array(batch * this.#capacity);
  }

  get batch(): number {
    return this.#batch;
  }

  /** Shapes and views of the past by graph input. The views are valid until the next `append`. */
  *past(): Generator<readonly [name: string, data: Float32Array, shape: readonly number[]]> {
    for (const [i, { past, heads, size }] of this.#slots.entries()) {
      const shape = [this.#length, this.#batch, heads, size];
      yield [past, this.#data[i]!.subarray(0, this.#length * this.#batch * heads * size), shape];
    }
  }

  /** The mask over the past and `length` new tokens, `[batch, past + length]`, given that of the new ones. */
  mask(
    next: BigInt64Array,
    length: number,
  ): { readonly data: BigInt64Array; readonly shape: readonly number[] } {
    this.#reserve(this.#length + length);
    const total = this.#length + length;
    for (let row = 0; row < this.#batch; row++)
      this.#mask.set(next.subarray(row * length, (row + 1) * length), row * this.#capacity + this.#length);
    const shape = [this.#batch, total];
    if (this.#batch === 1) return { data: this.#mask.subarray(0, total), shape };
    const data = new BigInt64Array(this.#batch * total);
    for (let row = 0; row < this.#batch; row++)
      data.set(this.#mask.subarray(row * this.#capacity, row * this.#capacity + total), row * total);
    return { data, shape };
  }

  /** Takes over the keys and values of `length` new tokens, whose mask was given to `mask` before. */
  append(present: (name: string) => Float32Array, length: number): void {
    for (const [i, { present: name, heads, size }] of this.#slots.entries())
      this.#data[i]!.set(present(name), this.#length * this.#batch * heads * size);
    this.#length += length;
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, length + 1);
  }

  /** The rows of the batch in a new order, by their old numbers. */
  select(rows: readonly number[]): void {
    if (rows.length === this.#batch && rows.every((row, i) => row === i)) return;
    this.#data = this.#data.map((old, i) => {
      const { heads, size } = this.#slots[i]!;
      const width = heads * size;
      const next = new Float32Array(this.#capacity * rows.length * width);
      for (let time = 0; time < this.#length; time++)
        for (const [to, from] of rows.entries()) {
          const start = (time * this.#batch + from) * width;
          next.set(old.subarray(start, start + width), (time * rows.length + to) * width);
        }
      return next;
    });
    const mask = new BigInt64Array(rows.length * this.#capacity);
    for (const [to, from] of rows.entries())
      mask.set(this.#mask.subarray(from * this.#capacity, (from + 1) * this.#capacity), to * this.#capacity);
    this.#mask = mask;
    this.#batch = rows.length;
  }

  #reserve(length: number): void {
    if (length <= this.#capacity) return;
    const capacity = Math.max(length, 2 * this.#capacity);
    this.#data = this.#data.map((old, i) => {
      const { heads, size } = this.#slots[i]!;
      const next = new Float32Array(capacity * this.#batch * heads * size);
      next.set(old.subarray(0, this.#length * this.#batch * heads * size));
      return next;
    });
    const mask = new BigInt64Array(this.#batch * capacity);
    for (let row = 0; row < this.#batch; row++)
      mask.set(
        this.#mask.subarray(row * this.#capacity, row * this.#capacity + this.#length),
        row * capacity,
      );
    this.#mask = mask;
    this.#capacity = capacity;
  }
}
