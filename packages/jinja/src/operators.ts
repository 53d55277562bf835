import { itemsIn, iterate, sizeOf } from './iteration.js';
import { admit, charge } from './meter.js';
import { arithmetic, comparedNumbers, floatOf, indexOf, int, intOf, isInt, isNumber } from './numbers.js';
import { plainNumber } from './parse-number.js';
import { PyError } from './py-error.js';
import { asMarkup, concatenated, isMarkup, joined, lengthOf, sliced, unitAt } from './text.js';
import {
  Dict,
  DictView,
  Float,
  hashKey,
  isStr,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Str,
  type Value,
} from './values.js';

/** Whether both are one object, as `is` says. */
export function identical(left: Value, right: Value): boolean {
  if (left instanceof Float && right instanceof Float) return left === right;
  return isStr(left) && isStr(right) ? textOf(left) === textOf(right) : left === right;
}

/** What `==` gives. */
export function equals(left: Value, right: Value): boolean {
  charge(1);
  if (left === right) return true;
  if (isStr(left)) return isStr(right) && textOf(left) === textOf(right);
  if (isNumber(left)) return isNumber(right) && comparedNumbers(left, right) === 0;
  if (Array.isArray(left)) return Array.isArray(right) && sameItems(left, right);
  if (left instanceof Tuple) return right instanceof Tuple && sameItems(left.items, right.items);
  if (left instanceof Dict) return right instanceof Dict && sameEntries(left, right);
  if (left instanceof Undefined) return right instanceof Undefined;
  if (left instanceof Range)
    return right instanceof Range && sameItems([...iterate(left)], [...iterate(right)]);
  if (left instanceof DictView && left.part !== 'values')
    return (
      right instanceof DictView && left.part === right.part && sameEntries(left.dict, right.dict, left.part)
    );
  return false;
}

/** Items are compared as `is` first: a nan equals itself in a list. */
const sameItem = (left: Value, right: Value): boolean => identical(left, right) || equals(left, right);

const sameItems = (left: readonly Value[], right: readonly Value[]): boolean =>
  left.length === right.length && left.every((item, at) => sameItem(item, right[at] ?? null));

function sameEntries(left: Dict, right: Dict, part: 'keys' | 'items' = 'items'): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left.entries()) {
    const other = right.get(key);
    if (other === undefined || (part === 'items' && !sameItem(value, other))) return false;
  }
  return true;
}

type Order = '<' | '<=' | '>' | '>=';

const holds = (order: Order, sign: number): boolean =>
  order === '<' ? sign < 0 : order === '<=' ? sign <= 0 : order === '>' ? sign > 0 : sign >= 0;

