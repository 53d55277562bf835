/** Half-open range `[start, end)` of UTF-16 units. */
export type TextRange = readonly [start: number, end: number];

/** The parts of a text in which special tokens stay ordinary text. Each question takes logarithmic time. */
export class LiteralText {
  /** In order and without overlap. */
  readonly #ranges: TextRange[] = [];

  /** @param ranges in any order; empty ones count for nothing */
  constructor(ranges: readonly TextRange[]) {
    for (const [start, end] of ranges.filter(([from, to]) => from < to).sort(([a], [b]) => a - b)) {
      const last = this.#ranges.at(-1);
      if (last && start < last[1]) this.#ranges[this.#ranges.length - 1] = [last[0], Math.max(last[1], end)];
      else this.#ranges.push([start, end]);
    }
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** The number of ranges that begin before a place. */
  #before(at: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]![0] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether a part of `[start, end)` is literal. */
  overlaps(start: number, end: number): boolean {
    const last = this.#ranges[this.#before(end) - 1];
    return last !== undefined && start < last[1];
  }

  /** Whether all of `[start, end)` lies in one range. */
  covers(start: number, end: number): boolean {
    const last = this.#ranges[this.#before(start + 1) - 1];
    return last !== undefined && end <= last[1];
  }

  /** The literal parts of `[start, end)`, counted from `start`. */
  within(start: number, end: number): LiteralText {
    const ranges: TextRange[] = [];
    for (let at = Math.max(0, this.#before(start + 1) - 1); at < this.#ranges.length; at++) {
      const [from, to] = this.#ranges[at]!;
      if (from >= end) break;
      ranges.push([Math.max(from, start) - start, Math.min(to, end) - start]);
    }
    return new LiteralText(ranges);
  }

  /** The same parts at other places. */
  moved(place: (at: number) => number): LiteralText {
    return new LiteralText(this.#ranges.map(([start, end]) => [place(start), place(end)]));
  }
}
