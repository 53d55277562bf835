/**
 * Finds all of many texts in one pass over another (Aho and Corasick's automaton), so that the work does not grow with
 * the length of the texts that are looked for. Texts with lone surrogates are never found: no well-formed text has them.
 */
export class Automaton {
  /** Of each state its parent, the UTF-16 unit that leads to it, and where the search goes on when no unit fits. */
  readonly #parent: Int32Array;
  readonly #unit: Uint16Array;
  readonly #fallback: Int32Array;
  readonly #depth: Int32Array;
  /** The text that ends in a state, and the longest proper end of it that is a text as well. */
  readonly #text: Int32Array;
  readonly #shorter: Int32Array;
  /** States by parent and unit: a table with open addresses; 0 is free, since nothing leads to the root. */
  readonly #table: Int32Array;
  #states = 1;

  /** @param texts texts with their numbers; the last number counts where a text comes twice */
  constructor(texts: readonly (readonly [text: string, number: number])[]) {
    const usable = texts.filter(([text]) => text !== '' && !/\p{Surrogate}/u.test(text));
    const most = usable.reduce((sum, [text]) => sum + text.length, 1);
    this.#parent = new Int32Array(most);
    this.#unit = new Uint16Array(most);
    this.#fallback = new Int32Array(most);
    this.#depth = new Int32Array(most);
    this.#text = new Int32Array(most).fill(-1);
    this.#shorter = new Int32Array(most);
    this.#table = new Int32Array(2 ** Math.ceil(Math.log2(most * 2)));
    for (const [text, number] of usable) {
      let state = 0;
      for (let at = 0; at < text.length; at++) state = this.#grow(state, text.charCodeAt(at));
      this.#text[state] = number;
    }
    this.#link();
  }

  #slot(state: number, unit: number): number {
    const mask = this.#table.length - 1;
    let slot = (Math.imul(state, 0x9e3779b1) ^ Math.imul(unit + 1, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & mask;
    for (let child = this.#table[slot]!; child !== 0; child = this.#table[slot]!) {
      if (this.#parent[child] === state && this.#unit[child] === unit) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(state: number, unit: number): number {
    const slot = this.#slot(state, unit);
    if (this.#table[slot] === 0) {
      const child = this.#states++;
      this.#table[slot] = child;
      this.#parent[child] = state;
      this.#unit[child] = unit;
      this.#depth[child] = this.#depth[state]! + 1;
    }
    return this.#table[slot]!;
  }

  #follow(from: number, unit: number): number {
    for (let state = from; ; state = this.#fallback[state]!) {
      const next = this.#table[this.#slot(state, unit)]!;
      if (next !== 0) return next;
      if (state === 0) return 0;
    }
  }

  /** Sets the fallbacks, state by state from the root outwards. */
  #link(): void {
    const order = Array.from({ length: this.#states - 1 }, (_, at) => at + 1).sort(
      (a, b) => this.#depth[a]! - this.#depth[b]!,
    );
    for (const state of order) {
      const parent = this.#parent[state]!;
      const fallback = parent === 0 ? 0 : this.#follow(this.#fallback[parent]!, this.#unit[state]!);
      this.#fallback[state] = fallback;
      this.#shorter[state] = this.#text[fallback]! >= 0 ? fallback : this.#shorter[fallback]!;
    }
  }

  /**
   * Calls back for every text that is found, in the order of their ends, and of those with the same end the longest
   * first. Answering true leaves the shorter ones with this end out.
   *
   * @param passed is called after those of each end, whether there are any or not
   * @returns the number of steps that it took, a measure of its work
   */
  scan(
    text: string,
    found: (number: number, start: number, end: number) => boolean | void,
    passed?: (end: number) => void,
  ): number {
    let state = 0;
    let steps = 0;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      const before = this.#depth[state]!;
      state = this.#follow(state, unit);
      // Each fallback on the way made the state shallower.
      steps += 2 + before - this.#depth[state]!;
      let match = this.#text[state]! >= 0 ? state : this.#shorter[state]!;
      for (; match !== 0; match = this.#shorter[match]!) {
        steps++;
        if (found(this.#text[match]!, at + 1 - this.#depth[match]!, at + 1)) break;
      }
      passed?.(at + 1);
    }
    return steps;
  }

  /** The longest text that another begins with: its number and length. */
  longestBeginning(text: string): { readonly number: number; readonly length: number } | undefined {
    let longest: { number: number; length: number } | undefined;
    let state = 0;
    for (let at = 0; at < text.length; at++) {
      state = this.#table[this.#slot(state, text.charCodeAt(at))]!;
      if (state === 0) break;
      const number = this.#text[state]!;
      if (number >= 0) longest = { number, length: at + 1 };
    }
    return longest;
  }
}
