import { floatRepr } from './decimal.js';
import { charge } from './meter.js';
import { PyError } from './py-error.js';
import { exchanged, joined, unmarkup } from './text.js';
import {
  Dict,
  DictView,
  Float,
  isStr,
  Namespace,
  Text,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Str,
  type Value,
} from './values.js';

/** What `str()` gives. */
export function str(value: Value): Str {
  if (typeof value === 'string') return value;
  if (value instanceof Text) return unmarkup(value);
  return value instanceof Undefined ? '' : repr(value);
}

/** What `str()` gives, but that markup stays markup. */
export const softStr = (value: Value): Str => (isStr(value) ? value : str(value));

/** What `repr()` gives. */
export function repr(value: Value): Str {
  charge(1);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'bigint') return integerText(value);
  if (isStr(value))
    return value instanceof Text && value.isMarkup
      ? joined(['Markup(', quoted(unmarkup(value)), ')'])
      : quoted(value);
  if (Array.isArray(value)) return enclosed('[', value.map(repr), ']');
  if (value instanceof Float) return floatRepr(value.value);
  if (value instanceof Tuple)
    return enclosed('(', value.items.map(repr), value.items.length === 1 ? ',)' : ')');
  if (value instanceof Dict) return dictRepr(value);
  if (value instanceof DictView) return joined([`${value.typeName}(`, repr(value.items()), ')']);
  if (value instanceof Namespace) return joined(['<Namespace ', dictRepr(value.attributes), '>']);
  return value.repr();
}

/** Decimal digits of an integer; Python refuses those of very large ones. */
export function integerText(value: number | bigint): string {
  if (typeof value === 'number') return String(value);
  const digits = value.toString();
  if (digits.length - (value < 0n ? 1 : 0) > 4300)
    throw new PyError('ValueError', 'Exceeds the limit (4300 digits) for integer string conversion');
  return digits;
}

const enclosed = (open: string, parts: readonly Str[], close: string): Str =>
  joined([open, joined(parts, ', '), close]);

const dictRepr = (dict: Dict): Str =>
  enclosed(
    '{',
    Array.from(dict.entries(), ([key, value]) => joined([repr(key), ': ', repr(value)])),
    '}',
  );

const named: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escape(character: string): string {
  const short = named[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x10000
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\U${code.toString(16).padStart(8, '0')}`;
}

function quoted(value: Str): Str {
  const text = textOf(value);
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // What is a separator other than a space, or no character, is not printed as it is.
  const body = exchanged(value, /[\\']|[\p{C}\p{Z}]/gu, (character) => {
    if (character === "'") return quote === "'" ? "\\'" : "'";
    return character === ' ' ? ' ' : escape(character);
  });
  return joined([quote, body, quote]);
}

/** What `ascii()` gives. */
export const ascii = (value: Value): Str => exchanged(repr(value), /[^\0-\x7f]/gu, escape);

/** Settings of `json.dumps`. */
export interface JsonSettings {
  readonly ensureAscii: boolean;
  readonly indent: Str | undefined;
  readonly itemSeparator: Str;
  readonly keySeparator: Str;
  readonly sortedKeys: (keys: Value[]) => Value[];
}

/** What `json.dumps` of Python gives. */
export function toJson(value: Value, settings: JsonSettings): Str {
  const newline = (depth: number): Str =>
    settings.indent === undefined ? '' : joined(['\n', ...Array<Str>(depth).fill(settings.indent)]);
  const write = (value: Value, depth: number): Str => {
    charge(1);
    if (value === null) return 'null';
    if (typeof value === 'boolean') return String(value);
    if (typeof value === 'number' || typeof value === 'bigint') return integerText(value);
    if (value instanceof Float) return jsonFloat(value.value);
    if (isStr(value)) return jsonString(value, settings.ensureAscii);
    const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
    if (items)
      return group(
        '[',
        items.map((item) => write(item, depth + 1)),
        ']',
        depth,
      );
    if (value instanceof Dict) {
      const entries = settings.sortedKeys(value.keys()).map((key) => {
        const name = jsonString(keyText(key), settings.ensureAscii);
        return joined([name, settings.keySeparator, write(value.get(key) ?? null, depth + 1)]);
      });
      return group('{', entries, '}', depth);
    }
    throw new PyError('TypeError', `Object of type ${typeName(value)} is not JSON serializable`);
  };
  const group = (open: string, parts: readonly Str[], close: string, depth: number): Str => {
    if (parts.length === 0) return open + close;
    const inner = newline(depth + 1);
    return joined([
      open,
      inner,
      joined(parts, joined([settings.itemSeparator, inner])),
      newline(depth),
      close,
    ]);
  };
  return write(value, 0);
}

const jsonFloat = (value: number): string =>
  Number.isNaN(value)
    ? 'NaN'
    : Number.isFinite(value)
      ? floatRepr(value)
      : value > 0
        ? 'Infinity'
        : '-Infinity';

function keyText(key: Value): Str {
  if (isStr(key)) return key;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return String(key);
  if (typeof key === 'number' || typeof key === 'bigint') return integerText(key);
  if (key instanceof Float) return jsonFloat(key.value);
  throw new PyError('TypeError', 'keys must be str, int, float, bool or None');
}

const jsonNames: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
};

const unicodeEscape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

const control = /["\\]|(?! )[\0- ]/g;
const beyondAscii = /["\\]|(?! )[\0- ]|[^\0-\x7f]/g;

function jsonString(value: Str, ensureAscii: boolean): Str {
  const pattern = ensureAscii ? beyondAscii : control;
  return joined(['"', exchanged(value, pattern, (unit) => jsonNames[unit] ?? unicodeEscape(unit)), '"']);
}