/** By code points, as Python orders strings. */
function comparedTexts(left: string, right: string): number {
  charge(Math.min(left.length, right.length) >> 5);
  let at = 0;
  while (at < left.length && at < right.length && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
  if (Number.isNaN(a) || Number.isNaN(b)) return left.length - right.length;
  const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000;
  // Units of surrogate pairs stand above all others.
  return isSurrogate(a) === isSurrogate(b) ? a - b : isSurrogate(a) ? 1 : -1;
}

/** What `<`, `<=`, `>` and `>=` give. */
export function ordered(order: Order, left: Value, right: Value): boolean {
  charge(1);
  if (left instanceof Undefined) throw left.error;
  if (right instanceof Undefined) throw right.error;
  if (isNumber(left) && isNumber(right)) return holds(order, comparedNumbers(left, right));
  if (isStr(left) && isStr(right)) return holds(order, comparedTexts(textOf(left), textOf(right)));
  const [a, b] = [rowOf(left), rowOf(right)];
  if (a && b && typeName(left) === typeName(right)) {
    const at = a.findIndex((item, at) => at >= b.length || !sameItem(item, b[at] ?? null));
    if (at < 0 || at >= b.length) return holds(order, a.length - b.length);
    return ordered(order, a[at] ?? null, b[at] ?? null);
  }
  throw new PyError(
    'TypeError',
    `'${order}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`,
  );
}

const rowOf = (value: Value): readonly Value[] | undefined =>
  Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;

/** Sorts as `sorted` does: in a stable way, by `<` alone. */
export function sorted(items: readonly Value[], keyOf: (item: Value) => Value, reverse: boolean): Value[] {
  charge(items.length);
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  const sign = reverse ? -1 : 1;
  keyed.sort((a, b) => sign * (ordered('<', a.key, b.key) ? -1 : ordered('<', b.key, a.key) ? 1 : 0));
  return keyed.map(({ item }) => item);
}

/** What `in` gives. */
export function contains(container: Value, item: Value): boolean {
  charge(1);
  if (isStr(container)) {
    if (!isStr(item))
      throw new PyError('TypeError', `'in <string>' requires string as left operand, not ${typeName(item)}`);
    charge(textOf(container).length >> 5);
    return textOf(container).includes(textOf(item));
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.part === 'keys') return container.dict.has(item);
  if (!itemsIn(container))
    throw new PyError('TypeError', `argument of type '${typeName(container)}' is not iterable`);
  for (const other of iterate(container)) if (sameItem(other, item)) return true;
  return false;
}

function unsupported(operation: string, left: Value, right: Value): PyError {
  return new PyError(
    'TypeError',
    `unsupported operand type(s) for ${operation}: '${typeName(left)}' and '${typeName(right)}'`,
  );
}

export type Operation = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/** Arithmetic with two values. `%` of strings is not among it: it belongs to the formats. */
export function operate(operation: Operation, left: Value, right: Value): Value {
  charge(1);
  const number = arithmetic(operation, left, right);
  if (number !== undefined) return number;
  if (left instanceof Undefined) throw left.error;
  if (right instanceof Undefined) throw right.error;
  const result =
    operation === '+' ? added(left, right) : operation === '*' ? multiplied(left, right) : undefined;
  if (result === undefined) throw unsupported(operation === '**' ? '** or pow()' : operation, left, right);
  return result;
}

function added(left: Value, right: Value): Value | undefined {
  if (isStr(left)) {
    if (isStr(right)) return concatenated(left, right);
    throw new PyError('TypeError', `can only concatenate str (not "${typeName(right)}") to str`);
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    charge(left.length + right.length);
    return [...left, ...right];
  }
  if (left instanceof Tuple && right instanceof Tuple) {
    charge(left.items.length + right.items.length);
    return new Tuple([...left.items, ...right.items]);
  }
  return undefined;
}

function multiplied(left: Value, right: Value): Value | undefined {
  const [row, count] = isInt(left) ? [right, left] : [left, right];
  if (!isInt(count)) return undefined;
  if (isStr(row)) return repeated(row, indexOf(count));
  const items = rowOf(row);
  if (!items) return undefined;
  const times = Math.max(0, indexOf(count));
  charge(items.length * times);
  const result = Array<readonly Value[]>(times).fill(items).flat();
  return Array.isArray(row) ? result : new Tuple(result);
}

/** A string several times. */
export function repeated(value: Str, times: number): Str {
  const text = textOf(value);
  if (times <= 0 || text === '') return isMarkup(value) ? asMarkup('') : '';
  // The room is asked for before any copy exists.
  admit(text.length * times);
  const once = sliced(value, 0);
  const result = typeof once === 'string' ? once.repeat(times) : joined(Array<Str>(times).fill(once));
  return isMarkup(value) ? asMarkup(result) : result;
}

/** What unary `-` and `+` give. */
export function signed(operation: '-' | '+', value: Value): Value {
  if (value instanceof Undefined) throw value.error;
  if (value instanceof Float) return operation === '-' ? new Float(-value.value) : value;
  if (isInt(value)) {
    const whole = intOf(value);
    return operation === '+' ? whole : int(-whole);
  }
  throw new PyError('TypeError', `bad operand type for unary ${operation}: '${typeName(value)}'`);
}

/** `value[start:stop:step]`. */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  if (value instanceof Undefined) throw value.error;
  const row = rowOf(value);
  if (!row && !isStr(value) && !(value instanceof Range)) {
    if (value instanceof Dict) throw new PyError('TypeError', "unhashable type: 'slice'");
    throw new PyError('TypeError', `'${typeName(value)}' object is not subscriptable`);
  }
  const length = sizeOf(value);
  const stride = step === null ? 1 : sliceIndex(step);
  if (stride === 0) throw new PyError('ValueError', 'slice step cannot be zero');
  const [low, high] = stride > 0 ? [0, length] : [-1, length - 1];
  const bound = (given: Value, otherwise: number): number => {
    if (given === null) return otherwise;
    const at = sliceIndex(given);
    return Math.min(Math.max(at < 0 ? at + length : at, low), high);
  };
  const first = bound(start, stride > 0 ? low : high);
  const end = bound(stop, stride > 0 ? high : low);
  if (value instanceof Range)
    return new Range(value.start + first * value.step, value.start + end * value.step, value.step * stride);
  const count = Math.max(0, Math.ceil((end - first) / stride));
  charge(row ? count : count >> 5);
  if (isStr(value)) return slicedText(value, first, stride, count);
  const items = Array.from({ length: count }, (_, at) => row?.[first + at * stride] ?? null);
  return Array.isArray(value) ? items : new Tuple(items);
}

