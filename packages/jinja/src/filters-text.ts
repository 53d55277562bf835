import { attributeOnly } from './attributes.js';
import { capitalized, lower, upper, whiteSpace } from './casing.js';
import { fixed, signOf } from './decimal.js';
import type { Environment, EnvironmentFunction } from './environment.js';
import { filterOf } from './filters-sequence.js';
import { itemsIn, itemsOf, sizeOf, truth, unpacked } from './iteration.js';
import { admit } from './meter.js';
import {
  arithmetic,
  floatOf,
  indexOf,
  intOf,
  isInt,
  isNumber,
  rounded,
  truncated,
  type Int,
} from './numbers.js';
import { operate, sorted, toFloat } from './operators.js';
import { integerFrom } from './parse-number.js';
import { percentFormat } from './percent.js';
import { pretty } from './pretty.js';
import { softStr, str, toJson } from './printing.js';
import { isPyError, PyError } from './py-error.js';
import { callStringMethod, lines, replaced, stripped } from './string-methods.js';
import {
  asMarkup,
  changedInPlace,
  derived,
  escaped,
  isMarkup,
  joined,
  lengthOf,
  sliced,
  unitAt,
  unmarkup,
} from './text.js';
import {
  Dict,
  DictView,
  Float,
  isStr,
  Text,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Keywords,
  type Str,
  type Value,
} from './values.js';
import { wrapped } from './word-wrap.js';
import { urlQuoted } from './url.js';

const none: Keywords = new Map();

/** Keeps a text markup if it was. */
const like = (origin: Str, result: Str): Str => (isMarkup(origin) ? asMarkup(result) : result);

const wordBreaks = new RegExp(`[-${whiteSpace}({\\[<]+`, 'g');

/** The filter `title`: words begin after white space, hyphens and opening brackets. */
const titled = (value: Str): Str =>
  changedInPlace(value, (text) => {
    let result = '';
    let end = 0;
    const word = (piece: string): string => {
      const [first = ''] = piece;
      return first.toUpperCase() + piece.slice(first.length).toLowerCase();
    };
    for (const match of text.matchAll(wordBreaks)) {
      result += word(text.slice(end, match.index)) + match[0];
      end = match.index + match[0].length;
    }
    return result + word(text.slice(end));
  });

function indented(value: Value, width: Value, first: boolean, blank: boolean): Value {
  if (value instanceof Undefined) throw value.error;
  if (!isStr(value))
    throw new PyError('TypeError', `unsupported operand type(s) for +=: '${typeName(value)}' and 'str'`);
  const by = isStr(width) ? width : like(value, spaces(indexOf(width)));
  const rows = lines(joined([value, '\n']));
  const body = blank
    ? joined(rows, joined(['\n', by]))
    : joined(
        rows.map((row, at) => (at > 0 && textOf(row) !== '' ? joined([by, row]) : row)),
        '\n',
      );
  return like(value, first ? joined([by, body]) : body);
}

function spaces(count: number): string {
  admit(Math.max(0, count));
  return ' '.repeat(Math.max(0, count));
}

function truncatedText(value: Value, length: Value, killWords: boolean, end: Value, leeway: Value): Value {
  const [most, room] = [indexOf(length), indexOf(leeway)];
  if (most < sizeOf(end))
    throw new PyError('AssertionError', `expected length >= ${sizeOf(end)}, got ${most}`);
  if (room < 0) throw new PyError('AssertionError', `expected leeway >= 0, got ${room}`);
  if (sizeOf(value) <= most + room) return value;
  if (!isStr(value) || !isStr(end))
    throw new PyError('AttributeError', `'${typeName(value)}' object cannot be truncated`);
  const cut = like(value, sliced(value, 0, unitAt(textOf(value), most - lengthOf(end))));
  if (killWords) return operate('+', cut, end);
  const space = textOf(cut).lastIndexOf(' ');
  return operate('+', space < 0 ? cut : like(value, sliced(cut, 0, space)), end);
}

