import { charge } from './meter.js';
import { PyError, type PyErrorKind } from './py-error.js';

/**
 * A value of a template, as Python has it: `None` is null, an `int` a safe integer or a bigint, a `str` a string or a
 * `Text`, a `list` an array. All else is a `PyObject`, so no property of JavaScript is ever in reach of a template.
 */
export type Value = null | boolean | number | bigint | string | Value[] | PyObject;

/** Keyword arguments of a call. */
export type Keywords = Map<string, Value>;

/** Anything that is not a plain number, string, list or constant. */
export abstract class PyObject {
  /** The name of the type in Python. */
  abstract readonly typeName: string;

  /** An attribute other than methods of built-in types; undefined if there is none. */
  attribute(_name: string): Value | undefined {
    return undefined;
  }

  /** What `repr()` gives; containers are printed by `print.ts`. */
  repr(): string {
    return `<${this.typeName} object at 0x7f0000000000>`;
  }

  /** What `bool()` gives. */
  get truth(): boolean {
    return true;
  }

  /** What `len()` gives; undefined if there is no length. */
  count(): number | undefined {
    return undefined;
  }
}

/** A `str` that remembers which of its characters are marked, or that it is safe HTML. */
export class Text extends PyObject {
  readonly text: string;
  /** As long as the text: `x` for a marked unit, `-` for another; undefined if none is marked. */
  readonly mask: string | undefined;
  /** Whether it is a `Markup` of MarkupSafe. */
  readonly isMarkup: boolean;

  constructor(text: string, mask: string | undefined, isMarkup: boolean) {
    super();
    this.text = text;
    this.mask = mask;
    this.isMarkup = isMarkup;
  }

  get typeName(): string {
    return this.isMarkup ? 'Markup' : 'str';
  }
}

export type Str = string | Text;

export const isStr = (value: Value): value is Str => typeof value === 'string' || value instanceof Text;

export const textOf = (value: Str): string => (typeof value === 'string' ? value : value.text);

export class Float extends PyObject {
  readonly typeName = 'float';
  readonly value: number;

  constructor(value: number) {
    super();
    this.value = value;
  }
}

export class Tuple extends PyObject {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }

  get typeName(): string {
    return 'tuple';
  }
}

/** A value that stands for nothing: printed as nothing, false, and an error wherever it is used. */
export class Undefined extends PyObject {
  readonly typeName = 'Undefined';
  readonly kind: PyErrorKind;
  readonly #message: () => string;

  constructor(message: () => string, kind: PyErrorKind = 'UndefinedError') {
    super();
    this.#message = message;
    this.kind = kind;
  }

  /** The error that its use raises. */
  get error(): PyError {
    return new PyError(this.kind, this.#message());
  }

  override repr(): string {
    return 'Undefined';
  }

  override get truth(): boolean {
    return false;
  }
}

/** Something that can be called. */
export abstract class Callable extends PyObject {
  abstract call(args: readonly Value[], keywords: Keywords): Value;
}

export class Range extends PyObject {
  readonly typeName = 'range';
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly length: number;

  constructor(start: number, stop: number, step: number) {
    super();
    this.start = start;
    this.stop = stop;
    this.step = step;
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }

