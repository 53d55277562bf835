import { charge } from './meter.js';
import { PyError } from './py-error.js';
import { characters, lengthOf } from './text.js';
import {
  Dict,
  DictView,
  Float,
  Generator,
  isStr,
  PyObject,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** What `bool()` gives. */
export function truth(value: Value): boolean {
  if (value === null) return false;
  if (typeof value !== 'object') return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Float) return value.value !== 0;
  if (isStr(value)) return textOf(value) !== '';
  return value instanceof Tuple ? value.items.length > 0 : value.truth;
}

type Items = globalThis.Generator<Value, void, undefined>;

function* numbersOf(range: Range): Items {
  for (let at = 0; at < range.length; at++) yield range.start + at * range.step;
}

/** The items of an iterable, or undefined if the value is none. */
export function itemsIn(value: Value): Iterable<Value> | undefined {
  if (Array.isArray(value)) return value;
  if (isStr(value)) return characters(value);
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.keys();
  if (value instanceof DictView) return value.items();
  if (value instanceof Range) return numbersOf(value);
  if (value instanceof Generator) return { [Symbol.iterator]: () => value.iterator };
  return value instanceof Undefined ? [] : undefined;
}

/** Walks over an iterable; every item is a step. What is left of a generator stays for the next who asks. */
export function* iterate(value: Value): Items {
  const items = itemsIn(value);
  if (!items) throw new PyError('TypeError', `'${typeName(value)}' object is not iterable`);
  const iterator = items[Symbol.iterator]();
  for (let next = iterator.next(); !next.done; next = iterator.next()) {
    charge(1);
    yield next.value;
  }
}

/** All items of an iterable. */
export const itemsOf = (value: Value): Value[] => [...iterate(value)];

/** What `len()` gives, or undefined if the value has no length. */
export function sizeIn(value: Value): number | undefined {
  if (Array.isArray(value)) return value.length;
  if (isStr(value)) return lengthOf(value);
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Undefined) return 0;
  return value instanceof PyObject ? value.count() : undefined;
}

/** What `len()` gives. */
export function sizeOf(value: Value): number {
  const size = sizeIn(value);
  if (size === undefined) throw new PyError('TypeError', `object of type '${typeName(value)}' has no len()`);
  return size;
}

/** As many items as are to be assigned. */
export function unpacked(value: Value, count: number): Value[] {
  if (!itemsIn(value)) throw new PyError('TypeError', `cannot unpack non-iterable ${typeName(value)} object`);
  const items: Value[] = [];
  for (const item of iterate(value)) {
    if (items.length === count)
      throw new PyError('ValueError', `too many values to unpack (expected ${count})`);
    items.push(item);
  }
  if (items.length < count)
    throw new PyError('ValueError', `not enough values to unpack (expected ${count}, got ${items.length})`);
  return items;
}
