import { shown } from '@weft/errors';

/** The first place at which two JSON values differ. */
export interface Difference {
  /** Such as `stages[0].learningRate`; empty where the values themselves differ. */
  readonly path: string;
  readonly before: unknown;
  readonly now: unknown;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The first place at which two JSON values differ, in the order of the first one; fields that are `undefined` are not there. */
export function firstDifference(before: unknown, now: unknown, path = ''): Difference | undefined {
  if (Array.isArray(before) && Array.isArray(now)) {
    for (let i = 0; i < Math.max(before.length, now.length); i++) {
      const found = firstDifference(before[i], now[i], `${path}[${i}]`);
      if (found) return found;
    }
    return undefined;
  }
  if (isObject(before) && isObject(now)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const of = (value: Readonly<Record<string, unknown>>): unknown =>
        Object.hasOwn(value, key) ? value[key] : undefined;
      const found = firstDifference(of(before), of(now), path === '' ? key : `${path}.${key}`);
      if (found) return found;
    }
    return undefined;
  }
  return Object.is(before, now) ? undefined : { path, before, now };
}

/** A difference in words: `stages[0].steps was 100 and is 200`. */
export const differenceText = ({ path, before, now }: Difference): string =>
  `${path === '' ? 'it' : path} was ${shown(before)} and is ${shown(now)}`;
