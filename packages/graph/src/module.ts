import { ConfigError } from '@weft/errors';
import { Parameter } from './parameter.js';
import type { AnyModule, Part, Parts } from './part.js';
import { joinPath, withPath } from './path.js';
import { currentTrace } from './trace-context.js';
import type { Value } from './value.js';

/** Parts as the functions of a module see them: parameters have become values of the graph being traced. */
export type Bound<P> = P extends Parameter
  ? Value
  : P extends AnyModule
    ? P
    : P extends readonly (infer E)[]
      ? readonly Bound<E>[]
      : P extends object
        ? { readonly [K in keyof P]: Bound<P[K]> }
        : P;

/** A function of a module's parts, followed by its own arguments. */
export type Method<P> = (parts: Bound<P>, ...args: never[]) => unknown;
/** Functions of a module's parts, by name. */
export type Methods<P> = Readonly<Record<string, Method<P>>>;

type Call<F> = F extends (parts: never, ...args: infer A) => infer R ? (...args: A) => R : never;
type Called<M> = { readonly [K in keyof M]: Call<M[K]> };

/** A module with one function; call it. */
export type FunctionModule<P extends Parts, F> = AnyModule & { readonly parts: P } & Call<F>;
/** A module with several functions, and facts that can be asked without tracing. */
export type MethodModule<P extends Parts, M, Facts> = AnyModule & { readonly parts: P } & Called<M> &
  Readonly<Facts>;

/** What a module may state besides its parts and functions. */
export interface ModuleOptions<P extends Parts, Facts extends object> {
  readonly paths?: Readonly<Partial<Record<keyof P & string, string>>>;
  /** What others may ask of the module without tracing; computed again when parts or paths are replaced. */
  readonly facts?: (parts: P, paths: Readonly<Record<string, string>>) => Facts;
}

/**
 * A module: a record of named parts and pure functions of those parts and of values.
 *
 * @param kind name of the idea, shown in messages
 * @param parts parameters, modules, lists and records of them; keys are the checkpoint's names
 * @param forward a function, which makes the module callable, or a record of functions
 */
export function module<P extends Parts, F extends Method<P>, Facts extends object = object>(
  kind: string,
  parts: P,
  forward: F,
  options?: ModuleOptions<P, Facts>,
): FunctionModule<P, F> & Readonly<Facts>;
export function module<P extends Parts, M extends Methods<P>, Facts extends object = object>(
  kind: string,
  parts: P,
  methods: M,
  options?: ModuleOptions<P, Facts>,
): MethodModule<P, M, Facts>;
export function module(
  kind: string,
  parts: Parts,
  forward: Method<Parts> | Methods<Parts>,
  options: ModuleOptions<Parts, object> = {},
): AnyModule {
  const call = (method: Method<Parts>) =>
    function bound(...args: never[]): unknown {
      const trace = currentTrace(kind);
      return withPath(trace.pathOf(self), () => method(bind(parts) as Bound<Parts>, ...args));
    };
  const shared = {
    kind,
    parts,
    paths: (options.paths ?? {}) as Readonly<Record<string, string>>,
    withParts: (next: Parts) => module(kind, next, forward as Methods<Parts>, options),
    withPaths: (paths: Readonly<Record<string, string>>) =>
      module(kind, parts, forward as Methods<Parts>, { ...options, paths: { ...options.paths, ...paths } }),
  };
  const facts = options.facts?.(parts, shared.paths) ?? {};
  const self: AnyModule =
    typeof forward === 'function'
      ? define(call(forward), { ...facts, ...shared })
      : define(
          {},
          {
            ...facts,
            ...Object.fromEntries(Object.entries(forward).map(([name, method]) => [name, call(method)])),
            ...shared,
          },
        );
  return self;
}

/** `Object.assign` would fail on `name` and `length`, which functions already have. */
function define(target: object, properties: object): AnyModule {
  for (const [key, value] of Object.entries(properties))
    Object.defineProperty(target, key, { value, enumerable: true });
  return target as AnyModule;
}

/** Whether something is a module. */
export const isModule = (part: unknown): part is AnyModule =>
  (typeof part === 'function' || typeof part === 'object') &&
  part !== null &&
  'withParts' in part &&
  'kind' in part;

function bind(part: Part): unknown {
  if (part === null || isModule(part)) return part;
  if (part instanceof Parameter) return currentTrace('Parameter').valueOf(part);
  if (isList(part)) return part.map(bind);
  return Object.fromEntries(Object.entries(part).map(([key, child]) => [key, bind(child)]));
}

const isList = (part: Part): part is readonly Part[] => Array.isArray(part);

/** A list of `count` parts, such as the layers of a decoder. */
export const repeat = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** Visits a tree of parts depth first, parents before children, with the path of each part. */
export function* walk(
  part: Part,
  path = '',
): Generator<readonly [path: string, part: Parameter | AnyModule]> {
  if (part === null) return;
  if (part instanceof Parameter) {
    yield [path, part];
    return;
  }
  if (isModule(part)) {
    yield [path, part];
    for (const [key, child] of Object.entries(part.parts))
      yield* walk(child, joinPath(path, part.paths[key] ?? key));
    return;
  }
  for (const [key, child] of Object.entries(part)) yield* walk(child as Part, joinPath(path, key));
}

/**
 * Every parameter of a tree with its checkpoint path, in order, without tracing. A parameter that occurs twice
 * (a tied head) is listed once, under its first path.
 *
 * @throws ConfigError if two parameters have one path
 */
export function namedParameters(root: Part): Map<string, Parameter> {
  const named = new Map<string, Parameter>();
  const seen = new Set<Parameter>();
  for (const [path, part] of walk(root)) {
    if (!(part instanceof Parameter) || seen.has(part)) continue;
    if (named.has(path))
      throw new ConfigError({
        message: `Two parameters have the path '${path}'.`,
        hint: 'Give one of the parts another path.',
      });
    seen.add(part);
    named.set(path, part);
  }
  return named;
}
