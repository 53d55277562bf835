import type { Environment } from './environment.js';
import { sequenceFilters } from './filters-sequence.js';
import { textFilters } from './filters-text.js';
import { charge } from './meter.js';
import { PyError } from './py-error.js';
import { tests } from './tests.js';
import { isStr, textOf, Undefined, type Keywords, type Str, type Value } from './values.js';

const filters = { ...sequenceFilters, ...textFilters };

export const hasFilter = (name: string): boolean => Object.hasOwn(filters, name);
export const hasTest = (name: string): boolean => Object.hasOwn(tests, name);

function textName(kind: 'filter' | 'test', name: Value): string {
  if (isStr(name)) return textOf(name);
  const reason =
    name instanceof Undefined ? ` (${name.error.message}; did you forget to quote the callable name?)` : '';
  throw new PyError('TemplateRuntimeError', `No ${kind} of this name.${reason}`);
}

/** Calls a filter of a name that was written in the template. */
export function callFilter(
  environment: Environment,
  name: string,
  args: readonly Value[],
  keywords: Keywords,
): Value {
  charge(1);
  const filter = hasFilter(name) ? filters[name] : undefined;
  if (!filter) throw new PyError('TemplateRuntimeError', `No filter named '${name}'.`);
  return filter(environment, args, keywords);
}

/** Calls a test of a name that was written in the template. */
export function callTest(
  environment: Environment,
  name: string,
  args: readonly Value[],
  keywords: Keywords,
): Value {
  charge(1);
  const test = hasTest(name) ? tests[name] : undefined;
  if (!test) throw new PyError('TemplateRuntimeError', `No test named '${name}'.`);
  return test(environment, args, keywords);
}

/** The variables of one rendering, and what filters and tests need of it. */
export class Context implements Environment {
  readonly #given: ReadonlyMap<string, Value>;
  /** Variables that the template set outside of loops and macros. */
  readonly #exported = new Map<string, Value>();
  autoescape = false;

  constructor(given: ReadonlyMap<string, Value>) {
    this.#given = given;
  }

  lookUp(name: string): Value | undefined {
    return this.#exported.has(name) ? this.#exported.get(name) : this.#given.get(name);
  }

  export(name: string, value: Value): void {
    this.#exported.set(name, value);
  }

  /** A context that knows the variables of a frame as well. */
  derived(variables: Iterable<readonly [string, Value]>): Context {
    const context = new Context(new Map([...this.#given, ...this.#exported, ...variables]));
    context.autoescape = this.autoescape;
    return context;
  }

  readonly hasFilter = hasFilter;
  readonly hasTest = hasTest;
  readonly filter: Environment['filter'] = (name, value, args, keywords) =>
    callFilter(this, textName('filter', name), [value, ...args], keywords);
  readonly test: Environment['test'] = (name, value, args, keywords) =>
    callTest(this, textName('test', name), [value, ...args], keywords);
}

/** The variables of a frame while it runs; undefined where none is set. */
export class Frame {
  readonly context: Context;
  readonly parent: Frame | undefined;
  readonly slots: (Value | undefined)[];

  constructor(context: Context, parent: Frame | undefined, size: number) {
    this.context = context;
    this.parent = parent;
    this.slots = Array<Value | undefined>(size).fill(undefined);
  }

  /** The frame some levels further out. */
  outer(hops: number): Frame {
    return hops === 0 || !this.parent ? this : this.parent.outer(hops - 1);
  }
}

/** Computes an expression. */
export type Evaluate = (frame: Frame) => Value;

/** How a statement ends: `done`, or on the way to the next or past the last round of a loop. */
export type Signal = 'done' | 'break' | 'continue';

/** Runs a statement, which adds to the printed parts. */
export type Execute = (frame: Frame, out: Str[]) => Signal;
