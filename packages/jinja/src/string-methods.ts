import { bind, define, type Definition } from './call.js';
import {
  capitalized,
  classes,
  folded,
  lineBreaks,
  lower,
  swapped,
  titled,
  upper,
  whiteSpace,
} from './casing.js';
import { padded } from './format-spec.js';
import { itemsOf } from './iteration.js';
import { admit, charge } from './meter.js';
import { indexOf, intOf, isInt } from './numbers.js';
import { equals, findItem } from './operators.js';
import { PyError } from './py-error.js';
import {
  asMarkup,
  characters,
  escaped,
  isMarkup,
  joined,
  lengthOf,
  pointAt,
  sliced,
  unitAt,
} from './text.js';
import { isStr, textOf, Tuple, typeName, type Keywords, type Str, type Value } from './values.js';

function needStr(value: Value | undefined, where: string): Str {
  if (value !== undefined && isStr(value)) return value;
  throw new PyError('TypeError', `${where} must be str, not ${typeName(value ?? null)}`);
}

const countOf = (value: Value | undefined): number => (value === undefined ? -1 : indexOf(value));

const isSpace = new RegExp(`^[${whiteSpace}]$`);

/** `str.strip` and its halves. */
export function stripped(value: Str, chars: Value, sides: 'both' | 'left' | 'right' = 'both'): Str {
  const text = textOf(value);
  if (chars !== null && !isStr(chars)) throw new PyError('TypeError', 'strip arg must be None or str');
  charge(text.length >> 5);
  const set = chars === null ? undefined : new Set(textOf(chars));
  const strips = (character: string): boolean => (set ? set.has(character) : isSpace.test(character));
  let [start, end] = [0, text.length];
  if (sides !== 'right')
    for (const character of text) {
      if (!strips(character)) break;
      start += character.length;
    }
  if (sides !== 'left')
    while (end > start) {
      const pair = end - 2 >= start ? text.slice(end - 2, end) : '';
      const last = pair.length === 2 && (pair.codePointAt(0) ?? 0) > 0xffff ? pair : text.charAt(end - 1);
      if (!strips(last)) break;
      end -= last.length;
    }
  return sliced(value, start, end);
}

/** Where a separator stands, as ranges of units; at most `most` of them. */
function separators(text: string, separator: string, most: number): [start: number, end: number][] {
  const found: [number, number][] = [];
  let at = text.indexOf(separator);
  while (at >= 0 && found.length !== most) {
    charge(1);
    found.push([at, at + separator.length]);
    at = text.indexOf(separator, at + separator.length);
  }
  return found;
}

function separatorsFromEnd(text: string, separator: string, most: number): [start: number, end: number][] {
  const found: [number, number][] = [];
  let end = text.length;
  while (found.length !== most && end >= separator.length) {
    const at = text.lastIndexOf(separator, end - separator.length);
    if (at < 0) break;
    charge(1);
    found.unshift([at, at + separator.length]);
    end = at;
  }
  return found;
}

const between = (value: Str, cuts: readonly (readonly [number, number])[]): Str[] =>
  [...cuts, [textOf(value).length, 0] as const].map(([start], at) =>
    sliced(value, cuts[at - 1]?.[1] ?? 0, start),
  );

function split(value: Str, separator: Value, most: number, fromEnd: boolean): Str[] {
  const text = textOf(value);
  charge(text.length >> 5);
  if (separator === null) return fromEnd ? wordsFromEnd(value, most) : words(value, most);
  const by = textOf(needStr(separator, 'separator'));
  if (by === '') throw new PyError('ValueError', 'empty separator');
  return between(value, (fromEnd ? separatorsFromEnd : separators)(text, by, most));
}

function words(value: Str, most: number): Str[] {
  const text = textOf(value);
  const pattern = new RegExp(`[^${whiteSpace}]+`, 'g');
  const result: Str[] = [];
  for (const match of text.matchAll(pattern)) {
    charge(1);
    if (result.length === most) {
      result.push(sliced(value, match.index));
      break;
    }
    result.push(sliced(value, match.index, match.index + match[0].length));
  }
  return result;
}

