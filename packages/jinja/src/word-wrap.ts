import { charge } from './meter.js';
import { PyError } from './py-error.js';
import { joined, lengthOf, sliced, unitAt } from './text.js';
import { textOf, type Str } from './values.js';

const letter = '[\\p{L}_]';
const ends = '[\\p{L}\\p{N}_!"\'&.,?]';

/** Where `textwrap` may break a text: around white space, after hyphens within words, and around dashes. */
const pieces = new RegExp(
  `[\\t\\n\\v\\f\\r ]+|(?<=${ends})-{2,}(?=[\\p{L}\\p{N}_])|[^\\t\\n\\v\\f\\r ]+?(?:-(?:(?<=${letter}{2}-)|(?<=${letter}-${letter}-))(?=${letter}-?${letter})|(?=[\\t\\n\\v\\f\\r ]|$)|(?<=${ends})(?=-{2,}[\\p{L}\\p{N}_]))`,
  'gu',
);
const simplePieces = /[\t\n\v\f\r ]+|[^\t\n\v\f\r ]+/g;

const isBlank = (piece: Str): boolean => textOf(piece).trim() === '';

/** Lines of at most `width` characters, as `textwrap.wrap` makes them without changing white space. */
export function wrapped(value: Str, width: number, breakLong: boolean, breakHyphens: boolean): Str[] {
  if (width <= 0) throw new PyError('ValueError', `invalid width ${width} (must be > 0)`);
  const text = textOf(value);
  const left = Array.from(text.matchAll(breakHyphens ? pieces : simplePieces), (match) =>
    sliced(value, match.index, match.index + match[0].length),
  ).reverse();
  const result: Str[] = [];
  while (left.length > 0) {
    charge(1);
    const line: Str[] = [];
    let length = 0;
    if (result.length > 0 && isBlank(left.at(-1) ?? '')) left.pop();
    for (let piece = left.at(-1); piece !== undefined; piece = left.at(-1)) {
      const size = lengthOf(piece);
      if (length + size > width) break;
      line.push(piece);
      left.pop();
      length += size;
    }
    const next = left.at(-1);
    if (next !== undefined && lengthOf(next) > width) {
      const room = width - length;
      if (breakLong) {
        left.pop();
        const cut = breakPoint(next, room, breakHyphens);
        line.push(sliced(next, 0, cut));
        left.push(sliced(next, cut));
      } else if (line.length === 0) {
        left.pop();
        line.push(next);
      }
    }
    if (line.length > 0 && isBlank(line.at(-1) ?? '')) line.pop();
    if (line.length > 0) result.push(joined(line));
  }
  return result;
}

/** The unit at which a word that is too long is cut: after a hyphen where there is one. */
function breakPoint(word: Str, room: number, breakHyphens: boolean): number {
  const text = textOf(word);
  const end = unitAt(text, room);
  if (!breakHyphens || lengthOf(word) <= room) return end;
  const hyphen = text.lastIndexOf('-', end - 1);
  return hyphen > 0 && /[^-]/.test(text.slice(0, hyphen)) ? hyphen + 1 : end;
}
