import { roundedQuotient, scaledInteger, signOf } from './decimal.js';
import { charge, LimitError } from './meter.js';
import { PyError } from './py-error.js';
import { Float, typeName, type Value } from './values.js';

/** An `int`: a number where it is safe, a bigint where it is not. */
export type Int = number | bigint;

/** Integers stay below this number of bits: about 30,000 digits. */
const mostBits = 100_000;

/** An integer in its one form. */
export function int(value: Int): Int {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : BigInt(value);
  if (-9007199254740991n <= value && value <= 9007199254740991n) return Number(value);
  return value;
}

export const isInt = (value: Value): value is Int | boolean =>
  typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';

export const isNumber = (value: Value): value is Int | boolean | Float =>
  isInt(value) || value instanceof Float;

/** The integer that a bool is. */
export const intOf = (value: Int | boolean): Int => (typeof value === 'boolean' ? Number(value) : value);

const bigOf = (value: Int | boolean): bigint => BigInt(value);

/** The number nearest to it. */
export function floatOf(value: Int | boolean | Float): number {
  if (value instanceof Float) return value.value;
  const number = Number(value);
  if (!Number.isFinite(number)) throw new PyError('OverflowError', 'int too large to convert to float');
  return number;
}

/** The number of bits of an integer, at most a little too high. */
const bitsOf = (value: bigint): number => value.toString(16).length * 4;

function checkBits(bits: number): void {
  charge(bits >> 6);
  if (bits > mostBits) throw new LimitError('characters', `an integer grows beyond ${mostBits} bits`);
}

type Operation = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/** Arithmetic of two numbers as Python has it; undefined if one of both is none. */
export function arithmetic(operation: Operation, left: Value, right: Value): Value | undefined {
  if (!isNumber(left) || !isNumber(right)) return undefined;
  if (left instanceof Float || right instanceof Float)
    return ofFloats(operation, floatOf(left), floatOf(right));
  return ofIntegers(operation, intOf(left), intOf(right));
}

function ofIntegers(operation: Operation, left: Int, right: Int): Value {
  if (typeof left === 'number' && typeof right === 'number') {
    const quick = quickly(operation, left, right);
    if (quick !== undefined && Number.isSafeInteger(quick)) return quick + 0;
  }
  const [a, b] = [bigOf(left), bigOf(right)];
  switch (operation) {
    case '+':
      checkBits(Math.max(bitsOf(a), bitsOf(b)));
      return int(a + b);
    case '-':
      checkBits(Math.max(bitsOf(a), bitsOf(b)));
      return int(a - b);
    case '*':
      checkBits(bitsOf(a) + bitsOf(b));
      return int(a * b);
    case '/':
      return dividedIntegers(a, b);
    case '//':
      return int(floorDivided(a, b));
    case '%':
      if (b === 0n) throw new PyError('ZeroDivisionError', 'integer division or modulo by zero');
      return int(a - b * floorDivided(a, b));
    case '**':
      return powerOfIntegers(a, b);
  }
}

function quickly(operation: Operation, left: number, right: number): number | undefined {
  switch (operation) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '//':
      return right === 0 ? undefined : (left - modulo(left, right)) / right;
    case '%':
      return right === 0 ? undefined : modulo(left, right);
    default:
      return undefined;
  }
}

/** The remainder with the sign of the divisor. */
function modulo(left: number, right: number): number {
  const rest = left % right;
  return rest !== 0 && rest < 0 !== right < 0 ? rest + right : rest;
}

function floorDivided(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new PyError('ZeroDivisionError', 'integer division or modulo by zero');
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** The quotient of integers, rounded once. */
function dividedIntegers(a: bigint, b: bigint): Float {
  if (b === 0n) throw new PyError('ZeroDivisionError', 'division by zero');
  const [x, y] = [Number(a), Number(b)];
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) return new Float(x / y);
  const negative = a < 0n !== b < 0n;
  const [numerator, denominator] = [a < 0n ? -a : a, b < 0n ? -b : b];
  // Enough bits that their rounding and a sticky bit decide the rounding of the quotient.
  const shift = bitsOf(denominator) - bitsOf(numerator) + 70;
  const top = shift >= 0 ? numerator << BigInt(shift) : numerator;
  const bottom = shift >= 0 ? denominator : denominator << BigInt(-shift);
  const quotient = (top / bottom) | (top % bottom === 0n ? 0n : 1n);
  const value = Number(quotient) * 2 ** -shift;
  if (!Number.isFinite(value))
    throw new PyError('OverflowError', 'integer division result too large for a float');
  return new Float(negative ? -value : value);
}

