import { fixed, floatRepr, general, scientific, signOf } from './decimal.js';
import { admit } from './meter.js';
import { floatOf, indexOf, intOf, isInt, type Int } from './numbers.js';
import { str, integerText } from './printing.js';
import { PyError } from './py-error.js';
import { joined, lengthOf, sliced, unitAt } from './text.js';
import { Float, isStr, textOf, typeName, type Str, type Value } from './values.js';

/** A parsed specification of the mini-language of `format()`. */
interface Spec {
  readonly fill: string;
  readonly align: '<' | '>' | '=' | '^' | undefined;
  readonly sign: '+' | '-' | ' ' | undefined;
  readonly zero: boolean;
  readonly positiveZero: boolean;
  readonly alternate: boolean;
  readonly width: number;
  readonly grouping: ',' | '_' | undefined;
  readonly precision: number | undefined;
  readonly type: string | undefined;
}

const grammar = /^(?:(.)?([<>=^]))?([+\- ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?(.)?$/su;

function parse(spec: string, value: Value): Spec {
  const match = grammar.exec(spec);
  if (!match)
    throw new PyError(
      'ValueError',
      `Invalid format specifier '${spec}' for object of type '${typeName(value)}'`,
    );
  const [, fill, align, sign, positiveZero, alternate, zero, width, grouping, precision, type] = match;
  return {
    fill: fill ?? (zero && !align ? '0' : ' '),
    align: align as Spec['align'],
    sign: sign as Spec['sign'],
    zero: zero !== undefined,
    positiveZero: positiveZero !== undefined,
    alternate: alternate !== undefined,
    width: roomOf(width),
    grouping: grouping as Spec['grouping'],
    precision: precision === undefined ? undefined : roomOf(precision),
    type,
  };
}

/** A width or precision, of which the text has room. */
function roomOf(digits: string | undefined): number {
  const width = Number(digits ?? 0);
  if (width > 2 ** 53) throw new PyError('ValueError', 'Too many decimal digits in format string');
  admit(width);
  return width;
}

/** What `format(value, spec)` gives. */
export function formatted(value: Value, spec: Str): Str {
  const text = textOf(spec);
  if (text === '') return str(value);
  if (isStr(value)) return formattedText(value, parse(text, value));
  if (isInt(value)) return formattedInteger(intOf(value), parse(text, value));
  if (value instanceof Float) return formattedFloat(value.value, parse(text, value), 'float');
  throw new PyError('TypeError', `unsupported format string passed to ${typeName(value)}.__format__`);
}

function unknownCode(type: string, name: string): PyError {
  return new PyError('ValueError', `Unknown format code '${type}' for object of type '${name}'`);
}

function formattedText(value: Str, spec: Spec): Str {
  if (spec.type !== undefined && spec.type !== 's') throw unknownCode(spec.type, 'str');
  if (spec.sign || spec.positiveZero)
    throw new PyError('ValueError', 'Sign not allowed in string format specifier');
  if (spec.alternate)
    throw new PyError('ValueError', 'Alternate form (#) not allowed in string format specifier');
  if (spec.align === '=')
    throw new PyError('ValueError', "'=' alignment not allowed in string format specifier");
  if (spec.grouping) throw new PyError('ValueError', `Cannot specify '${spec.grouping}' with 's'.`);
  const cut = spec.precision === undefined ? value : sliced(value, 0, unitAt(textOf(value), spec.precision));
  return padded(cut, spec.fill, spec.align ?? '<', spec.width);
}

/** A string in the middle or at a side of a field, whose width counts code points. */
export function padded(value: Str, fill: Str, align: '<' | '>' | '^', width: number): Str {
  const room = width - lengthOf(value);
  if (room <= 0) return sliced(value, 0);
  admit(width * textOf(fill).length);
  const left = align === '<' ? 0 : align === '>' ? room : Math.floor(room / 2);
  const pad = (count: number): Str =>
    typeof fill === 'string' ? fill.repeat(count) : joined(Array<Str>(count).fill(fill));
  return joined([pad(left), value, pad(room - left)]);
}

/** Digits in groups, filled up with zeros to a width where that is asked for. */
function grouped(digits: string, separator: string | undefined, size: number, width: number): string {
  if (separator === undefined) return digits.padStart(width, '0');
  const split = (text: string): string => {
    const groups: string[] = [];
    for (let end = text.length; end > 0; end -= size)
      groups.unshift(text.slice(Math.max(0, end - size), end));
    return groups.join(separator);
  };
  // A group of `size` digits takes one column more than its digits.
  const least = Math.max(0, width - Math.floor(width / (size + 1)));
  const isWide = least + Math.floor((least - 1) / size) >= width;
  return split(digits.padStart(isWide ? least : least + 1, '0'));
}

/** Sign, prefix and digits in their field. */
function inField(sign: string, prefix: string, digits: string, rest: string, spec: Spec, size = 3): string {
  const align = spec.align ?? (spec.zero ? '=' : '>');
  const inner =
    align === '=' && spec.fill === '0' ? spec.width - sign.length - prefix.length - rest.length : 0;
  const body = grouped(digits, spec.grouping, size, Math.max(0, inner)) + rest;
  if (align === '=')
    return sign + prefix + body.padStart(spec.width - sign.length - prefix.length, spec.fill);
  return textOf(padded(sign + prefix + body, spec.fill, align, spec.width));
}

const signText = (isNegative: boolean, spec: Spec): string =>
  isNegative ? '-' : spec.sign === '+' || spec.sign === ' ' ? spec.sign : '';

function formattedInteger(value: Int, spec: Spec): string {
  const type = spec.type ?? 'd';
  if ('eEfFgG%'.includes(type)) return formattedFloat(floatOf(value), spec, 'int');
  if (!'bcdoxXn'.includes(type)) throw unknownCode(type, 'int');
  if (spec.precision !== undefined)
    throw new PyError('ValueError', 'Precision not allowed in integer format specifier');
  if (spec.positiveZero)
    throw new PyError(
      'ValueError',
      'Negative zero coercion (z) not allowed in format specifier with integer',
    );
  if (spec.grouping && (type === 'n' || type === 'c' || (spec.grouping === ',' && 'boxX'.includes(type))))
    throw new PyError('ValueError', `Cannot specify '${spec.grouping}' with '${type}'.`);
  if (type === 'c') {
    if (spec.sign) throw new PyError('ValueError', "Sign not allowed with integer format specifier 'c'");
    if (spec.alternate)
      throw new PyError('ValueError', "Alternate form (#) not allowed with integer format specifier 'c'");
    const align = spec.align ?? (spec.zero ? '=' : '<');
    return textOf(padded(codePoint(value), spec.fill, align === '=' ? '>' : align, spec.width));
  }
  const bases: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16 };
  const size = value < 0 ? -value : value;
  const digits = type in bases ? size.toString(bases[type]) : integerText(size);
  const prefix = spec.alternate && type in bases ? `0${type}` : '';
  const shown = type === 'X' ? digits.toUpperCase() : digits;
  return inField(signText(value < 0, spec), prefix, shown, '', spec, type in bases ? 4 : 3);
}

/** The character of a code point, as `chr()` gives it. */
export function codePoint(value: Int): string {
  const code = indexOf(value);
  if (code < 0 || code > 0x10ffff) throw new PyError('OverflowError', '%c arg not in range(0x110000)');
  return String.fromCodePoint(code);
}

function formattedFloat(value: number, spec: Spec, name: string): string {
  const { type, precision } = spec;
  if (type !== undefined && !'eEfFgGn%'.includes(type)) throw unknownCode(type, name);
  if (type === 'n' && spec.grouping)
    throw new PyError('ValueError', `Cannot specify '${spec.grouping}' with 'n'.`);
  const body =
    type === undefined
      ? plain(value, precision)
      : floatBody(value, type === 'n' ? 'g' : type, precision ?? 6, spec.alternate);
  const isZero = spec.positiveZero && !/[1-9a-z]/i.test(body.split(/e/i)[0] ?? '');
  const [, digits = '', rest = ''] = /^(\d*)(.*)$/s.exec(body) ?? [];
  const sign = signText(signOf(value) === '-' && !isZero, spec);
  // Words such as inf have no digits to group or to fill.
  if (digits === '') return inField(sign, '', '', rest, { ...spec, grouping: undefined });
  return inField(sign, '', digits, rest, spec);
}

/** Without a type: the shortest digits, or as `g` with a digit after the point. */
function plain(value: number, precision: number | undefined): string {
  if (precision === undefined) return floatRepr(Math.abs(value));
  const places = Math.max(precision, 1);
  const text = general(value, places, false);
  if (!Number.isFinite(value) || text.includes('e')) return text;
  const whole = text.split('.')[0] ?? '';
  if (whole.length >= places && (value === 0 || whole !== '0')) return exponential(value, places);
  return text.includes('.') ? text : `${text}.0`;
}

const exponential = (value: number, places: number): string => {
  const [mantissa = '', exponent = ''] = scientific(value, places - 1).split('e');
  return `${mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa}e${exponent}`;
};

/** The absolute value by a conversion of `%` and `format()`: one of `eEfFgG%`. */
export function floatBody(value: number, type: string, precision: number, alternate: boolean): string {
  const lower = type.toLowerCase();
  const isFinite = Number.isFinite(value);
  let text =
    type === '%'
      ? `${fixed(value * 100, precision)}%`
      : lower === 'f'
        ? fixed(value, precision)
        : lower === 'e'
          ? scientific(value, precision)
          : general(value, precision, alternate);
  if (alternate && isFinite && !text.includes('.')) text = text.replace(/^\d+/, '$&.');
  return type !== lower ? text.toUpperCase() : text;
}