function wordsFromEnd(value: Str, most: number): Str[] {
  const ranges = Array.from(
    textOf(value).matchAll(new RegExp(`[^${whiteSpace}]+`, 'g')),
    (match) => [match.index, match.index + match[0].length] as const,
  );
  charge(ranges.length);
  if (most < 0 || ranges.length <= most) return ranges.map(([start, end]) => sliced(value, start, end));
  const kept = ranges.slice(ranges.length - most);
  const rest = ranges[ranges.length - most - 1];
  const head = rest ? [stripped(sliced(value, 0, rest[1]), null, 'right')] : [];
  return [...head, ...kept.map(([start, end]) => sliced(value, start, end))];
}

const lineEnd = new RegExp(`\\r\\n|[${lineBreaks}]`, 'g');

/** `str.splitlines`. */
export function lines(value: Str, keepEnds = false): Str[] {
  const text = textOf(value);
  charge(text.length >> 5);
  const result: Str[] = [];
  let start = 0;
  for (const match of text.matchAll(lineEnd)) {
    charge(1);
    const end = match.index + match[0].length;
    result.push(sliced(value, start, keepEnds ? end : match.index));
    start = end;
  }
  if (start < text.length) result.push(sliced(value, start));
  return result;
}

/** `str.replace`; a negative count stands for all. */
export function replaced(value: Str, old: Str, fresh: Str, count: number): Str {
  const text = textOf(value);
  const by = textOf(old);
  if (by !== '') {
    const cuts = separators(text, by, count);
    return joined(between(value, cuts), cuts.length > 0 ? fresh : '');
  }
  const letters = characters(value);
  const times = count < 0 ? letters.length + 1 : Math.min(count, letters.length + 1);
  return joined(
    letters
      .flatMap((letter, at) => (at < times ? [fresh, letter] : [letter]))
      .concat(times > letters.length ? [fresh] : []),
  );
}

/** `str.join`. */
export function joinedBy(separator: Str, items: Value): Str {
  const parts = itemsOf(items).map((part, at) => {
    if (isStr(part)) return part;
    throw new PyError('TypeError', `sequence item ${at}: expected str instance, ${typeName(part)} found`);
  });
  if (!isMarkup(separator)) {
    const only = parts.length === 1 ? parts[0] : undefined;
    return only ?? joined(parts, separator);
  }
  return asMarkup(joined(parts.map(escaped), separator));
}

/** Units of the part of a text that optional bounds, in code points, leave. */
function part(value: Str, start: Value | undefined, end: Value | undefined): [number, number] | undefined {
  if ((start ?? null) === null && (end ?? null) === null) return [0, textOf(value).length];
  const length = lengthOf(value);
  const bound = (given: Value | undefined, otherwise: number): number => {
    if (given === undefined || given === null) return otherwise;
    if (!isInt(given))
      throw new PyError('TypeError', 'slice indices must be integers or None or have an __index__ method');
    const at = Number(intOf(given));
    return at < 0 ? Math.max(0, at + length) : at;
  };
  const [from, to] = [bound(start, 0), Math.min(bound(end, length), length)];
  if (from > to) return undefined;
  return [unitAt(textOf(value), from), unitAt(textOf(value), to)];
}

function found(
  value: Str,
  sought: Value | undefined,
  start: Value | undefined,
  end: Value | undefined,
  last: boolean,
): number {
  const by = textOf(needStr(sought, 'argument'));
  const range = part(value, start, end);
  if (!range) return -1;
  const text = textOf(value);
  charge(text.length >> 5);
  const within = text.slice(...range);
  const at = last ? within.lastIndexOf(by) : within.indexOf(by);
  return at < 0 ? -1 : pointAt(text, range[0] + at);
}

function foundOrError(...args: Parameters<typeof found>): number {
  const at = found(...args);
  if (at < 0) throw new PyError('ValueError', 'substring not found');
  return at;
}

function occurrences(
  value: Str,
  sought: Value | undefined,
  start: Value | undefined,
  end: Value | undefined,
): number {
  const by = textOf(needStr(sought, 'argument'));
  const range = part(value, start, end);
  if (!range) return 0;
  const within = textOf(value).slice(...range);
  charge(within.length >> 5);
  return by === '' ? lengthOf(within) + 1 : separators(within, by, -1).length;
}

