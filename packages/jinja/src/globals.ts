import { bind, Builtin } from './call.js';
import { itemsOf } from './iteration.js';
import { admit } from './meter.js';
import { indexOf, intOf, isInt } from './numbers.js';
import { str } from './printing.js';
import { PyError } from './py-error.js';
import { strftime } from './strftime.js';
import { derived } from './text.js';
import {
  Dict,
  isStr,
  Namespace,
  PyObject,
  Range,
  textOf,
  typeName,
  type Keywords,
  type Value,
} from './values.js';

/** As many items as a `range` of the sandbox may have. */
const mostOfRange = 100_000;

function range(args: readonly Value[], keywords: Keywords): Value {
  const bounds = bind('range', ['/', 'start', 'stop?', 'step?'], args, keywords).filter(
    (bound) => bound !== undefined,
  );
  const tooLarge = (): PyError =>
    new PyError(
      'OverflowError',
      `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${mostOfRange}).`,
    );
  const numbers = bounds.map((bound) => {
    if (isInt(bound) && typeof intOf(bound) === 'bigint') throw tooLarge();
    return indexOf(bound);
  });
  const [start = 0, stop = 0, step = 1] = numbers.length === 1 ? [0, numbers[0]] : numbers;
  if (step === 0) throw new PyError('ValueError', 'range() arg 3 must not be zero');
  const result = new Range(start, stop, step);
  if (result.length > mostOfRange) throw tooLarge();
  return result;
}

/** What `dict()` makes of a mapping or of pairs, and of keywords. */
function dict(name: string, args: readonly Value[], keywords: Keywords): Dict {
  if (args.length > 1)
    throw new PyError('TypeError', `${name} expected at most 1 argument, got ${args.length}`);
  const [given] = args;
  const result = new Dict();
  if (given instanceof Dict) for (const [key, value] of given.entries()) result.set(key, value);
  else if (given !== undefined)
    for (const pair of itemsOf(given)) {
      const [key, value, ...more] = itemsOf(pair);
      if (key === undefined || value === undefined || more.length > 0)
        throw new PyError(
          'ValueError',
          'dictionary update sequence element has a wrong length; 2 is required',
        );
      result.set(key, value);
    }
  for (const [key, value] of keywords) result.set(key, value);
  return result;
}

/** Jinja's `cycler`. */
class Cycler extends PyObject {
  readonly typeName = 'Cycler';
  readonly #items: readonly Value[];
  #at = 0;

  constructor(items: readonly Value[]) {
    super();
    this.#items = items;
  }

  override attribute(name: string): Value | undefined {
    const current = this.#items[this.#at] ?? null;
    switch (name) {
      case 'items':
        return [...this.#items];
      case 'pos':
        return this.#at;
      case 'current':
        return current;
      case 'next':
        return new Builtin(name, () => {
          const item = this.#items[this.#at] ?? null;
          this.#at = (this.#at + 1) % this.#items.length;
          return item;
        });
      case 'reset':
        return new Builtin(name, () => {
          this.#at = 0;
          return null;
        });
      default:
        return undefined;
    }
  }
}

function joiner(args: readonly Value[], keywords: Keywords): Value {
  const [separator = ', '] = bind('joiner', ['sep?'], args, keywords);
  let isUsed = false;
  return new Builtin('joiner', () => {
    if (isUsed) return separator;
    isUsed = true;
    return '';
  });
}

/** The functions that templates find, among them those of transformers. */
export function globalsAt(now: Date): Map<string, Value> {
  const functions: Readonly<Record<string, (args: readonly Value[], keywords: Keywords) => Value>> = {
    range,
    dict: (args, keywords) => dict('dict', args, keywords),
    namespace: (args, keywords) => new Namespace(dict('namespace', args, keywords)),
    cycler: (args) => {
      if (args.length === 0) throw new PyError('RuntimeError', 'at least one item has to be provided');
      return new Cycler(args);
    },
    joiner,
    raise_exception: (args, keywords) => {
      const [message = null] = bind('raise_exception', ['message'], args, keywords);
      throw new PyError('TemplateError', textOf(str(message)));
    },
    strftime_now: (args, keywords) => {
      const [format = null] = bind('strftime_now', ['format'], args, keywords);
      if (!isStr(format))
        throw new PyError('TypeError', `strftime() argument 1 must be str, not ${typeName(format)}`);
      admit(textOf(format).length * 32);
      return derived(strftime(now, textOf(format)), format);
    },
  };
  return new Map(Object.entries(functions).map(([name, body]) => [name, new Builtin(name, body)]));
}
