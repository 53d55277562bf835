import { admit } from './meter.js';
import { isStr, Text, textOf, type Str, type Value } from './values.js';

// Letters of masks.
const none = '-';
const marked = 'x';

/** The mask of a string; made of zeros if nothing in it is marked. */
const maskOf = (value: Str): string =>
  typeof value === 'string' ? none.repeat(value.length) : (value.mask ?? none.repeat(value.text.length));

export const isMarkup = (value: Value): boolean => value instanceof Text && value.isMarkup;

const isMarked = (value: Str): value is Text & { readonly mask: string } =>
  typeof value !== 'string' && value.mask !== undefined;

/** A string with the given mask. */
export const makeText = (text: string, mask: string | undefined, markup = false): Str =>
  mask === undefined && !markup ? text : new Text(text, mask, markup);

/** A string of which all characters are marked. */
export const markedText = (text: string): Str =>
  text === '' ? text : new Text(text, marked.repeat(text.length), false);

export const asMarkup = (value: Str): Str =>
  isMarkup(value) ? value : new Text(textOf(value), typeof value === 'string' ? undefined : value.mask, true);

/** A plain `str` again, with its marks. */
export const unmarkup = (value: Str): Str =>
  value instanceof Text && value.isMarkup ? makeText(value.text, value.mask) : value;

/** Units `start` to `end` of a string; the result is no markup. */
export function sliced(value: Str, start: number, end: number = textOf(value).length): Str {
  if (typeof value === 'string') return value.slice(start, end);
  return makeText(value.text.slice(start, end), value.mask?.slice(start, end));
}

/** Strings one after another; the result is no markup. */
export function joined(parts: readonly Str[], separator: Str = ''): Str {
  let length = textOf(separator).length * Math.max(0, parts.length - 1);
  let marks = isMarked(separator) && parts.length > 1;
  for (const part of parts) {
    length += textOf(part).length;
    marks ||= isMarked(part);
  }
  admit(length);
  const text = parts.map(textOf).join(textOf(separator));
  return marks ? makeText(text, parts.map(maskOf).join(maskOf(separator))) : text;
}

/** The same text made from another: marked as a whole if anything in the origins is. */
export function derived(text: string, ...origins: readonly Value[]): Str {
  admit(text.length);
  const marks = origins.some((origin) => isStr(origin) && isMarked(origin) && origin.mask.includes(marked));
  return marks ? markedText(text) : text;
}

/** A string with all matches exchanged; what stands for a marked character is marked. */
export function exchanged(value: Str, pattern: RegExp, change: (match: string) => string): Str {
  const text = textOf(value);
  admit(text.length);
  if (!isMarked(value)) {
    const changed = text.replace(pattern, change);
    admit(changed.length);
    return changed;
  }
  const parts: Str[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(sliced(value, end, match.index));
    end = match.index + match[0].length;
    parts.push(derived(change(match[0]), sliced(value, match.index, end)));
  }
  parts.push(sliced(value, end));
  return joined(parts);
}

/** A string changed by a function of the whole text that keeps the order of characters, as a change of case does. */
export function changedInPlace(value: Str, change: (text: string) => string): Str {
  const text = textOf(value);
  const whole = change(text);
  admit(whole.length);
  if (!isMarked(value)) return whole;
  if (whole.length === text.length) return makeText(whole, value.mask);
  let mask = '';
  let at = 0;
  for (const character of text) {
    const mark = value.mask.charAt(at);
    mask += mark.repeat(change(character).length);
    at += character.length;
  }
  return mask.length === whole.length ? makeText(whole, mask) : markedText(whole);
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

/** Safe HTML of a string, as MarkupSafe escapes it; markup stays as it is. */
export const escaped = (value: Str): Str =>
  isMarkup(value) ? value : asMarkup(exchanged(value, /[&<>'"]/g, (character) => escapes[character] ?? ''));

/** Concatenation by `+`: of markup and a string, the latter is escaped. */
export function concatenated(left: Str, right: Str): Str {
  if (!isMarkup(left) && !isMarkup(right)) return joined([left, right]);
  return asMarkup(joined([escaped(left), escaped(right)]));
}

const surrogate = /[\uD800-\uDBFF][\uDC00-\uDFFF]/;
let last: { readonly text: string; readonly offsets: Int32Array } | undefined;

/** Units at which the code points of a text begin, and its end; undefined if every code point is one unit. */
function offsetsOf(text: string): Int32Array | undefined {
  if (last?.text === text) return last.offsets;
  admit(text.length);
  if (!surrogate.test(text)) return undefined;
  const offsets = new Int32Array(text.length + 1);
  let count = 0;
  let at = 0;
  for (const character of text) {
    offsets[count++] = at;
    at += character.length;
  }
  offsets[count] = at;
  // Loops over the characters of a text ask again and again.
  last = { text, offsets: offsets.slice(0, count + 1) };
  return last.offsets;
}

/** Length in code points, as Python counts. */
export function lengthOf(value: Str): number {
  const text = textOf(value);
  const offsets = offsetsOf(text);
  return offsets ? offsets.length - 1 : text.length;
}

/** The unit at which a code point begins. */
export function unitAt(text: string, point: number): number {
  const offsets = offsetsOf(text);
  if (!offsets) return Math.min(Math.max(point, 0), text.length);
  return offsets[Math.min(Math.max(point, 0), offsets.length - 1)] ?? text.length;
}

/** The code point that begins at a unit. */
export function pointAt(text: string, unit: number): number {
  const offsets = offsetsOf(text);
  if (!offsets) return unit;
  let [low, high] = [0, offsets.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? 0) < unit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The code points of a string, each a string. */
export function characters(value: Str): Str[] {
  const text = textOf(value);
  admit(text.length * 32);
  if (typeof value === 'string') return Array.from(value);
  let at = 0;
  return Array.from(text, (character) => sliced(value, at, (at += character.length)));
}

/** Runs of characters of one origin. */
export function runsOf(value: Str): { readonly text: string; readonly marked: boolean }[] {
  const text = textOf(value);
  if (text === '') return [];
  if (!isMarked(value)) return [{ text, marked: false }];
  return Array.from(value.mask.matchAll(/-+|x+/g), (match) => ({
    text: text.slice(match.index, match.index + match[0].length),
    marked: match[0].startsWith(marked),
  }));
}
