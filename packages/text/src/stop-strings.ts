import { InputError } from '@weft/errors';

/** Text that may be shown, and the stop string that ended it. */
export interface StopResult {
  readonly text: string;
  readonly stopped?: string;
}

/** Looks for stop strings in text that comes in chunks. */
export interface StopMatcher {
  /** Takes the next chunk; returns the text that is certainly before any stop string. */
  push(text: string): StopResult;
  /** Ends the text; returns what was held back. */
  flush(): string;
}

/**
 * Ends a text at the first of several stop strings, also where one is spread over chunks. The stop string itself and
 * all that follows are not returned. The result does not depend on how the text is cut into chunks: the stop string
 * that is complete first counts, and among those the one that begins first.
 *
 * @throws {InputError} for an empty stop string.
 */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  if (stops.includes(''))
    throw new InputError({
      message: 'A stop string is empty.',
      where: 'stops',
      hint: 'Leave it out: it would stop every text.',
    });
  let held = '';
  let stopped: string | undefined;

  const firstMatch = (text: string): { start: number; stop: string } | undefined =>
    stops
      .map((stop) => ({ start: text.indexOf(stop), stop }))
      .filter(({ start }) => start >= 0)
      .sort((a, b) => a.start + a.stop.length - (b.start + b.stop.length) || a.start - b.start)[0];

  const isBeginning = (text: string): boolean => stops.some((stop) => stop.startsWith(text));

  return {
    push(chunk) {
      if (stopped !== undefined) return { text: '', stopped };
      const text = held + chunk;
      const match = firstMatch(text);
      if (match) {
        held = '';
        stopped = match.stop;
        return { text: text.slice(0, match.start), stopped };
      }
      const longest = Math.max(0, ...stops.map((stop) => stop.length - 1));
      let from = Math.max(0, text.length - longest);
      while (from < text.length && !isBeginning(text.slice(from))) from++;
      held = text.slice(from);
      return { text: text.slice(0, from) };
    },
    flush() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}
