// What became of a case, and how alike outcomes are grouped.

const marker = Symbol.for('weft.error');

/** An error as data: `typed` if Weft raised it on purpose, else `untyped` with the frame it came from. */
export function outcomeOf(error) {
  const isTyped = typeof error === 'object' && error !== null && marker in error;
  const frames = String(error?.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  const own = frames.find((line) => /packages.*dist/.test(line)) ?? frames[0] ?? '';
  return {
    kind: isTyped ? 'typed' : 'untyped',
    name: error?.name ?? typeof error,
    message: String(error?.message ?? error).slice(0, 600),
    frame: isTyped ? '' : own.trim().replace(/^.*(packages\/)/, '$1'),
  };
}

/** The same for outcomes that differ in numbers, names and places only. */
export const keyOf = ({ kind, name = '', message = '', frame = '' }) =>
  [
    kind,
    name,
    message
      .split('\n')[0]
      .replace(/\d+(\.\d+)?(e[+-]?\d+)?/gi, 'N')
      .replace(/(['"]).*?\1/g, '$1…$1')
      .slice(0, 140),
    frame.replace(/:\d+:\d+/g, ''),
  ].join('|');

/** Kinds that a fuzzer looks for. */
export const faults = ['untyped', 'wrong', 'hang', 'crash', 'memory'];
