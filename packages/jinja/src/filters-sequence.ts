import { bind } from './call.js';
import type { Environment, EnvironmentFunction } from './environment.js';
import { itemsIn, itemsOf, iterate, sizeOf, truth } from './iteration.js';
import { lookUp, lookUpAll, withoutCase } from './lookups.js';
import { charge } from './meter.js';
import { indexOf } from './numbers.js';
import { equals, operate, ordered, slice, sorted } from './operators.js';
import { softStr, str } from './printing.js';
import { PyError } from './py-error.js';
import { asMarkup, escaped, isMarkup, joined } from './text.js';
import {
  Dict,
  DictView,
  Generator,
  hashKey,
  isStr,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Keywords,
  type Value,
} from './values.js';

const identity = (value: Value): Value => value;

const caseRule = (sensitive: Value | undefined): ((value: Value) => Value) =>
  truth(sensitive ?? false) ? identity : withoutCase;

/** One of the groups of `groupby`. */
class Group extends Tuple {
  override attribute(name: string): Value | undefined {
    if (name === 'grouper') return this.items[0];
    return name === 'list' ? this.items[1] : undefined;
  }
}

function groups(value: Value, attribute: Value, otherwise: Value, sensitive: Value | undefined): Value {
  const key = lookUp(attribute, { change: caseRule(sensitive), otherwise });
  const shown = lookUp(attribute, { otherwise });
  const rows: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(itemsOf(value), key, false)) {
    const last = rows.at(-1);
    const own = key(item);
    if (last && equals(last.key, own)) last.items.push(item);
    else rows.push({ key: own, items: [item] });
  }
  return rows.map(
    ({ key, items }) => new Group([truth(sensitive ?? false) ? key : shown(items[0] ?? null), items]),
  );
}

function* unique(value: Value, key: (value: Value) => Value): Iterable<Value> {
  const seen = new Set<unknown>();
  for (const item of iterate(value)) {
    const hash = hashKey(key(item));
    if (seen.has(hash)) continue;
    seen.add(hash);
    yield item;
  }
}

function extreme(
  order: '<' | '>',
  value: Value,
  sensitive: Value | undefined,
  attribute: Value | undefined,
): Value {
  const key = lookUp(attribute, { change: caseRule(sensitive) });
  let best: { item: Value; key: Value } | undefined;
  for (const item of iterate(value)) {
    const own = key(item);
    if (!best || ordered(order, own, best.key)) best = { item, key: own };
  }
  return best ? best.item : new Undefined(() => 'No aggregated item, sequence was empty.');
}

/** The items from last to first, of what can be walked that way. */
function backwards(value: Value): Value[] | undefined {
  const isReversible =
    Array.isArray(value) ||
    isStr(value) ||
    value instanceof Tuple ||
    value instanceof Dict ||
    value instanceof DictView ||
    value instanceof Range ||
    value instanceof Undefined;
  return isReversible ? itemsOf(value).reverse() : undefined;
}

function last(value: Value): Value {
  const items = backwards(value);
  if (!items) throw new PyError('TypeError', `'${typeName(value)}' object is not reversible`);
  return items[0] ?? (items.length > 0 ? null : new Undefined(() => 'No last item, sequence was empty.'));
}

/** The type of what `reversed()` gives. */
function reversedName(value: Value): string {
  if (Array.isArray(value)) return 'list_reverseiterator';
  if (value instanceof Range) return 'range_iterator';
  if (value instanceof Dict) return 'dict_reversekeyiterator';
  if (!(value instanceof DictView)) return 'reversed';
  return `dict_reverse${value.part.slice(0, -1)}iterator`;
}

function reversed(value: Value): Value {
  if (isStr(value)) return slice(value, null, null, -1);
  const items = backwards(value);
  if (items) return new Generator(reversedName(value), items);
  if (!itemsIn(value)) throw new PyError('FilterArgumentError', 'argument must be iterable');
  return itemsOf(value).reverse();
}

function* batches(value: Value, size: Value, fill: Value): Iterable<Value> {
  let batch: Value[] = [];
  for (const item of iterate(value)) {
    if (equals(batch.length, size)) {
      yield batch;
      batch = [];
    }
    batch.push(item);
  }
  if (batch.length === 0) return;
  if (fill !== null && ordered('<', batch.length, size)) {
    const missing = indexOf(size) - batch.length;
    charge(missing);
    batch.push(...Array<Value>(missing).fill(fill));
  }
  yield batch;
}