function affixed(
  name: 'startswith' | 'endswith',
  value: Str,
  sought: Value | undefined,
  start: Value | undefined,
  end: Value | undefined,
): boolean {
  const options = sought instanceof Tuple ? sought.items : [sought ?? null];
  const texts = options.map((option) => {
    if (isStr(option)) return textOf(option);
    throw new PyError(
      'TypeError',
      `${name} first arg must be str or a tuple of str, not ${typeName(option)}`,
    );
  });
  const range = part(value, start, end);
  if (!range) return false;
  const within = textOf(value).slice(...range);
  return texts.some((text) => (name === 'startswith' ? within.startsWith(text) : within.endsWith(text)));
}

function partitioned(value: Str, separator: Value | undefined, fromEnd: boolean): Tuple {
  const by = needStr(separator, 'argument');
  if (textOf(by) === '') throw new PyError('ValueError', 'empty separator');
  const text = textOf(value);
  charge(text.length >> 5);
  const at = fromEnd ? text.lastIndexOf(textOf(by)) : text.indexOf(textOf(by));
  if (at < 0) return new Tuple(fromEnd ? ['', '', sliced(value, 0)] : [sliced(value, 0), '', '']);
  const end = at + textOf(by).length;
  return new Tuple([sliced(value, 0, at), sliced(value, at, end), sliced(value, end)]);
}

function field(value: Str, width: Value | undefined, fill: Value | undefined, align: '<' | '>' | '^'): Str {
  const by = fill === undefined ? ' ' : needStr(fill, 'The fill character');
  if (lengthOf(by) !== 1)
    throw new PyError('TypeError', 'The fill character must be exactly one character long');
  const columns = indexOf(width ?? null);
  if (align !== '^') return padded(value, by, align, columns);
  // CPython puts the odd column to the left where both numbers are odd.
  const room = columns - lengthOf(value);
  if (room <= 0) return sliced(value, 0);
  const left = Math.floor(room / 2) + (room & columns & 1);
  return padded(padded(value, by, '>', columns - room + left), by, '<', columns);
}

function expanded(value: Str, size: Value | undefined): Str {
  const columns = size === undefined ? 8 : indexOf(size);
  let column = 0;
  return joined(
    characters(value).map((character) => {
      const text = textOf(character);
      if (text === '\t') {
        const width = columns > 0 ? columns - (column % columns) : 0;
        admit(width);
        column += width;
        return ' '.repeat(width);
      }
      column = text === '\n' || text === '\r' ? 0 : column + 1;
      return character;
    }),
  );
}

function zeroFilled(value: Str, width: number): Str {
  const text = textOf(value);
  const sign = /^[+-]/.test(text) ? 1 : 0;
  const room = width - lengthOf(value);
  if (room <= 0) return sliced(value, 0);
  admit(width);
  return joined([sliced(value, 0, sign), '0'.repeat(room), sliced(value, sign)]);
}

function translated(value: Str, table: Value | undefined): Str {
  return joined(
    characters(value).map((character) => {
      const by = findItem(table ?? null, textOf(character).codePointAt(0) ?? 0);
      if (by === undefined) return character;
      if (by === null) return '';
      return isStr(by) ? by : String.fromCodePoint(indexOf(by));
    }),
  );
}

type Method = Definition<Str>;
const text = (signature: string, body: Method['body']): Method => define<Str>(signature, body);

