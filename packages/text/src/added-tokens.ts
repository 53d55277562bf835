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

/** Half-open range `[start, end)` of UTF-16 units. */
export type TextRange = readonly [start: number, end: number];

/** One piece of a split text: an added token, or a run of ordinary text. */
export interface TextPiece {
  readonly start: number;
  readonly end: number;
  /** Undefined for ordinary text. */
  readonly token: AddedToken | undefined;
}

interface TrieNode {
  readonly children: Map<string, TrieNode>;
  token?: AddedToken;
}

const wordCharacter = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;
const leadingSpace = /^\p{White_Space}*/u;

const overlaps = (ranges: readonly TextRange[], start: number, end: number): boolean =>
  ranges.some(([from, to]) => start < to && from < end);

const covers = (ranges: readonly TextRange[], start: number, end: number): boolean =>
  ranges.some(([from, to]) => from <= start && end <= to);

function spaceBefore(text: string, end: number, floor: number): number {
  let start = end;
  while (start > floor && /\p{White_Space}/u.test(text.charAt(start - 1))) start--;
  return start;
}

const touchesWord = (text: string, start: number, end: number): boolean => {
  const before = [...text.slice(Math.max(0, start - 2), start)].at(-1) ?? '';
  const after = [...text.slice(end, end + 2)][0] ?? '';
  return wordCharacter.test(before) || wordCharacter.test(after);
};

/**
 * Builds the search for added tokens: leftmost, then longest, as the `tokenizers` library does.
 *
 * @param tokens - tokens with the text to search for (`pattern`), which differs from their content after normalisation.
 * @returns a function that splits a text. Special tokens that touch a `literal` range are left in the text.
 */
export function addedTokenSplitter(
  tokens: readonly { readonly pattern: string; readonly token: AddedToken }[],
): (text: string, literal: readonly TextRange[]) => TextPiece[] {
  const root: TrieNode = { children: new Map() };
  for (const { pattern, token } of tokens) {
    if (pattern === '') continue;
    let node = root;
    for (const unit of pattern.split('')) {
      const next: TrieNode = node.children.get(unit) ?? { children: new Map() };
      node.children.set(unit, next);
      node = next;
    }
    node.token ??= token;
  }

  const matchesAt = (text: string, start: number): { token: AddedToken; end: number }[] => {
    const found: { token: AddedToken; end: number }[] = [];
    let node = root.children.get(text.charAt(start));
    for (let end = start + 1; node; end++) {
      if (node.token) found.unshift({ token: node.token, end });
      node = end < text.length ? node.children.get(text.charAt(end)) : undefined;
    }
    return found;
  };

  return (text, literal) => {
    const pieces: TextPiece[] = [];
    let done = 0;
    let at = 0;
    while (at < text.length) {
      const found = matchesAt(text, at);
      const longest = found[0];
      if (!longest) {
        at++;
        continue;
      }
      const match = found.find(({ token, end }) => !token.special || !overlaps(literal, at, end));
      // The text of a special token that stands in literal text is used up, as with split_special_tokens.
      const usedUp = longest.token.special && covers(literal, at, longest.end);
      if (!match || usedUp) {
        at = usedUp ? longest.end : at + 1;
        continue;
      }
      if (match.token.singleWord && touchesWord(text, at, match.end)) {
        at = match.end;
        continue;
      }
      const start = match.token.lstrip ? spaceBefore(text, at, done) : at;
      const end =
        match.end + (match.token.rstrip ? (leadingSpace.exec(text.slice(match.end))?.[0].length ?? 0) : 0);
      if (done < start) pieces.push({ start: done, end: start, token: undefined });
      pieces.push({ start, end, token: match.token });
      done = end;
      at = end;
    }
    if (done < text.length) pieces.push({ start: done, end: text.length, token: undefined });
    return pieces;
  };
}
