import { InputError } from '@weft/errors';
import { markedText } from './text.js';
import { Dict, Float, Opaque, PyObject, type Value } from './values.js';

/** Objects and lists within each other. */
const deepestData = 200;

class MarkedData {
  readonly data: unknown;

  constructor(data: unknown) {
    this.data = data;
  }
}

/** Marks a text, or all texts in data (values and names of fields), so that their characters are followed. */
export const markText = (data: unknown): object => new MarkedData(data);

/** A value of the program as the template has it. */
export function fromProgram(value: unknown): Value {
  return convert(value, false, 0);
}

function convert(value: unknown, isMarked: boolean, depth: number): Value {
  if (depth > deepestData)
    throw new InputError({
      message: `Data for a chat template lies more than ${deepestData} levels deep, or holds itself.`,
      where: 'chat template',
    });
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return isMarked ? markedText(value) : value;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  // Beyond the safe integers a number of JSON may have had other digits; it is taken as it is.
  if (typeof value === 'number') {
    if (Number.isInteger(value) && !Object.is(value, -0))
      return Number.isSafeInteger(value) ? value : BigInt(value);
    return new Float(value);
  }
  if (value instanceof MarkedData) return convert(value.data, true, depth);
  if (value instanceof PyObject) return value;
  if (Array.isArray(value)) return value.map((item) => convert(item ?? null, isMarked, depth + 1));
  if (value instanceof Map) return convertEntries(value, isMarked, depth);
  if (typeof value !== 'object' || value === undefined) return new Opaque();
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain ? convertEntries(Object.entries(value), isMarked, depth) : new Opaque();
}

function convertEntries(
  entries: Iterable<readonly [unknown, unknown]>,
  isMarked: boolean,
  depth: number,
): Dict {
  const dict = new Dict();
  // As in JSON, a field that is undefined is not there.
  for (const [key, item] of entries)
    if (item !== undefined) dict.set(convert(key, isMarked, depth + 1), convert(item, isMarked, depth + 1));
  return dict;
}