function toInteger(value: Value, otherwise: Value, base: Value): Value {
  try {
    if (isStr(value)) return integerFrom(textOf(value), indexOf(base));
    return integerOf(value);
  } catch (error) {
    if (!isPyError(error, 'TypeError', 'ValueError')) throw error;
  }
  try {
    return truncated(toFloat(value));
  } catch (error) {
    if (isPyError(error, 'TypeError', 'ValueError', 'OverflowError')) return otherwise;
    throw error;
  }
}

function integerOf(value: Value): Int {
  if (value instanceof Undefined) throw value.error;
  if (isInt(value)) return intOf(value);
  if (value instanceof Float) return truncated(value.value);
  throw new PyError(
    'TypeError',
    `int() argument must be a string or a real number, not '${typeName(value)}'`,
  );
}

function toFloatOr(value: Value, otherwise: Value): Value {
  try {
    return new Float(toFloat(value));
  } catch (error) {
    if (isPyError(error, 'TypeError', 'ValueError')) return otherwise;
    throw error;
  }
}

function roundedBy(value: Value, precision: Value, method: Value): Value {
  const name = isStr(method) ? textOf(method) : '';
  if (!['common', 'ceil', 'floor'].includes(name))
    throw new PyError('FilterArgumentError', 'method must be common, ceil or floor');
  if (name === 'common') {
    if (!isNumber(value))
      throw new PyError('TypeError', `type ${typeName(value)} doesn't define __round__ method`);
    if (precision === null && value instanceof Float) return roundedWhole(value);
    return rounded(value, precision === null ? 0 : indexOf(precision));
  }
  const power = operate('**', 10, precision);
  const scaled = operate('*', value, power);
  if (!isNumber(scaled)) throw new PyError('TypeError', `must be real number, not ${typeName(scaled)}`);
  const whole =
    scaled instanceof Float ? truncated(Math[name as 'ceil' | 'floor'](scaled.value)) : intOf(scaled);
  return operate('/', whole, power);
}

const roundedWhole = (value: Float): Value => truncated(floatOf(rounded(value, 0) as Float));

function absolute(value: Value): Value {
  if (value instanceof Float) return new Float(Math.abs(value.value));
  if (!isInt(value)) throw new PyError('TypeError', `bad operand type for abs(): '${typeName(value)}'`);
  const whole = intOf(value);
  return whole < 0 ? (arithmetic('*', whole, -1) ?? whole) : whole;
}

const invalidKey = /[ \t\n\r\f\v/>=]/;

function attributes(environment: Environment, value: Value, autospace: Value): Value {
  if (value instanceof Undefined) throw value.error;
  if (!(value instanceof Dict))
    throw new PyError('AttributeError', `'${typeName(value)}' object has no attribute 'items'`);
  const parts: Str[] = [];
  for (const [key, item] of value.entries()) {
    if (item === null || item instanceof Undefined) continue;
    if (!isStr(key)) throw new PyError('TypeError', 'expected string or bytes-like object');
    if (invalidKey.test(textOf(key))) throw new PyError('ValueError', `Invalid character in attribute name`);
    parts.push(joined([escaped(key), '="', escaped(softStr(item)), '"']));
  }
  const text = joined(parts, ' ');
  const result = truth(autospace) && parts.length > 0 ? joined([' ', text]) : text;
  return environment.autoescape ? asMarkup(result) : result;
}

function withoutTags(value: Str): Str {
  let rest = textOf(value);
  for (const [open, close] of [
    ['<!--', '-->'],
    ['<', '>'],
  ] as const) {
    let kept = '';
    let at = 0;
    for (;;) {
      const start = rest.indexOf(open, at);
      const end = start < 0 ? -1 : rest.indexOf(close, start);
      if (end < 0) break;
      kept += rest.slice(at, start);
      at = end + close.length;
    }
    rest = kept + rest.slice(at);
  }
  const words = rest.split(new RegExp(`[${whiteSpace}]+`)).filter((word) => word !== '');
  return derived(unescapedHtml(words.join(' ')), value);
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\xa0',
};