function* slices(value: Value, count: Value, fill: Value): Iterable<Value> {
  const items = itemsOf(value);
  const number = indexOf(count);
  if (number === 0) throw new PyError('ZeroDivisionError', 'integer division or modulo by zero');
  const [size, extra] = [Math.floor(items.length / number), items.length % number];
  let start = 0;
  for (let at = 0; at < number; at++) {
    charge(1);
    const end = start + size + (at < extra ? 1 : 0);
    const row = items.slice(start, end);
    if (fill !== null && at >= extra) row.push(fill);
    yield row;
    start = end;
  }
}

function joinedItems(environment: Environment, value: Value, separator: Value, attribute: Value): Value {
  const items = attribute === null ? iterate(value) : mapped(value, lookUp(attribute));
  if (!environment.autoescape) return joined(Array.from(items, str), str(separator));
  const parts = Array.from(items, softStr);
  if (!isStr(separator) || !isMarkup(separator)) {
    if (!parts.some(isMarkup)) return joined(parts, str(separator));
    return asMarkup(joined(parts.map(escaped), escaped(softStr(separator))));
  }
  return asMarkup(joined(parts.map(escaped), separator));
}

function* mapped(value: Value, change: (item: Value) => Value): Iterable<Value> {
  if (!truth(value)) return;
  for (const item of iterate(value)) yield change(item);
}

function changeOf(
  environment: Environment,
  args: readonly Value[],
  keywords: Keywords,
): (item: Value) => Value {
  const attribute = keywords.get('attribute');
  if (args.length === 0 && attribute !== undefined) {
    const { 0: more } = [...keywords.keys()].filter((name) => name !== 'attribute' && name !== 'default');
    if (more !== undefined) throw new PyError('FilterArgumentError', `Unexpected keyword argument '${more}'`);
    return lookUp(attribute, { otherwise: keywords.get('default') ?? null });
  }
  const [name, ...rest] = args;
  if (name === undefined) throw new PyError('FilterArgumentError', 'map requires a filter argument');
  return (item) => environment.filter(name, item, rest, keywords);
}

function* selected(
  environment: Environment,
  [value = null, ...args]: readonly Value[],
  keywords: Keywords,
  wanted: boolean,
  byAttribute: boolean,
): Iterable<Value> {
  if (!truth(value)) return;
  const [attribute] = args;
  if (byAttribute && attribute === undefined)
    throw new PyError('FilterArgumentError', 'Missing parameter for attribute name');
  const look = byAttribute ? lookUp(attribute) : identity;
  const [name, ...rest] = byAttribute ? args.slice(1) : args;
  const holds = (item: Value): boolean =>
    truth(name === undefined ? item : environment.test(name, item, rest, keywords));
  for (const item of iterate(value)) if (holds(look(item)) === wanted) yield item;
}

const selecting =
  (name: string, wanted: boolean, byAttribute: boolean): EnvironmentFunction =>
  (environment, args, keywords) => {
    if (args.length === 0) throw new PyError('TypeError', `${name}() misses its value`);
    return new Generator('select_or_reject', selected(environment, args, keywords, wanted, byAttribute));
  };

function total(value: Value, attribute: Value, start: Value): Value {
  if (isStr(start)) throw new PyError('TypeError', "sum() can't sum strings [use ''.join(seq) instead]");
  const look = attribute === null ? identity : lookUp(attribute);
  let sum: Value = start;
  for (const item of iterate(value)) sum = operate('+', sum, look(item));
  return sum;
}

function sortedEntries(value: Value, sensitive: Value, by: Value, reverse: Value): Value {
  if (value instanceof Undefined) throw value.error;
  const position = isStr(by) ? ['key', 'value'].indexOf(textOf(by)) : -1;
  if (position < 0) throw new PyError('FilterArgumentError', 'You can only sort by either "key" or "value"');
  if (!(value instanceof Dict))
    throw new PyError('AttributeError', `'${typeName(value)}' object has no attribute 'items'`);
  const entries = new DictView(value, 'items').items();
  const change = caseRule(sensitive);
  return sorted(entries, (entry) => change((entry as Tuple).items[position] ?? null), truth(reverse));
}