function sliceIndex(value: Value): number {
  if (!isInt(value))
    throw new PyError('TypeError', 'slice indices must be integers or None or have an __index__ method');
  return Number(intOf(value));
}

function slicedText(value: Str, first: number, stride: number, count: number): Str {
  const text = textOf(value);
  const at = (point: number): number => unitAt(text, point);
  const result =
    stride === 1
      ? sliced(value, at(first), at(first + count))
      : joined(
          Array.from({ length: count }, (_, index) => {
            const point = first + index * stride;
            return sliced(value, at(point), at(point + 1));
          }),
        );
  return isMarkup(value) ? asMarkup(result) : result;
}

/** `container[key]`, or undefined if there is no such item. @throws PyError if a key cannot be one */
export function findItem(container: Value, key: Value): Value | undefined {
  if (container instanceof Undefined) throw container.error;
  if (container instanceof Dict) return container.get(key);
  if (!isInt(key)) return undefined;
  const row = rowOf(container);
  const length = row ? row.length : isStr(container) ? lengthOf(container) : rangeLength(container);
  if (length === undefined) return undefined;
  const given = Number(intOf(key));
  const at = given < 0 ? given + length : given;
  if (!(at >= 0 && at < length)) return undefined;
  if (row) return row[at] ?? null;
  if (isStr(container)) return slicedText(container, at, 1, 1);
  return container instanceof Range ? container.start + at * container.step : undefined;
}

const rangeLength = (value: Value): number | undefined => (value instanceof Range ? value.length : undefined);

/** `container[key]`. @throws PyError as Python raises it */
export function item(container: Value, key: Value): Value {
  const found = findItem(container, key);
  if (found !== undefined) return found;
  const name = typeName(container);
  if (container instanceof Dict) throw new PyError('KeyError', String(hashKey(key) as string | number));
  if (!rowOf(container) && !isStr(container) && !(container instanceof Range))
    throw new PyError('TypeError', `'${name}' object is not subscriptable`);
  if (!isInt(key))
    throw new PyError('TypeError', `${name} indices must be integers or slices, not ${typeName(key)}`);
  throw new PyError('IndexError', `${name} index out of range`);
}

/** A float, as `float()` reads numbers and texts. */
export function toFloat(value: Value): number {
  if (value instanceof Undefined) throw value.error;
  if (isNumber(value)) return floatOf(value);
  if (!isStr(value))
    throw new PyError(
      'TypeError',
      `float() argument must be a string or a real number, not '${typeName(value)}'`,
    );
  const text = plainNumber(textOf(value));
  const match =
    /^[+-]?(?:(?:\d+(?:_\d+)*)?\.?(?:\d+(?:_\d+)*)?(?:e[+-]?\d+(?:_\d+)*)?|inf(?:inity)?|nan)$/i.exec(text);
  const digits = /\d/.test(text.split(/e/i)[0] ?? '');
  if (match && (digits || /inf|nan/i.test(text))) {
    const plain = text.toLowerCase().replaceAll('_', '');
    if (/inf/.test(plain)) return plain.startsWith('-') ? -Infinity : Infinity;
    return plain.includes('nan') ? NaN : Number(plain);
  }
  throw new PyError('ValueError', `could not convert string to float: '${textOf(value)}'`);
}
