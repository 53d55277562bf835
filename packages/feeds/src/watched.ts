import { InputError } from '@weft/errors';
import type { Tensors } from './runs.js';

/** Tensors that note which of them were asked for. */
export interface Watched {
  readonly tensors: Tensors;
  /** Names that were asked for, whether there are such tensors or not. */
  readonly asked: ReadonlySet<string>;
}

export function watched(tensors: Tensors): Watched {
  const asked = new Set<string>();
  const note = (name: string | symbol): void => {
    if (typeof name === 'string') asked.add(name);
  };
  const proxy = new Proxy(tensors, {
    get: (target, name) => {
      note(name);
      return Reflect.get(target, name) as unknown;
    },
    has: (target, name) => {
      note(name);
      return Reflect.has(target, name);
    },
  });
  return { tensors: proxy, asked };
}

/**
 * Refuses tensors that nobody asked for: what a model does not read would be missing from its answer in silence.
 *
 * @param where the tensors come from, for the message
 * @throws InputError naming them, and all that were asked for
 */
export function requireAllRead(tensors: Tensors, { asked }: Watched, where: string): void {
  const unread = Object.keys(tensors).filter((name) => tensors[name] !== undefined && !asked.has(name));
  if (unread.length === 0) return;
  throw new InputError({
    message: `The model does not read ${unread.join(', ')}.`,
    where,
    hint: `Leave ${unread.length === 1 ? 'it' : 'them'} out. It reads ${[...asked].toSorted().join(', ')}, as far as they go together.`,
  });
}
