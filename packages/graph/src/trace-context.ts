import { WeftError } from '@weft/errors';
import type { Parameter } from './parameter.js';
import type { AnyModule } from './part.js';
import type { Value } from './value.js';

/** What the code of modules needs while a graph is traced. */
export interface TraceContext {
  pathOf(module: AnyModule): string;
  valueOf(parameter: Parameter): Value;
}

let current: TraceContext | undefined;

/** The trace in progress. @throws WeftError outside of `trace` */
export function currentTrace(who: string): TraceContext {
  if (!current)
    throw new WeftError('WEFT_TRACE', {
      message: `${who} was called outside of trace().`,
      hint: 'Modules describe graphs: call them inside `trace(model, inputs, (inputs) => model(…))`.',
    });
  return current;
}

/** Runs `body` with the context; restores the outer one, also after an error. */
export function withTrace<T>(context: TraceContext, body: () => T): T {
  const outer = current;
  current = context;
  try {
    return body();
  } finally {
    current = outer;
  }
}