function entriesOf(value: Value): Value {
  return new Generator('do_items', entries(value));
}

function* entries(value: Value): Iterable<Value> {
  if (value instanceof Undefined) return;
  if (!(value instanceof Dict)) throw new PyError('TypeError', 'Can only get item pairs from a mapping.');
  yield* new DictView(value, 'items').items();
}

type Body = (environment: Environment, value: Value, ...args: (Value | undefined)[]) => Value;

/** A filter with named parameters, of which the first is its value. */
export const filterOf = (name: string, signature: string, body: Body): EnvironmentFunction => {
  const parameters = ['value', ...signature.split(/[ ,]+/).filter((part) => part !== '')];
  return (environment, args, keywords) => {
    const [value = null, ...rest] = bind(name, parameters, args, keywords);
    return body(environment, value, ...rest);
  };
};

const definitions: Readonly<Record<string, readonly [signature: string, body: Body]>> = {
  batch: [
    'linecount, fill_with?',
    (_, value, size, fill) => new Generator('do_batch', batches(value, size ?? null, fill ?? null)),
  ],
  count: ['', (_, value) => sizeOf(value)],
  dictsort: [
    'case_sensitive?, by?, reverse?',
    (_, value, sensitive = false, by = 'key', reverse = false) =>
      sortedEntries(value, sensitive, by, reverse),
  ],
  first: [
    '',
    (_, value) => {
      const next = iterate(value).next();
      return next.done ? new Undefined(() => 'No first item, sequence was empty.') : next.value;
    },
  ],
  groupby: [
    'attribute, default?, case_sensitive?',
    (_, value, attribute, otherwise, sensitive) =>
      groups(value, attribute ?? null, otherwise ?? null, sensitive),
  ],
  items: ['', (_, value) => entriesOf(value)],
  join: [
    'd?, attribute?',
    (environment, value, separator = '', attribute = null) =>
      joinedItems(environment, value, separator, attribute),
  ],
  last: ['', (_, value) => last(value)],
  length: ['', (_, value) => sizeOf(value)],
  list: ['', (_, value) => itemsOf(value)],
  max: [
    'case_sensitive?, attribute?',
    (_, value, sensitive, attribute) => extreme('>', value, sensitive, attribute),
  ],
  min: [
    'case_sensitive?, attribute?',
    (_, value, sensitive, attribute) => extreme('<', value, sensitive, attribute),
  ],
  random: [
    '',
    (_, value) => {
      const items = itemsOf(value);
      const item = items[Math.floor(Math.random() * items.length)];
      return item === undefined ? new Undefined(() => 'No random item, sequence was empty.') : item;
    },
  ],
  reverse: ['', (_, value) => reversed(value)],
  slice: [
    'slices, fill_with?',
    (_, value, count, fill) => new Generator('sync_do_slice', slices(value, count ?? null, fill ?? null)),
  ],
  sort: [
    'reverse?, case_sensitive?, attribute?',
    (_, value, reverse, sensitive, attribute) => {
      const keys = lookUpAll(attribute, caseRule(sensitive));
      return sorted(itemsOf(value), keys, truth(reverse ?? false));
    },
  ],
  sum: ['attribute?, start?', (_, value, attribute = null, start = 0) => total(value, attribute, start)],
  unique: [
    'case_sensitive?, attribute?',
    (_, value, sensitive, attribute) =>
      new Generator('sync_do_unique', unique(value, lookUp(attribute, { change: caseRule(sensitive) }))),
  ],
};

/** Filters of sequences and dicts. */
export const sequenceFilters: Readonly<Record<string, EnvironmentFunction>> = {
  ...Object.fromEntries(
    Object.entries(definitions).map(([name, [signature, body]]) => [name, filterOf(name, signature, body)]),
  ),
  map: (environment, [value = null, ...args], keywords) => {
    const items = function* (): Iterable<Value> {
      if (truth(value)) yield* mapped(value, changeOf(environment, args, keywords));
    };
    return new Generator('sync_do_map', items());
  },
  reject: selecting('reject', false, false),
  rejectattr: selecting('rejectattr', false, true),
  select: selecting('select', true, false),
  selectattr: selecting('selectattr', true, true),
};
