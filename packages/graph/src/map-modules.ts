import { ConfigError } from '@weft/errors';
import { isModule, walk } from './module.js';
import { Parameter } from './parameter.js';
import type { AnyModule, Part } from './part.js';
import { joinPath } from './path.js';

/** Returns the part to use instead, or the part itself. */
export type ChangePart = (part: AnyModule | Parameter, path: string) => Part;

export interface MapOptions {
  /** Parts that must be replaced; 0 unless given. */
  readonly atLeast?: number | undefined;
  /** What `change` looks for, for the message: `linear layers called q_proj`. */
  readonly what?: string | undefined;
}

/**
 * A tree with some modules or parameters replaced. Visits children first; shared parts stay shared.
 *
 * @param change returns the part to use instead, or the part itself
 * @throws ConfigError if fewer parts were replaced than `atLeast`
 */
export function mapModules<T extends Part>(
  root: T,
  change: ChangePart,
  { atLeast = 0, what }: MapOptions = {},
): T {
  const done = new Map<Part, Part>();
  let replaced = 0;
  const changed = <P extends AnyModule | Parameter>(part: P, path: string): Part => {
    const next = change(part, path);
    if (next !== part) replaced++;
    return next;
  };
  const map = (part: Part, path: string): Part => {
    if (part === null) return part;
    const known = done.get(part);
    if (known !== undefined) return known;
    let next: Part;
    if (part instanceof Parameter) next = changed(part, path);
    else if (isModule(part)) {
      const parts: Record<string, Part> = {};
      let hasChanged = false;
      for (const [key, child] of Object.entries(part.parts)) {
        parts[key] = map(child, joinPath(path, part.paths[key] ?? key));
        hasChanged ||= parts[key] !== child;
      }
      next = changed(hasChanged ? part.withParts(parts) : part, path);
    } else if (isList(part)) {
      const list = part.map((child, i) => map(child, joinPath(path, `${i}`)));
      next = list.some((child, i) => child !== part[i]) ? list : part;
    } else {
      const entries = Object.entries(part).map(
        ([key, child]) => [key, map(child, joinPath(path, key))] as const,
      );
      next = entries.some(([key, child]) => child !== part[key]) ? Object.fromEntries(entries) : part;
    }
    done.set(part, next);
    return next;
  };
  const result = map(root, '') as T;
  if (replaced < atLeast)
    throw new ConfigError({
      message: `${replaced === 0 ? 'No part of the tree was' : `Only ${replaced} parts of the tree were`} replaced${what === undefined ? '' : `, looking for ${what}`}; expected at least ${atLeast}.`,
      hint: `Paths look like ${examplesOf(root)}.`,
    });
  return result;
}

/**
 * A tree with one part replaced.
 *
 * @param path of the part, as `walk` gives it, for example `language_model.model.layers.0.mlp`
 * @param make returns what stands there instead
 * @throws ConfigError if there is no part at the path, or more than one
 */
export function replaceAt<T extends Part>(
  tree: T,
  path: string,
  make: (part: AnyModule | Parameter) => Part,
): T {
  const found = new Set([...walk(tree)].flatMap(([at, part]) => (at === path ? [part] : [])));
  const [target] = found;
  if (target === undefined)
    throw new ConfigError({ message: `There is no part at '${path}'.`, hint: neighboursOf(tree, path) });
  if (found.size > 1)
    throw new ConfigError({
      message: `${found.size} parts stand at '${path}': ${[...found].map(kindOf).join(', ')}.`,
      hint: 'Say which of them by mapModules, or give the path of a part within them.',
    });
  return mapModules(tree, (part) => (part === target ? make(part) : part));
}

const isList = (part: Part): part is readonly Part[] => Array.isArray(part);
const kindOf = (part: AnyModule | Parameter): string =>
  part instanceof Parameter ? `a parameter [${part.shape.join(', ')}]` : part.kind;

/** Paths of the first and of the last part. */
function examplesOf(root: Part): string {
  const paths = [...walk(root)].map(([path]) => path).filter((path) => path !== '');
  return [...new Set([paths[0], paths.at(-1)])].map((path) => `'${path ?? ''}'`).join(' and ');
}

/** What the tree has where a path leaves it. */
function neighboursOf(tree: Part, path: string): string {
  const paths = [...walk(tree)].map(([at]) => at);
  const segments = path.split('.');
  for (let length = segments.length - 1; length >= 0; length--) {
    const start = joinPath(...segments.slice(0, length));
    const below = paths.filter((at) => start === '' || at.startsWith(`${start}.`));
    const next = [
      ...new Set(below.map((at) => at.slice(start === '' ? 0 : start.length + 1).split('.')[0]!)),
    ];
    const names = next.filter((name) => name !== '').slice(0, 12);
    if (names.length > 0) return `${start === '' ? 'The tree' : `'${start}'`} has: ${names.join(', ')}.`;
  }
  return 'The tree has no parts.';
}
