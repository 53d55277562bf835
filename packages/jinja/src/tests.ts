import { isSequence } from './attributes.js';
import { classes } from './casing.js';
import type { Environment, EnvironmentFunction } from './environment.js';
import { filterOf } from './filters-sequence.js';
import { itemsIn } from './iteration.js';
import { isInt, isNumber } from './numbers.js';
import { contains, equals, identical, operate, ordered } from './operators.js';
import { percentFormat } from './percent.js';
import { str } from './printing.js';
import { isMarkup } from './text.js';
import { Callable, Dict, Float, hashKey, isStr, textOf, Undefined, type Value } from './values.js';

/** What `%` gives: of a text, a format filled in. */
export const modulo = (left: Value, right: Value): Value =>
  isStr(left) ? percentFormat(left, right) : operate('%', left, right);

const inClass = (value: Value, name: string): boolean => classes[name]?.(textOf(str(value))) ?? false;

/** Names are looked up as keys of a dict. */
const isKnown = (value: Value, has: (name: string) => boolean): boolean => {
  hashKey(value);
  return isStr(value) && has(textOf(value));
};

type Body = (value: Value, other: Value, environment: Environment) => boolean;

const alone: Readonly<Record<string, Body>> = {
  boolean: (value) => typeof value === 'boolean',
  callable: (value) => value instanceof Callable || value instanceof Undefined,
  defined: (value) => !(value instanceof Undefined),
  escaped: (value) => isMarkup(value),
  even: (value) => equals(modulo(value, 2), 0),
  false: (value) => value === false,
  filter: (value, _, environment) => isKnown(value, environment.hasFilter),
  float: (value) => value instanceof Float,
  integer: (value) => isInt(value) && typeof value !== 'boolean',
  iterable: (value) => itemsIn(value) !== undefined,
  lower: (value) => inClass(value, 'islower'),
  mapping: (value) => value instanceof Dict,
  none: (value) => value === null,
  number: (value) => isNumber(value),
  odd: (value) => equals(modulo(value, 2), 1),
  sequence: (value) => isSequence(value),
  string: (value) => isStr(value),
  test: (value, _, environment) => isKnown(value, environment.hasTest),
  true: (value) => value === true,
  undefined: (value) => value instanceof Undefined,
  upper: (value) => inClass(value, 'isupper'),
};

const isEqual: Body = (value, other) => equals(value, other);
const isUnequal: Body = (value, other) => !equals(value, other);
const isGreater: Body = (value, other) => ordered('>', value, other);
const isAtLeast: Body = (value, other) => ordered('>=', value, other);
const isLess: Body = (value, other) => ordered('<', value, other);
const isAtMost: Body = (value, other) => ordered('<=', value, other);

const withOther: Readonly<Record<string, Body>> = {
  divisibleby: (value, other) => equals(modulo(value, other), 0),
  in: (value, other) => contains(other, value),
  sameas: (value, other) => identical(value, other),
  '==': isEqual,
  eq: isEqual,
  equalto: isEqual,
  '!=': isUnequal,
  ne: isUnequal,
  '>': isGreater,
  gt: isGreater,
  greaterthan: isGreater,
  '>=': isAtLeast,
  ge: isAtLeast,
  '<': isLess,
  lt: isLess,
  lessthan: isLess,
  '<=': isAtMost,
  le: isAtMost,
};

/** Names of the second argument where it may be given by name. */
const otherNames: Readonly<Record<string, string>> = { divisibleby: 'num', sameas: 'other', in: 'seq' };

const entry = (name: string, signature: string, body: Body): [string, EnvironmentFunction] => [
  name,
  filterOf(name, signature, (environment, value, other) => body(value, other ?? null, environment)),
];

/** The tests of Jinja by name. */
export const tests: Readonly<Record<string, EnvironmentFunction>> = Object.fromEntries([
  ...Object.entries(alone).map(([name, body]) => entry(name, '', body)),
  ...Object.entries(withOther).map(([name, body]) => entry(name, otherNames[name] ?? 'other', body)),
]);
