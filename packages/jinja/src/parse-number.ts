import { int, type Int } from './numbers.js';
import { PyError } from './py-error.js';

/** A number's text as `int` and `float` read it: without white space around it, the digits of all scripts as those of ASCII. */
export const plainNumber = (text: string): string =>
  text.includes('\ufeff')
    ? text
    : text
        .replaceAll('\x85', ' ')
        .trim()
        .replaceAll(/\p{Nd}/gu, (digit) => `${digitOf(digit.codePointAt(0)!)}`);

/** What a decimal digit stands for. Those of a script begin at a multiple of 16, or 6 after it; mathematical ones do not. */
function digitOf(code: number): number {
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10;
  const place = code % 16;
  return /\p{Nd}/u.test(String.fromCodePoint(code - place)) ? place : place - 6;
}

/** An integer, as `int(text, base)` reads it. */
export function integerFrom(text: string, base: number): Int {
  if (base !== 0 && (base < 2 || base > 36))
    throw new PyError('ValueError', 'int() base must be >= 2 and <= 36, or 0');
  const problem = (): PyError =>
    new PyError('ValueError', `invalid literal for int() with base ${base}: '${text}'`);
  const match = /^([+-]?)(0[box])?_?([\da-z]+(?:_[\da-z]+)*)$/i.exec(plainNumber(text));
  if (!match) throw problem();
  const [, sign = '', prefix = '', digits = ''] = match;
  const prefixed = { '0b': 2, '0o': 8, '0x': 16 }[prefix.toLowerCase()];
  let plain = digits.replaceAll('_', '').toLowerCase();
  let radix = base;
  if (prefixed !== undefined && (base === 0 || base === prefixed)) radix = prefixed;
  else if (prefix !== '') plain = prefix.toLowerCase() + plain;
  if (radix === 0) {
    if (/^0+[1-9a-z]/.test(plain)) throw problem();
    radix = 10;
  }
  if (radix === 10 && plain.length > 4300)
    throw new PyError('ValueError', 'Exceeds the limit (4300 digits) for integer string conversion');
  let value = 0n;
  for (const digit of plain) {
    const number = Number.parseInt(digit, 36);
    if (!(number < radix)) throw problem();
    value = value * BigInt(radix) + BigInt(number);
  }
  return int(sign === '-' ? -value : value);
}
