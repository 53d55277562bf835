import { bind, Builtin, callDefinition, define, type Definition } from './call.js';
import { itemsOf, sizeIn } from './iteration.js';
import { charge } from './meter.js';
import { floatOf, int, intOf, isInt, type Int } from './numbers.js';
import { equals, findItem, item } from './operators.js';
import { repr } from './printing.js';
import { isPyError, PyError } from './py-error.js';
import { formatString } from './str-format.js';
import { callStringMethod, stringMethodNames } from './string-methods.js';
import {
  Callable,
  Dict,
  DictView,
  Float,
  isStr,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Keywords,
  type Str,
  type Value,
} from './values.js';

/** What Jinja calls the type of an object in messages. */
const described = (value: Value): string => (value === null ? 'None' : `${typeName(value)} object`);

/** What a missing attribute or item is. */
function missing(value: Value, name: Value): Undefined {
  return new Undefined(() =>
    isStr(name)
      ? `'${described(value)}' has no attribute ${textOf(repr(name))}`
      : `${described(value)} has no element ${textOf(repr(name))}`,
  );
}

// `undefined` is what was not found; null is None, which was.
const orMissing = (found: Value | undefined, value: Value, name: Value): Value =>
  found === undefined ? missing(value, name) : found;

const unsafe = (value: Value, name: string): Undefined =>
  new Undefined(
    () => `access to attribute '${name}' of '${typeName(value)}' object is unsafe.`,
    'SecurityError',
  );

const changing: Readonly<Record<string, ReadonlySet<string>>> = {
  dict: new Set(['clear', 'pop', 'popitem', 'setdefault', 'update']),
  list: new Set(['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove']),
};

/** Attributes that every object of Python has. */
const ofEveryObject =
  /^__(?:class|delattr|dir|doc|eq|format|ge|getattribute|getstate|gt|hash|init|init_subclass|le|lt|ne|new|reduce|reduce_ex|repr|setattr|sizeof|str|subclasshook|call|len|iter|getitem|contains|add|mul|mod|dict|module|globals|code)__$/;

/** `value.name`, as the sandbox gives it: an attribute first, then an item. */
export function attributeOrItem(value: Value, name: string): Value {
  charge(1);
  if (value instanceof Undefined) throw value.error;
  const attribute = safeAttribute(value, name);
  if (attribute !== undefined) return attribute;
  return orMissing(tried(value, name), value, name);
}

/** `value[key]`, as the sandbox gives it: an item first, then an attribute. */
export function itemOrAttribute(value: Value, key: Value): Value {
  charge(1);
  const found = tried(value, key);
  if (found !== undefined) return found;
  return orMissing(isStr(key) ? safeAttribute(value, textOf(key)) : undefined, value, key);
}

/** `value | attr(name)`: an attribute only. */
export function attributeOnly(value: Value, name: string): Value {
  if (value instanceof Undefined) throw value.error;
  return orMissing(safeAttribute(value, name), value, name);
}

function tried(value: Value, key: Value): Value | undefined {
  try {
    return findItem(value, key);
  } catch (error) {
    // A list or dict is no key.
    if (isPyError(error, 'TypeError')) return undefined;
    throw error;
  }
}

function safeAttribute(value: Value, name: string): Value | undefined {
  const attribute = attributeOf(value, name);
  if (attribute !== undefined) return name.startsWith('_') ? unsafe(value, name) : attribute;
  return ofEveryObject.test(name) || changing[typeName(value)]?.has(name) ? unsafe(value, name) : undefined;
}

function attributeOf(value: Value, name: string): Value | undefined {
  if (isStr(value)) return stringMethod(value, name);
  if (Array.isArray(value)) return method(listMethods, value, name);
  if (value instanceof Dict) return method(dictMethods, value, name);
  if (value instanceof Tuple) {
    const named = value.attribute(name);
    return named === undefined ? method(listMethods, [...value.items], name, ['copy']) : named;
  }
  if (isInt(value)) return intAttribute(intOf(value), name);
  if (value instanceof Float) return floatAttribute(value, name);
  if (value instanceof Range) return rangeAttribute(value, name);
  return value === null ? undefined : value.attribute(name);
}

function stringMethod(value: Str, name: string): Value | undefined {
  if (name === 'format' || name === 'format_map')
    return new Builtin(name, (args, keywords) => formatCall(value, name, args, keywords), 'str');
  return stringMethodNames.has(name)
    ? new Builtin(name, (args, keywords) => callStringMethod(value, name, args, keywords), typeName(value))
    : undefined;
}

