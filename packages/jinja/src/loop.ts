import { bind, Builtin } from './call.js';
import { iterate, sizeIn } from './iteration.js';
import { equals } from './operators.js';
import { PyError } from './py-error.js';
import { Callable, Tuple, Undefined, type Keywords, type Value } from './values.js';

/** The variable `loop`. It reads ahead by one item, and all items where it is asked for their number. */
export class Loop extends Callable {
  readonly typeName = 'LoopContext';
  readonly #recurse: ((items: Value, depth: number) => Value) | undefined;
  readonly #depth: number;
  #iterator: Iterator<Value>;
  #length: number | undefined;
  #index0 = -1;
  #before: Value | undefined;
  #current: Value | undefined;
  #ahead: Value | undefined;
  #changed: Tuple | undefined;

  constructor(
    items: Value | Iterable<Value>,
    recurse: ((items: Value, depth: number) => Value) | undefined,
    depth: number,
  ) {
    super();
    const isValue = (given: Value | Iterable<Value>): given is Value =>
      given === null || typeof given !== 'object' || Array.isArray(given) || !(Symbol.iterator in given);
    this.#iterator = isValue(items) ? iterate(items) : items[Symbol.iterator]();
    this.#length = isValue(items) ? sizeIn(items) : undefined;
    this.#recurse = recurse;
    this.#depth = depth;
  }

  /** The next item, or undefined at the end. */
  advance(): Value | undefined {
    const item = this.#peek();
    this.#ahead = undefined;
    if (item === undefined) return undefined;
    this.#index0++;
    this.#before = this.#current;
    this.#current = item;
    return item;
  }

  #peek(): Value | undefined {
    if (this.#ahead === undefined) {
      const next = this.#iterator.next();
      if (!next.done) this.#ahead = next.value as Value;
    }
    return this.#ahead;
  }

  override count(): number {
    if (this.#length === undefined) {
      const rest: Value[] = [];
      for (let next = this.#iterator.next(); !next.done; next = this.#iterator.next())
        rest.push(next.value as Value);
      this.#iterator = rest[Symbol.iterator]();
      this.#length = rest.length + this.#index0 + 1 + (this.#ahead === undefined ? 0 : 1);
    }
    return this.#length;
  }

  override get truth(): boolean {
    return this.count() > 0;
  }

  override repr(): string {
    return `<LoopContext ${this.#index0 + 1}/${this.count()}>`;
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'index0':
        return this.#index0;
      case 'index':
        return this.#index0 + 1;
      case 'length':
        return this.count();
      case 'revindex0':
        return this.count() - this.#index0 - 1;
      case 'revindex':
        return this.count() - this.#index0;
      case 'first':
        return this.#index0 === 0;
      case 'last':
        return this.#peek() === undefined;
      case 'depth0':
        return this.#depth;
      case 'depth':
        return this.#depth + 1;
      case 'previtem':
        return this.#index0 === 0 ? new Undefined(() => 'there is no previous item') : (this.#before ?? null);
      case 'nextitem': {
        const next = this.#peek();
        return next === undefined ? new Undefined(() => 'there is no next item') : next;
      }
      case 'cycle':
        return new Builtin(name, (args) => {
          if (args.length === 0) throw new PyError('TypeError', 'no items for cycling given');
          return args[this.#index0 % args.length] ?? null;
        });
      case 'changed':
        return new Builtin(name, (args) => this.#hasChanged(new Tuple(args)));
      default:
        return undefined;
    }
  }

  #hasChanged(values: Tuple): boolean {
    if (this.#changed && equals(this.#changed, values)) return false;
    this.#changed = values;
    return true;
  }

  /** Renders the body of the loop for inner items. */
  call(args: readonly Value[], keywords: Keywords): Value {
    const [items = null] = bind('loop', ['iterable'], args, keywords);
    if (!this.#recurse)
      throw new PyError('TypeError', "The loop must have the 'recursive' marker to be called recursively.");
    return this.#recurse(items, this.#depth + 1);
  }
}
