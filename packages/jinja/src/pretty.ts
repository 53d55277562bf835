import { charge } from './meter.js';
import { ordered } from './operators.js';
import { repr } from './printing.js';
import { isPyError } from './py-error.js';
import { lines } from './string-methods.js';
import { joined, lengthOf, sliced } from './text.js';
import { Dict, isStr, textOf, Tuple, typeName, type Str, type Value } from './values.js';

/** Columns of a line. */
const width = 80;

/** Sorts keys as `pprint` does: those that have no order by the names of their types. */
function sortedKeys(dict: Dict): Value[] {
  const isBefore = (left: Value, right: Value): boolean => {
    try {
      return ordered('<', left, right);
    } catch (error) {
      if (!isPyError(error, 'TypeError')) throw error;
      return typeName(left) < typeName(right);
    }
  };
  charge(dict.size);
  return dict.keys().sort((a, b) => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0));
}

/** A copy of which all dicts are sorted, for `repr`. */
function inOrder(value: Value): Value {
  charge(1);
  if (Array.isArray(value)) return value.map(inOrder);
  if (value instanceof Tuple) return new Tuple(value.items.map(inOrder));
  if (!(value instanceof Dict)) return value;
  return new Dict(sortedKeys(value).map((key) => [key, inOrder(value.get(key) ?? null)]));
}

/** What `pprint.pformat` gives. */
export const pretty = (value: Value): Str => format(inOrder(value), 0, 0, 1);

/** @param room columns that what follows in the last line needs */
function format(value: Value, indent: number, room: number, level: number): Str {
  const whole = repr(value);
  if (lengthOf(whole) <= width - indent - room) return whole;
  if (value instanceof Dict) return rows('{', dictRows(value, indent + 1, room + 1, level), '}', indent);
  if (Array.isArray(value)) return rows('[', itemRows(value, indent + 1, room + 1, level), ']', indent);
  if (value instanceof Tuple) {
    const end = value.items.length === 1 ? ',)' : ')';
    return rows('(', itemRows(value.items, indent + 1, room + end.length, level), end, indent);
  }
  return isStr(value) ? text(value, indent, room, level) : whole;
}

const rows = (open: string, parts: readonly Str[], close: string, indent: number): Str =>
  joined([open, joined(parts, `,\n${' '.repeat(indent + 1)}`), close]);

const itemRows = (items: readonly Value[], indent: number, room: number, level: number): Str[] =>
  items.map((item, at) => format(item, indent, at === items.length - 1 ? room : 1, level + 1));

function dictRows(dict: Dict, indent: number, room: number, level: number): Str[] {
  return Array.from(dict.entries(), ([key, value], at) => {
    const name = repr(key);
    const last = at === dict.size - 1;
    return joined([name, ': ', format(value, indent + lengthOf(name) + 2, last ? room : 1, level + 1)]);
  });
}

/** A long text, as literals one below the other that Python would join. */
function text(value: Str, outer: number, outerRoom: number, level: number): Str {
  const isTop = level === 1;
  const [indent, room] = isTop ? [outer + 1, outerRoom + 1] : [outer, outerRoom];
  const all = lines(value, true);
  const parts = all.flatMap((line, at) => {
    const last = at === all.length - 1;
    const literal = repr(line);
    if (lengthOf(literal) <= width - indent - (last ? room : 0)) return [literal];
    return words(line, width - indent, last ? room : 0);
  });
  if (parts.length <= 1) return repr(value);
  const body = joined(parts, `\n${' '.repeat(indent)}`);
  return isTop ? joined(['(', body, ')']) : body;
}

/** A line cut after white space into literals that fit. */
function words(line: Str, most: number, room: number): Str[] {
  const source = textOf(line);
  const ends = Array.from(source.matchAll(/\S*\s*/g), (match) => match.index + match[0].length);
  ends.pop();
  const parts: Str[] = [];
  let start = 0;
  let end = 0;
  ends.forEach((next, at) => {
    charge(1);
    const fits = lengthOf(repr(sliced(line, start, next))) <= most - (at === ends.length - 1 ? room : 0);
    if (!fits) {
      if (end > start) parts.push(repr(sliced(line, start, end)));
      start = end;
    }
    end = next;
  });
  if (end > start) parts.push(repr(sliced(line, start, end)));
  return parts;
}