function formatCall(value: Str, name: string, args: readonly Value[], keywords: Keywords): Value {
  const isMap = name === 'format_map';
  const mapping = isMap ? (bind(name, ['/', 'mapping'], args, keywords)[0] ?? null) : undefined;
  return formatString(value, {
    attribute: attributeOrItem,
    item: itemOrAttribute,
    positional: (at) => {
      const given = isMap ? undefined : args[at];
      if (given === undefined)
        throw new PyError('IndexError', `Replacement index ${at} out of range for positional args tuple`);
      return given;
    },
    named: (key) => {
      if (mapping !== undefined) return item(mapping, key);
      const given = keywords.get(textOf(key));
      if (given === undefined) throw new PyError('KeyError', textOf(key));
      return given;
    },
  });
}

function method<Self>(
  methods: Readonly<Record<string, Definition<Self>>>,
  self: Self,
  name: string,
  without: readonly string[] = [],
): Value | undefined {
  const found = Object.hasOwn(methods, name) && !without.includes(name) ? methods[name] : undefined;
  return (
    found &&
    new Builtin(
      name,
      (args, keywords) => callDefinition(name, found, self, args, keywords),
      Array.isArray(self) ? 'list' : 'dict',
    )
  );
}

const listMethods: Readonly<Record<string, Definition<Value[]>>> = {
  copy: define('/', (self) => [...self]),
  count: define('/, value', (self, value) => self.filter((item) => equals(item, value ?? null)).length),
  index: define('/, value, start?, stop?', (self, value, start, stop) => {
    const bound = (given: Value | undefined, otherwise: number): number => {
      const at = given !== undefined && isInt(given) ? Number(intOf(given)) : otherwise;
      return at < 0 ? Math.max(0, at + self.length) : at;
    };
    const end = bound(stop, self.length);
    for (let at = bound(start, 0); at < Math.min(end, self.length); at++)
      if (equals(self[at] ?? null, value ?? null)) return at;
    throw new PyError('ValueError', 'value is not in list');
  }),
};

const dictMethods: Readonly<Record<string, Definition<Dict>>> = {
  copy: define('/', (self) => new Dict(self.entries())),
  fromkeys: define(
    '/, iterable, value?',
    (_self, keys, value) => new Dict(itemsOf(keys ?? null).map((key) => [key, value ?? null])),
  ),
  get: define('/, key, default?', (self, key = null, otherwise = null) => {
    const found = self.get(key);
    return found === undefined ? otherwise : found;
  }),
  items: define('/', (self) => new DictView(self, 'items')),
  keys: define('/', (self) => new DictView(self, 'keys')),
  values: define('/', (self) => new DictView(self, 'values')),
};

const constant = (name: string, value: () => Value): Value =>
  new Builtin(name, (args, keywords) => {
    bind(name, [], args, keywords);
    return value();
  });

function intAttribute(value: Int, name: string): Value | undefined {
  const bits = (value < 0 ? -value : value).toString(2);
  switch (name) {
    case 'real':
    case 'numerator':
      return value;
    case 'imag':
      return 0;
    case 'denominator':
      return 1;
    case 'bit_length':
      return constant(name, () => (value === 0 ? 0 : bits.length));
    case 'bit_count':
      return constant(name, () => bits.replaceAll('0', '').length);
    case 'conjugate':
      return constant(name, () => value);
    case 'as_integer_ratio':
      return constant(name, () => new Tuple([value, 1]));
    default:
      return undefined;
  }
}

function floatAttribute(value: Float, name: string): Value | undefined {
  switch (name) {
    case 'real':
      return value;
    case 'imag':
      return new Float(0);
    case 'is_integer':
      return constant(name, () => Number.isInteger(value.value));
    case 'conjugate':
      return constant(name, () => value);
    case 'as_integer_ratio':
      return constant(name, () => integerRatio(floatOf(value)));
    default:
      return undefined;
  }
}

function integerRatio(value: number): Tuple {
  if (!Number.isFinite(value))
    throw new PyError(
      Number.isNaN(value) ? 'ValueError' : 'OverflowError',
      'cannot convert infinity or NaN to integer ratio',
    );
  let denominator = 1n;
  let numerator = value;
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    denominator *= 2n;
  }
  return new Tuple([int(BigInt(numerator)), int(denominator)]);
}

function rangeAttribute(value: Range, name: string): Value | undefined {
  if (name === 'start' || name === 'stop' || name === 'step') return value[name];
  return method(listMethods, itemsOf(value), name, ['copy']);
}

/** Calls a value. */
export function call(value: Value, args: readonly Value[], keywords: Keywords): Value {
  charge(1);
  if (value instanceof Callable) return value.call(args, keywords);
  if (value instanceof Undefined) throw value.error;
  throw new PyError('TypeError', `'${typeName(value)}' object is not callable`);
}

/** Whether a value has a length and items by number or key. */
export const isSequence = (value: Value): boolean =>
  sizeIn(value) !== undefined && !(value instanceof DictView);