/** Characters for the references that MarkupSafe writes, and for numbers. */
const unescapedHtml = (text: string): string =>
  text.replace(
    /&(?:#(\d+)|#[xX]([\da-fA-F]+)|(\w+));/g,
    (whole, decimal?: string, hex?: string, name?: string) => {
      const code =
        decimal !== undefined ? Number(decimal) : hex !== undefined ? Number.parseInt(hex, 16) : undefined;
      if (code === undefined) return entities[name ?? ''] ?? whole;
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
    },
  );

function fileSize(value: Value, binary: boolean): Value {
  const bytes = toFloat(value);
  const base = binary ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${truncated(bytes)} Bytes`;
  const prefixes = 'KMGTPEZY';
  let at = 0;
  while (at < prefixes.length - 1 && bytes >= base ** (at + 2)) at++;
  const letter = prefixes.charAt(at);
  const unit = binary ? `${letter}iB` : `${at === 0 ? 'k' : letter}B`;
  const number = (base * bytes) / base ** (at + 2);
  return `${signOf(number)}${fixed(number, 1)} ${unit}`;
}

function json(value: Value, ensureAscii: Value, indent: Value, separators: Value, sortKeys: Value): Value {
  const [item, key] = separators === null ? [indent === null ? ', ' : ',', ': '] : pairOf(separators);
  return toJson(value, {
    ensureAscii: truth(ensureAscii),
    indent: indent === null ? undefined : isStr(indent) ? indent : spaces(indexOf(indent)),
    itemSeparator: item,
    keySeparator: key,
    sortedKeys: (keys) => (truth(sortKeys) ? sorted(keys, (key) => key, false) : keys),
  });
}

function pairOf(value: Value): [Str, Str] {
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : [];
  const [first, second] = items;
  if (items.length === 2 && first !== undefined && second !== undefined && isStr(first) && isStr(second))
    return [first, second];
  throw new PyError('ValueError', 'separators must be two strings');
}

function query(value: Value): Value {
  if (isStr(value) || !itemsIn(value)) return urlQuoted(str(value), '/');
  const pairs = value instanceof Dict ? new DictView(value, 'items').items() : itemsOf(value);
  const quoted = (part: Value): Str => replaced(urlQuoted(str(part), ''), '%20', '+', -1);
  return joined(
    pairs.map((pair) => joined(unpacked(pair, 2).map(quoted), '=')),
    '&',
  );
}

function formatted(value: Value, args: readonly Value[], keywords: Keywords): Value {
  if (args.length > 0 && keywords.size > 0)
    throw new PyError(
      'FilterArgumentError',
      "can't handle positional and keyword arguments at the same time",
    );
  const mapping = new Dict();
  for (const [name, item] of keywords) mapping.set(name, item);
  return percentFormat(softStr(value), keywords.size > 0 ? mapping : new Tuple(args));
}

type Definition = readonly [signature: string, body: Parameters<typeof filterOf>[2]];

const definitions: Readonly<Record<string, Definition>> = {
  abs: ['', (_, value) => absolute(value)],
  attr: ['name', (_, value, name = null) => attributeOnly(value, textOf(str(name)))],
  capitalize: ['', (_, value) => like(softStr(value), capitalized(softStr(value)))],
  center: ['width?', (_, value, width = 80) => callStringMethod(softStr(value), 'center', [width], none)],
  default: [
    'default_value?, boolean?',
    (_, value, otherwise = '', boolean = false) =>
      value instanceof Undefined || (truth(boolean) && !truth(value)) ? otherwise : value,
  ],
  escape: ['', (_, value) => escaped(softStr(value))],
  filesizeformat: ['binary?', (_, value, binary = false) => fileSize(value, truth(binary))],
  float: ['default?', (_, value, otherwise = new Float(0)) => toFloatOr(value, otherwise)],
  forceescape: ['', (_, value) => escaped(unmarkup(str(value)))],
  indent: [
    'width?, first?, blank?',
    (_, value, width = 4, first = false, blank = false) => indented(value, width, truth(first), truth(blank)),
  ],
  int: ['default?, base?', (_, value, otherwise = 0, base = 10) => toInteger(value, otherwise, base)],
  lower: ['', (_, value) => like(softStr(value), lower(softStr(value)))],
  pprint: ['', (_, value) => pretty(value)],
  replace: [
    'old, new, count?',
    (environment, value, by = null, to = null, count = null) => {
      const times = count === null ? -1 : indexOf(count);
      if (!environment.autoescape) return replaced(str(value), str(by), str(to), times);
      const isSafe = (given: Value): boolean => isStr(given) && isMarkup(given);
      const text = isSafe(by) || (isSafe(to) && !isSafe(value)) ? escaped(softStr(value)) : softStr(value);
      return callStringMethod(text, 'replace', [softStr(by), softStr(to), times], none);
    },
  ],
  round: [
    'precision?, method?',
    (_, value, precision = 0, method = 'common') => roundedBy(value, precision, method),
  ],
  safe: ['', (_, value) => asMarkup(softStr(value))],
  string: ['', (_, value) => softStr(value)],
  striptags: ['', (_, value) => withoutTags(str(value))],
  title: ['', (_, value) => titled(softStr(value))],
  tojson: [
    'ensure_ascii?, indent?, separators?, sort_keys?',
    (_, value, ascii = false, indent = null, separators = null, sortKeys = false) =>
      json(value, ascii, indent, separators, sortKeys),
  ],
  trim: ['chars?', (_, value, chars = null) => like(softStr(value), stripped(softStr(value), chars))],
  truncate: [
    'length?, killwords?, end?, leeway?',
    (_, value, length = 255, killWords = false, end = '...', leeway = null) =>
      truncatedText(value, length, truth(killWords), end, leeway ?? 5),
  ],
  upper: ['', (_, value) => like(softStr(value), upper(softStr(value)))],
  urlencode: ['', (_, value) => query(value)],
  wordcount: ['', (_, value) => (textOf(softStr(value)).match(/[\p{L}\p{N}_]+/gu) ?? []).length],
  wordwrap: [
    'width?, break_long_words?, wrapstring?, break_on_hyphens?',
    (_, value, width = 79, breakLong = true, by = null, breakHyphens = true) => {
      if (!isStr(value))
        throw new PyError('AttributeError', `'${typeName(value)}' object has no attribute 'splitlines'`);
      const separator = by ?? '\n';
      const rows = lines(value).map((line) =>
        joined(wrapped(line, indexOf(width), truth(breakLong), truth(breakHyphens)), str(separator)),
      );
      return joined(rows, str(separator));
    },
  ],
  xmlattr: [
    'autospace?',
    (environment, value, autospace = true) => attributes(environment, value, autospace),
  ],
};

const aliases = { d: 'default', e: 'escape' } as const;

/** Filters of texts, numbers and single values. */
export const textFilters: Readonly<Record<string, EnvironmentFunction>> = {
  ...Object.fromEntries(
    Object.entries(definitions).map(([name, [signature, body]]) => [name, filterOf(name, signature, body)]),
  ),
  ...Object.fromEntries(
    Object.entries(aliases).map(([alias, name]) => {
      const [signature, body] = definitions[name] as Definition;
      return [alias, filterOf(name, signature, body)];
    }),
  ),
  format: (_, [value = null, ...args], keywords) => formatted(value, args, keywords),
};

/** Whether a value is a text that was marked as safe HTML. */
export const isEscaped = (value: Value): boolean => value instanceof Text && value.isMarkup;
