import { InputError } from '@weft/errors';
import type { Program } from './program.js';

/** Positions of one page of the table of failures. */
const pageLength = 256;
/** Published patterns take 10 to 60 steps a character. */
const stepsPerCharacter = 200;
const stepsAnyway = 1_000_000;

/**
 * Runs a program over one text: alternatives in order, as a backtracking engine does, but no step is tried twice at
 * the same place. What failed at a place fails there for good, whatever came before, so the work is bounded by the
 * length of the text times that of the program, with looks ahead and behind and atomic groups.
 */
class Run {
  readonly #codes: Int32Array;
  readonly #length: number;
  readonly #failed: (Uint32Array | undefined)[] = [];
  /** Where looks and atomic groups end that succeed from a step at a place, in pages as well. */
  readonly #ends: (Map<number, number> | undefined)[] = [];
  /** The first page that may still be there: only looks behind ask for places that lie behind. */
  #firstPage = 0;
  #stack = new Int32Array(256);
  #top = 0;
  #steps = 0;

  constructor(
    readonly program: Program,
    codes: Int32Array,
    length: number,
  ) {
    this.#codes = codes;
    this.#length = length;
  }

  get steps(): number {
    return this.#steps;
  }

  /** The end of the match that begins at a place; -1 for none. */
  matchAt(at: number): number {
    const end = this.#explore(this.program.start, at, false);
    // Only steps on the way of the match did not fail; of the places to come these stand at its end.
    if (end >= 0) this.#clear(end);
    const page = this.program.looksBehind ? 0 : Math.floor(at / pageLength);
    for (; this.#firstPage < page; this.#firstPage++) {
      this.#failed[this.#firstPage] = undefined;
      this.#ends[this.#firstPage] = undefined;
    }
    return end;
  }