function powerOfIntegers(base: bigint, exponent: bigint): Value {
  if (exponent < 0n) return ofFloats('**', floatOf(int(base)), floatOf(int(exponent)));
  if (base === 0n || base === 1n || base === -1n)
    return exponent === 0n ? 1 : base === -1n && exponent % 2n === 0n ? 1 : Number(base);
  checkBits(bitsOf(base) * Number(exponent));
  return int(base ** exponent);
}

function ofFloats(operation: Operation, left: number, right: number): Value {
  switch (operation) {
    case '+':
      return new Float(left + right);
    case '-':
      return new Float(left - right);
    case '*':
      return new Float(left * right);
    case '/':
      if (right === 0) throw new PyError('ZeroDivisionError', 'float division by zero');
      return new Float(left / right);
    case '//':
      return new Float(floorDividedFloats(left, right)[0]);
    case '%':
      return new Float(floorDividedFloats(left, right)[1]);
    case '**':
      return powerOfFloats(left, right);
  }
}

/** Quotient and remainder as CPython's `float_divmod` finds them. */
function floorDividedFloats(left: number, right: number): [quotient: number, rest: number] {
  if (right === 0) throw new PyError('ZeroDivisionError', 'float floor division by zero');
  let rest = left % right;
  let quotient = (left - rest) / right;
  if (rest !== 0) {
    if (right < 0 !== rest < 0) {
      rest += right;
      quotient -= 1;
    }
  } else rest = right < 0 ? -0 : 0;
  if (quotient === 0) return [signOf(left / right) === '-' ? -0 : 0, rest];
  const floor = Math.floor(quotient);
  return [quotient - floor > 0.5 ? floor + 1 : floor, rest];
}

function powerOfFloats(base: number, exponent: number): Value {
  if (base === 1 || exponent === 0) return new Float(1);
  if (base === 0 && exponent < 0)
    throw new PyError('ZeroDivisionError', '0.0 cannot be raised to a negative power');
  if (base < 0 && Number.isFinite(base) && Number.isFinite(exponent) && !Number.isInteger(exponent))
    throw new PyError('TypeError', 'complex numbers are not supported');
  const value = base === -1 && !Number.isFinite(exponent) && !Number.isNaN(exponent) ? 1 : base ** exponent;
  if (!Number.isFinite(value) && Number.isFinite(base) && Number.isFinite(exponent))
    throw new PyError('OverflowError', "(34, 'Numerical result out of range')");
  return new Float(value);
}

/** Less than 0, 0 or greater, or NaN if one of both is not a number. */
export function comparedNumbers(left: Int | boolean | Float, right: Int | boolean | Float): number {
  const a = left instanceof Float ? left.value : intOf(left);
  const b = right instanceof Float ? right.value : intOf(right);
  // JavaScript compares bigints and numbers by their exact values, too.
  return a < b ? -1 : a > b ? 1 : a >= b ? 0 : NaN;
}

/** `round(value, digits)`: half to even of the exact value, an integer for an integer. */
export function rounded(value: Int | boolean | Float, digits: number): Value {
  if (value instanceof Float) {
    if (!Number.isFinite(value.value) || digits > 323) return value;
    if (digits < -308) return new Float(value.value < 0 ? -0 : 0);
    const scaled = scaledInteger(value.value, digits);
    const text = digits >= 0 ? `${scaled}e-${digits}` : `${scaled}e${-digits}`;
    const result = Number(text);
    if (!Number.isFinite(result)) throw new PyError('OverflowError', 'rounded value too large to represent');
    return new Float(value.value < 0 || Object.is(value.value, -0) ? -result : result);
  }
  const whole = intOf(value);
  if (digits >= 0) return whole;
  checkBits(-digits * 4);
  const step = 10n ** BigInt(-digits);
  const big = BigInt(whole);
  const size = roundedQuotient(big < 0n ? -big : big, step) * step;
  return int(big < 0n ? -size : size);
}

/** An integer, as `__index__` gives it. */
export function indexOf(value: Value): number {
  if (!isInt(value))
    throw new PyError('TypeError', `'${typeName(value)}' object cannot be interpreted as an integer`);
  const whole = intOf(value);
  if (typeof whole === 'number') return whole;
  throw new PyError('OverflowError', 'Python int too large to convert to C ssize_t');
}

/** A finite number without its fraction. */
export function truncated(value: number): Int {
  if (Number.isNaN(value)) throw new PyError('ValueError', 'cannot convert float NaN to integer');
  if (!Number.isFinite(value)) throw new PyError('OverflowError', 'cannot convert float infinity to integer');
  return int(Math.trunc(value));
}
