import type { Engine } from './engine.js';
import type { SentError } from './remote-error.js';

/** A method of the engine, or `look`, which is the eye beside it. */
export type Method = keyof Engine | 'look';

/** What the main thread sends: a call of one of the methods. */
export interface Call {
  readonly id: number;
  readonly method: Method;
  readonly parameters: readonly unknown[];
}

/** What the worker sends: the answer to a call; number 0 says whether the engine started. */
export type Answer = { readonly id: number } & ({ readonly result: unknown } | { readonly error: SentError });

/** Buffers of typed arrays within a value, one or two levels deep: they are handed over instead of copied. */
export function buffersOf(values: readonly unknown[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  const visit = (value: unknown, depth: number): void => {
    if (ArrayBuffer.isView(value)) {
      if (value.buffer instanceof ArrayBuffer && value.buffer.byteLength > 0) buffers.add(value.buffer);
    } else if (depth > 0 && typeof value === 'object' && value !== null)
      for (const child of Object.values(value)) visit(child, depth - 1);
  };
  for (const value of values) visit(value, 1);
  return [...buffers];
}