  #clear(at: number): void {
    const count = this.program.steps.length;
    const page = this.#failed[Math.floor(at / pageLength)];
    if (!page) return;
    const first = (at % pageLength) * count;
    for (let bit = first; bit < first + count; bit++) page[bit >>> 5]! &= ~(1 << (bit & 31));
  }

  /** Marks a step at a place as failed until it is known better; whether it was marked before. */
  #mark(step: number, at: number): boolean {
    const count = this.program.steps.length;
    const number = Math.floor(at / pageLength);
    const page = (this.#failed[number] ??= new Uint32Array(Math.ceil((pageLength * count) / 32)));
    const bit = (at % pageLength) * count + step;
    const mask = 1 << (bit & 31);
    const known = (page[bit >>> 5]! & mask) !== 0;
    page[bit >>> 5]! |= mask;
    return known;
  }

  #push(step: number, at: number): void {
    if (this.#top + 2 > this.#stack.length) {
      const larger = new Int32Array(this.#stack.length * 2);
      larger.set(this.#stack);
      this.#stack = larger;
    }
    this.#stack[this.#top++] = step;
    this.#stack[this.#top++] = at;
  }

  /**
   * Tries a step at a place and all that follows.
   *
   * @param within whether it is a look or an atomic group, whose end is remembered
   */
  #explore(first: number, from: number, within: boolean): number {
    const { steps } = this.program;
    const count = steps.length;
    const bottom = this.#top;
    this.#push(first, from);
    while (this.#top > bottom) {
      const at = this.#stack[--this.#top]!;
      const number = this.#stack[--this.#top]!;
      // A step whose alternatives have all been tried.
      if (number < 0) continue;
      if (++this.#steps > stepsAnyway + stepsPerCharacter * this.#length) throw tooMuchWork();
      const known = within ? this.#ends[Math.floor(at / pageLength)]?.get(at * count + number) : undefined;
      if (known !== undefined) return this.#succeed(bottom, known);
      const step = steps[number]!;
      if (this.#mark(number, at)) {
        // A loop that comes round without a character is left.
        if (step.kind === 'either' && step.over !== undefined) this.#push(step.over, at);
        continue;
      }
      if (step.kind === 'accept') {
        if (!within) {
          this.#top = bottom;
          return at;
        }
        this.#push(~number, at);
        return this.#succeed(bottom, at);
      }
      if (within) this.#push(~number, at);
      switch (step.kind) {
        case 'set':
          if (step.back) {
            if (at > 0 && step.has(this.#codes[at - 1]!)) this.#push(step.next, at - 1);
          } else if (at < this.#length && step.has(this.#codes[at]!)) this.#push(step.next, at + 1);
          break;
        case 'either':
          this.#push(step.second, at);
          this.#push(step.first, at);
          break;
        case 'anchor':
          if (this.#holds(step.anchor, at)) this.#push(step.next, at);
          break;
        case 'look':
          if (this.#explore(step.body, at, true) >= 0 !== step.negative) this.#push(step.next, at);
          break;
        case 'atomic': {
          const end = this.#explore(step.body, at, true);
          if (end >= 0) this.#push(step.next, end);
        }
      }
    }
    return -1;
  }

  /** Remembers the end for every step on the way. */
  #succeed(bottom: number, end: number): number {
    const count = this.program.steps.length;
    while (this.#top > bottom) {
      const at = this.#stack[--this.#top]!;
      const number = this.#stack[--this.#top]!;
      if (number >= 0) continue;
      (this.#ends[Math.floor(at / pageLength)] ??= new Map<number, number>()).set(at * count + ~number, end);
      // A step that came round to one on the way was given up there, and may succeed by it.
      if (this.program.hasEmptyLoops) this.#clear(at);
    }
    return end;
  }

  #holds(anchor: string, at: number): boolean {
    const length = this.#length;
    const codes = this.#codes;
    switch (anchor) {
      case 'text start':
        return at === 0;
      case 'text end':
        return at === length;
      case 'last line end':
        return at === length || (at === length - 1 && codes[at] === 10);
      case 'line start':
        return at === 0 || (at < length && codes[at - 1] === 10);
      case 'line end':
        return at === length || codes[at] === 10;
    }
    const { isWord } = this.program;
    const boundary = (at > 0 && isWord(codes[at - 1]!)) !== (at < length && isWord(codes[at]!));
    return boundary === (anchor === 'word boundary');
  }
}

const tooMuchWork = (): InputError =>
  new InputError({
    message: `A pattern of the tokenizer takes more than ${stepsAnyway} steps and ${stepsPerCharacter} for each character of the text.`,
    where: 'tokenizer.json',
    hint: 'Send another text, or use a tokenizer with simpler patterns.',
  });

/** What a search found. */
export interface Found {
  /** Starts and ends of the matches in UTF-16 units, in turn. */
  readonly ranges: number[];
  /** Steps that the search took, a measure of its work. */
  readonly steps: number;
}

/**
 * Finds all matches in a text, leftmost first, without overlap. As in Rust's bindings of Oniguruma, an empty match does
 * not follow right after another match.
 *
 * @throws {InputError} if the text takes more than a million steps and 200 a character
 */
export function findAll(program: Program, text: string): Found {
  const codes = new Int32Array(text.length);
  const units = new Int32Array(text.length + 1);
  let length = 0;
  for (let unit = 0; unit < text.length; length++) {
    const code = text.codePointAt(unit)!;
    codes[length] = code;
    units[length] = unit;
    unit += code > 0xffff ? 2 : 1;
  }
  units[length] = text.length;
  const run = new Run(program, codes, length);
  const ranges: number[] = [];
  let lastEnd = -1;
  for (let at = 0; at <= length;) {
    const end = run.matchAt(at);
    if (end < 0 || (end === at && at === lastEnd)) {
      at++;
      continue;
    }
    ranges.push(units[at]!, units[end]!);
    lastEnd = end;
    at = end;
  }
  return { ranges, steps: run.steps };
}