/** Methods that give a `str`: of markup they give markup. */
const makingText: Readonly<Record<string, Method>> = {
  capitalize: text('/', capitalized),
  casefold: text('/', folded),
  center: text('/, width, fill?', (self, width, fill) => field(self, width, fill, '^')),
  expandtabs: text('tabsize?', expanded),
  join: text('/, iterable', (self, items) => joinedBy(self, items ?? null)),
  ljust: text('/, width, fill?', (self, width, fill) => field(self, width, fill, '<')),
  lower: text('/', lower),
  lstrip: text('/, chars?', (self, chars) => stripped(self, chars ?? null, 'left')),
  removeprefix: text('/, prefix', (self, prefix) => {
    const by = textOf(needStr(prefix, 'removeprefix() argument'));
    return sliced(self, textOf(self).startsWith(by) ? by.length : 0);
  }),
  removesuffix: text('/, suffix', (self, suffix) => {
    const by = textOf(needStr(suffix, 'removesuffix() argument'));
    return sliced(self, 0, textOf(self).length - (textOf(self).endsWith(by) ? by.length : 0));
  }),
  replace: text('/, old, new, count?', (self, old, fresh, count) => {
    const by = needStr(fresh, 'replace() argument 2');
    return replaced(
      self,
      needStr(old, 'replace() argument 1'),
      isMarkup(self) ? escaped(by) : by,
      countOf(count),
    );
  }),
  rjust: text('/, width, fill?', (self, width, fill) => field(self, width, fill, '>')),
  rstrip: text('/, chars?', (self, chars) => stripped(self, chars ?? null, 'right')),
  strip: text('/, chars?', (self, chars) => stripped(self, chars ?? null)),
  swapcase: text('/', swapped),
  title: text('/', titled),
  translate: text('/, table', translated),
  upper: text('/', upper),
  zfill: text('/, width', (self, width) => zeroFilled(self, indexOf(width ?? null))),
};

const otherMethods: Readonly<Record<string, Method>> = {
  count: text('/, sub, start?, end?', occurrences),
  endswith: text('/, suffix, start?, end?', (self, ...args) =>
    affixed('endswith', self, args[0], args[1], args[2]),
  ),
  find: text('/, sub, start?, end?', (self, ...args) => found(self, args[0], args[1], args[2], false)),
  index: text('/, sub, start?, end?', (self, ...args) =>
    foundOrError(self, args[0], args[1], args[2], false),
  ),
  partition: text('/, sep', (self, by) => partitioned(self, by, false)),
  rfind: text('/, sub, start?, end?', (self, ...args) => found(self, args[0], args[1], args[2], true)),
  rindex: text('/, sub, start?, end?', (self, ...args) =>
    foundOrError(self, args[0], args[1], args[2], true),
  ),
  rpartition: text('/, sep', (self, by) => partitioned(self, by, true)),
  rsplit: text('sep?, maxsplit?', (self, by, most) => split(self, by ?? null, countOf(most), true)),
  split: text('sep?, maxsplit?', (self, by, most) => split(self, by ?? null, countOf(most), false)),
  splitlines: text('keepends?', (self, keep) => lines(self, keep !== undefined && !equals(keep, 0))),
  startswith: text('/, prefix, start?, end?', (self, ...args) =>
    affixed('startswith', self, args[0], args[1], args[2]),
  ),
};

/** Names of the methods of `str`, but `format` and `format_map`. */
export const stringMethodNames: ReadonlySet<string> = new Set([
  ...Object.keys(makingText),
  ...Object.keys(otherMethods),
  ...Object.keys(classes),
]);

/** Calls a method of `str`. */
export function callStringMethod(self: Str, name: string, args: readonly Value[], keywords: Keywords): Value {
  charge(1 + (textOf(self).length >> 5));
  const call = (method: Method): Value => method.body(self, ...bind(name, method.signature, args, keywords));
  const making = Object.hasOwn(makingText, name) ? makingText[name] : undefined;
  if (making) {
    const result = call(making);
    return isMarkup(self) && isStr(result) ? asMarkup(result) : result;
  }
  const test = Object.hasOwn(classes, name) ? classes[name] : undefined;
  if (test) {
    bind(name, [], args, keywords);
    return test(textOf(self));
  }
  const method = otherMethods[name];
  if (!method) throw new PyError('AttributeError', `'str' object has no attribute '${name}'`);
  const result = call(method);
  if (!isMarkup(self)) return result;
  const marked = (value: Value): Value => (isStr(value) ? asMarkup(value) : value);
  if (Array.isArray(result)) return result.map(marked);
  return result instanceof Tuple ? new Tuple(result.items.map(marked)) : result;
}