  override repr(): string {
    const { start, stop, step } = this;
    return step === 1 ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`;
  }

  override get truth(): boolean {
    return this.length > 0;
  }
}

/** An iterator or generator: it can be walked once. */
export class Generator extends PyObject {
  readonly typeName: string;
  readonly iterator: Iterator<Value>;
  readonly #name: string;

  /** @param name that of a generator's function, or the type of another iterator */
  constructor(name: string, items: Iterable<Value>) {
    super();
    this.typeName = /iterator$|^reversed$/.test(name) ? name : 'generator';
    this.#name = this.typeName === name ? `${name} object` : `generator object ${name}`;
    this.iterator = items[Symbol.iterator]();
  }

  override repr(): string {
    return `<${this.#name} at 0x7f0000000000>`;
  }
}

/** A value of the program that has no counterpart: true, without attributes. */
export class Opaque extends PyObject {
  readonly typeName = 'object';
}

type HashKey = string | number | bigint | symbol | null | PyObject;

const undefinedKey = Symbol('Undefined');
const objectIds = new WeakMap<PyObject, number>();
let lastId = 0;

function idOf(object: PyObject): number {
  const known = objectIds.get(object);
  if (known !== undefined) return known;
  objectIds.set(object, ++lastId);
  return lastId;
}

const textKey = (text: string): string => (text.startsWith('\0') ? `\0s${text}` : text);

/** Equal for values that are equal as keys of a dict: `1`, `1.0` and `True` are one key. */
export function hashKey(value: Value): HashKey {
  if (typeof value === 'string') return textKey(value);
  if (value === null || typeof value === 'number' || typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Text) return textKey(value.text);
  if (value instanceof Float) {
    const number = value.value;
    return Number.isInteger(number) && !Number.isSafeInteger(number) ? BigInt(number) : number;
  }
  if (value instanceof Tuple) {
    charge(value.items.length);
    return `\0t${value.items
      .map((item) => {
        const key = hashKey(item);
        const text = key instanceof PyObject ? `#${idOf(key)}` : String(key);
        return `${typeof key}${text.length}:${text}`;
      })
      .join(',')}`;
  }
  if (value instanceof Undefined) return undefinedKey;
  if (Array.isArray(value) || value instanceof Dict)
    throw new PyError('TypeError', `unhashable type: '${Array.isArray(value) ? 'list' : 'dict'}'`);
  return value;
}

/** A `dict`: in the order of insertion, with Python's equality of keys. */
export class Dict extends PyObject {
  readonly typeName = 'dict';
  readonly #entries = new Map<HashKey, [key: Value, value: Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    super();
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: Value): boolean {
    return this.#entries.has(hashKey(key));
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(hashKey(key))?.[1];
  }

  /** A key that is there stays as it was written first. */
  set(key: Value, value: Value): void {
    const hash = hashKey(key);
    const known = this.#entries.get(hash);
    if (known) known[1] = value;
    else this.#entries.set(hash, [key, value]);
  }

  keys(): Value[] {
    return [...this.#entries.values()].map(([key]) => key);
  }

  values(): Value[] {
    return [...this.#entries.values()].map(([, value]) => value);
  }

  entries(): IterableIterator<readonly [Value, Value]> {
    return this.#entries.values();
  }

  override get truth(): boolean {
    return this.size > 0;
  }
}

/** What `keys()`, `values()` and `items()` of a dict give. */
export class DictView extends PyObject {
  readonly dict: Dict;
  readonly part: 'keys' | 'values' | 'items';

  constructor(dict: Dict, part: 'keys' | 'values' | 'items') {
    super();
    this.dict = dict;
    this.part = part;
  }

  get typeName(): string {
    return `dict_${this.part}`;
  }

  items(): Value[] {
    charge(this.dict.size);
    if (this.part === 'keys') return this.dict.keys();
    if (this.part === 'values') return this.dict.values();
    return Array.from(this.dict.entries(), ([key, value]) => new Tuple([key, value]));
  }

  override get truth(): boolean {
    return this.dict.size > 0;
  }
}

/** The `namespace` of Jinja: its attributes can be set. */
export class Namespace extends PyObject {
  readonly typeName = 'Namespace';
  readonly attributes: Dict;

  constructor(attributes: Dict) {
    super();
    this.attributes = attributes;
  }

  override attribute(name: string): Value | undefined {
    return this.attributes.get(name);
  }
}

/** The name of a value's type in Python. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' || typeof value === 'bigint') return 'int';
  if (typeof value === 'string') return 'str';
  return Array.isArray(value) ? 'list' : value.typeName;
}
