import { signOf } from './decimal.js';
import { codePoint, floatBody, padded } from './format-spec.js';
import { admit } from './meter.js';
import { indexOf, intOf, isInt, truncated } from './numbers.js';
import { item, toFloat } from './operators.js';
import { ascii, integerText, repr, softStr } from './printing.js';
import { PyError } from './py-error.js';
import { asMarkup, escaped, isMarkup, joined, lengthOf, sliced, unitAt, unmarkup } from './text.js';
import { Dict, Float, isStr, textOf, Tuple, typeName, Undefined, type Str, type Value } from './values.js';

const conversion = /%(?:\(((?:[^()]|\([^()]*\))*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]?(.)?/gsu;

/** What `format % value` gives for a string. */
export function percentFormat(format: Str, value: Value): Str {
  const text = textOf(format);
  const rest = value instanceof Tuple ? [...value.items] : [value];
  const mapping = isMapping(value) ? value : undefined;
  const escape = isMarkup(format);
  let usesKeys = false;
  const take = (): Value => {
    const next = rest.shift();
    if (next === undefined) throw new PyError('TypeError', 'not enough arguments for format string');
    return next;
  };
  const room = (given: string | undefined): number | undefined => {
    if (given === undefined) return undefined;
    const width = given === '*' ? starOf(take()) : Number(given);
    admit(Math.abs(width));
    return width;
  };
  const parts: Str[] = [];
  let end = 0;
  for (const match of text.matchAll(conversion)) {
    const [whole, key, flags = '', widthText, precisionText, type] = match;
    parts.push(sliced(format, end, match.index));
    end = match.index + whole.length;
    if (type === undefined) throw new PyError('ValueError', 'incomplete format');
    if (key !== undefined) {
      if (!mapping) throw new PyError('TypeError', 'format requires a mapping');
      const start = match.index + 2;
      rest.splice(0, rest.length, item(mapping, sliced(format, start, start + key.length)));
      usesKeys = true;
    }
    const width = room(widthText) ?? 0;
    const precision = precisionText === undefined ? undefined : (room(precisionText || '0') ?? 0);
    const left = flags.includes('-') || width < 0;
    if (whole === '%%') parts.push('%');
    else parts.push(converted(take(), type, flags, Math.abs(width), left, precision, escape));
  }
  parts.push(sliced(format, end));
  if (rest.length > 0 && !mapping && !usesKeys)
    throw new PyError('TypeError', 'not all arguments converted during string formatting');
  const result = joined(parts);
  return escape ? asMarkup(result) : result;
}

const isMapping = (value: Value): boolean =>
  value instanceof Dict || Array.isArray(value) || value instanceof Undefined;

function starOf(value: Value): number {
  if (!isInt(value)) throw new PyError('TypeError', '* wants int');
  return indexOf(value);
}

function converted(
  value: Value,
  type: string,
  flags: string,
  width: number,
  left: boolean,
  precision: number | undefined,
  escape: boolean,
): Str {
  const inField = (text: Str): Str => padded(text, ' ', left ? '<' : '>', width);
  if (type === 's' || type === 'r' || type === 'a') {
    const plain = type === 's' ? softStr(value) : type === 'r' ? repr(value) : ascii(value);
    const text = escape ? unmarkup(escaped(plain)) : unmarkup(plain);
    return inField(precision === undefined ? text : sliced(text, 0, unitAt(textOf(text), precision)));
  }
  if (type === 'c') return inField(characterOf(value));
  const [sign, prefix, digits] = numberOf(value, type, flags, precision);
  const start = sign + prefix;
  if (flags.includes('0') && !left && /\d/.test(digits))
    return start + digits.padStart(width - start.length, '0');
  return inField(start + digits);
}

function characterOf(value: Value): Str {
  if (isStr(value)) {
    if (lengthOf(value) === 1) return value;
    throw new PyError('TypeError', '%c requires int or char');
  }
  if (isInt(value)) return codePoint(intOf(value));
  throw new PyError('TypeError', `%c requires int or char`);
}

function numberOf(
  value: Value,
  type: string,
  flags: string,
  precision: number | undefined,
): [sign: string, prefix: string, digits: string] {
  const plus = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const alternate = flags.includes('#');
  if ('eEfFgG'.includes(type)) {
    const number = realOf(value);
    return [signOf(number) || plus, '', floatBody(number, type, precision ?? 6, alternate)];
  }
  if (!'diuoxX'.includes(type)) throw new PyError('ValueError', `unsupported format character '${type}'`);
  const whole = integerOf(value, type);
  const size = whole < 0 ? -whole : whole;
  const base = type === 'o' ? 8 : type.toLowerCase() === 'x' ? 16 : 10;
  const digits = (base === 10 ? integerText(size) : size.toString(base)).padStart(precision ?? 0, '0');
  const prefix = alternate && base !== 10 ? `0${type}` : '';
  return [whole < 0 ? '-' : plus, prefix, type === 'X' ? digits.toUpperCase() : digits];
}

function realOf(value: Value): number {
  if (isStr(value)) throw new PyError('TypeError', `must be real number, not ${typeName(value)}`);
  return toFloat(value);
}

function integerOf(value: Value, type: string): number | bigint {
  if (isInt(value)) return intOf(value);
  if (value instanceof Undefined) throw value.error;
  if (value instanceof Float && 'diu'.includes(type)) return truncated(value.value);
  const wanted = 'diu'.includes(type) ? 'a real number' : 'an integer';
  throw new PyError('TypeError', `%${type} format: ${wanted} is required, not ${typeName(value)}`);
}
