import { PyError } from './py-error.js';
import { Callable, type Keywords, type Value } from './values.js';

/**
 * Names of parameters in their order: `name?` may be left out, and `/` at the beginning says that all are given by
 * position only.
 */
export type Signature = readonly string[];

/** Arguments of a call by the parameters of a function; undefined where one is left out. */
export function bind(
  name: string,
  signature: Signature,
  args: readonly Value[],
  keywords: Keywords,
): (Value | undefined)[] {
  const positionalOnly = signature[0] === '/';
  const parameters = positionalOnly ? signature.slice(1) : signature;
  if (args.length > parameters.length)
    throw new PyError(
      'TypeError',
      `${name}() takes at most ${parameters.length} arguments (${args.length} given)`,
    );
  const values: (Value | undefined)[] = [...args];
  for (const [keyword, value] of keywords) {
    const at = positionalOnly
      ? -1
      : parameters.findIndex((parameter) => parameter.replace('?', '') === keyword);
    if (at < 0) throw new PyError('TypeError', `${name}() got an unexpected keyword argument '${keyword}'`);
    if (values[at] !== undefined)
      throw new PyError('TypeError', `${name}() got multiple values for argument '${keyword}'`);
    values[at] = value;
  }
  parameters.forEach((parameter, at) => {
    if (values[at] === undefined && !parameter.endsWith('?'))
      throw new PyError('TypeError', `${name}() missing required argument: '${parameter}'`);
  });
  return values;
}

/** A function of the environment, or a method bound to its object. */
export class Builtin extends Callable {
  readonly typeName: string = 'builtin_function_or_method';
  readonly name: string;
  readonly #body: (args: readonly Value[], keywords: Keywords) => Value;
  readonly #owner: string;

  /** @param owner the type whose method it is */
  constructor(name: string, body: (args: readonly Value[], keywords: Keywords) => Value, owner?: string) {
    super();
    this.#owner = owner === undefined ? '' : ` of ${owner} object`;
    this.name = name;
    this.#body = body;
  }

  call(args: readonly Value[], keywords: Keywords): Value {
    return this.#body(args, keywords);
  }

  override repr(): string {
    return `<built-in method ${this.name}${this.#owner} at 0x7f0000000000>`;
  }
}

/** A function with named parameters. */
export interface Definition<Self> {
  readonly signature: Signature;
  readonly body: (self: Self, ...args: (Value | undefined)[]) => Value;
}

/** Shorthand of tables of methods. */
export const define = <Self>(signature: string, body: Definition<Self>['body']): Definition<Self> => ({
  signature: signature.split(/[ ,]+/).filter((name) => name !== ''),
  body,
});

/** Calls a definition with arguments as a template gives them. */
export const callDefinition = <Self>(
  name: string,
  { signature, body }: Definition<Self>,
  self: Self,
  args: readonly Value[],
  keywords: Keywords,
): Value => body(self, ...bind(name, signature, args, keywords));
