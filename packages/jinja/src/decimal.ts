import { admit } from './meter.js';

/**
 * Decimal digits of a finite number, rounded exactly: half to even of the number's binary value, as Python rounds.
 *
 * @param places digits after the point; may be negative
 * @returns the absolute value times `10 ** places`, rounded to an integer
 */
export function scaledInteger(value: number, places: number): bigint {
  const [mantissa, exponent] = binaryOf(Math.abs(value));
  let numerator = mantissa;
  let denominator = 1n;
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  if (places >= 0) numerator *= 10n ** BigInt(places);
  else denominator *= 10n ** BigInt(-places);
  return roundedQuotient(numerator, denominator);
}

/** A quotient of natural numbers, rounded half to even. */
export function roundedQuotient(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const up = twice > denominator || (twice === denominator && quotient % 2n === 1n);
  return up ? quotient + 1n : quotient;
}

/** A finite number as `mantissa * 2 ** exponent`. */
export function binaryOf(value: number): [mantissa: bigint, exponent: number] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const stored = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  return stored === 0 ? [fraction, -1074] : [fraction | (1n << 52n), stored - 1075];
}

const isNegative = (value: number): boolean => value < 0 || Object.is(value, -0);

/** The sign that is printed before a number: of nan none. */
export const signOf = (value: number): '-' | '' => (isNegative(value) ? '-' : '');

const special = (value: number): string | undefined =>
  Number.isNaN(value) ? 'nan' : Number.isFinite(value) ? undefined : 'inf';

/** The absolute value with a fixed number of digits after the point (`%f`). */
export function fixed(value: number, precision: number): string {
  const word = special(value);
  if (word !== undefined) return word;
  admit(precision + 400);
  return withPoint(scaledInteger(value, precision).toString(), precision);
}

function withPoint(digits: string, precision: number): string {
  if (precision === 0) return digits;
  const padded = digits.padStart(precision + 1, '0');
  return `${padded.slice(0, -precision)}.${padded.slice(-precision)}`;
}

/** `precision + 1` significant digits of an absolute value, and the exponent of ten of the first one. */
function significant(value: number, precision: number): [digits: string, exponent: number] {
  if (value === 0) return ['0'.repeat(precision + 1), 0];
  let exponent = Math.floor(Math.log10(Math.abs(value)));
  for (;;) {
    const digits = scaledInteger(value, precision - exponent).toString();
    // The logarithm may be off by one, and rounding may carry into a new digit.
    if (digits.length > precision + 1) exponent++;
    else if (digits.length < precision + 1) exponent--;
    else return [digits, exponent];
  }
}

const exponentText = (exponent: number): string =>
  `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;

/** The absolute value with an exponent (`%e`). */
export function scientific(value: number, precision: number): string {
  const word = special(value);
  if (word !== undefined) return word;
  admit(precision + 400);
  const [digits, exponent] = significant(value, precision);
  const mantissa = precision === 0 ? digits : `${digits.charAt(0)}.${digits.slice(1)}`;
  return `${mantissa}e${exponentText(exponent)}`;
}

/** The absolute value in the shorter of both forms (`%g`). */
export function general(value: number, precision: number, keepZeros: boolean): string {
  const word = special(value);
  if (word !== undefined) return word;
  const places = Math.max(precision, 1);
  admit(places + 400);
  const [digits, exponent] = significant(value, places - 1);
  const trim = (text: string): string =>
    keepZeros || !text.includes('.') ? text : text.replace(/\.?0+$/, '');
  if (exponent < -4 || exponent >= places) {
    const mantissa = places === 1 ? digits : `${digits.charAt(0)}.${digits.slice(1)}`;
    return `${trim(mantissa)}e${exponentText(exponent)}`;
  }
  return trim(fixed(value, places - 1 - exponent));
}

/** What `repr()` gives for a float: the fewest digits that lead back to it. */
export function floatRepr(value: number): string {
  const word = special(value);
  if (word !== undefined) return signOf(value) + word;
  const [mantissa = '', power = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const exponent = Number(power);
  const sign = signOf(value);
  if (exponent < -4 || exponent >= 16) return `${sign}${mantissa}e${exponentText(exponent)}`;
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.padEnd(exponent + 1, '0');
  return `${sign}${whole.slice(0, exponent + 1)}.${whole.slice(exponent + 1) || '0'}`;
}
