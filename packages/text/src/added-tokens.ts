import { Automaton } from './automaton.js';
import type { LiteralText } from './literal-text.js';

/** A token that is found in the text before any other step: a control token, a placeholder, or a whole word. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Found only where no word character touches it. */
  readonly singleWord: boolean;
  /** Takes the white space on its left with it. */
  readonly lstrip: boolean;
  /** Takes the white space on its right with it. */
  readonly rstrip: boolean;
  /** Searched in the normalised text instead of the raw one. */
  readonly normalized: boolean;
  /** A control token, never produced by ordinary text. */
  readonly special: boolean;
}

/** One piece of a split text: an added token, or a run of ordinary text. */
export interface TextPiece {
  readonly start: number;
  readonly end: number;
  /** Undefined for ordinary text. */
  readonly token: AddedToken | undefined;
}

// Rust's \w: joiners belong to words.
const wordCharacter = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

const isSpace = (text: string, at: number): boolean => /\p{White_Space}/u.test(text.charAt(at));

function spaceBefore(text: string, end: number, floor: number): number {
  let start = end;
  while (start > floor && isSpace(text, start - 1)) start--;
  return Math.max(start, floor);
}

const touchesWord = (text: string, start: number, end: number): boolean => {
  const before = [...text.slice(Math.max(0, start - 2), start)].at(-1) ?? '';
  const after = [...text.slice(end, end + 2)][0] ?? '';
  return wordCharacter.test(before) || wordCharacter.test(after);
};

/** Occurrences of the searched texts by their start, the longest of each start first. */
class Occurrences {
  readonly #last: Int32Array;
  readonly #shorter: number[] = [];
  readonly #ends: number[] = [];
  readonly #tokens: number[] = [];

  constructor(automaton: Automaton, text: string) {
    this.#last = new Int32Array(text.length).fill(-1);
    automaton.scan(text, (token, start, end) => {
      this.#shorter.push(this.#last[start]!);
      this.#last[start] = this.#ends.push(end) - 1;
      this.#tokens.push(token);
    });
  }

  get none(): boolean {
    return this.#ends.length === 0;
  }

  *at(start: number): Generator<readonly [token: number, end: number]> {
    for (let match = this.#last[start]!; match >= 0; match = this.#shorter[match]!)
      yield [this.#tokens[match]!, this.#ends[match]!];
  }

  isStart(at: number): boolean {
    return this.#last[at]! >= 0;
  }
}

/**
 * Builds the search for added tokens: leftmost, then longest, as the `tokenizers` library does. The work grows with the
 * length of the text, whatever the tokens.
 *
 * @param tokens - tokens with the text to search for (`pattern`), which differs from their content after normalisation.
 * @returns a function that splits a text. Special tokens that touch `literal` text are left in the text.
 */
export function addedTokenSplitter(
  tokens: readonly { readonly pattern: string; readonly token: AddedToken }[],
): (text: string, literal: LiteralText) => TextPiece[] {
  // The first of several tokens with one text counts; the automaton keeps the last.
  const automaton = new Automaton(tokens.map(({ pattern }, at) => [pattern, at] as const).reverse());

  return (text, literal) => {
    const occurrences = new Occurrences(automaton, text);
    const pieces: TextPiece[] = [];
    let done = 0;
    let spaceEnd = 0;
    const spaceAfter = (start: number): number => {
      // A run of white space is looked at once, however many tokens end in it.
      spaceEnd = Math.max(spaceEnd, start);
      while (spaceEnd < text.length && isSpace(text, spaceEnd)) spaceEnd++;
      return spaceEnd;
    };
    for (let at = 0; at < text.length && !occurrences.none;) {
      if (!occurrences.isStart(at)) {
        at++;
        continue;
      }
      let longest: { token: AddedToken; end: number } | undefined;
      let match: { token: AddedToken; end: number } | undefined;
      for (const [number, end] of occurrences.at(at)) {
        const { token } = tokens[number]!;
        longest ??= { token, end };
        if (token.special && literal.overlaps(at, end)) continue;
        match = { token, end };
        break;
      }
      // The text of a special token that stands in literal text is used up, as with split_special_tokens.
      const usedUp = longest?.token.special && literal.covers(at, longest.end);
      if (!match || usedUp) {
        at = usedUp ? longest!.end : at + 1;
        continue;
      }
      const { token, end } = match;
      const found = at;
      at = end;
      if (token.singleWord && touchesWord(text, found, end)) continue;
      const start = token.lstrip ? spaceBefore(text, found, done) : found;
      const stop = token.rstrip ? spaceAfter(end) : end;
      if (done < start) pieces.push({ start: done, end: start, token: undefined });
      pieces.push({ start, end: stop, token });
      done = stop;
    }
    if (done < text.length) pieces.push({ start: done, end: text.length, token: undefined });
    return pieces;
  };
}
