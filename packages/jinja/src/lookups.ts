import { itemOrAttribute } from './attributes.js';
import { lower } from './casing.js';
import { isStr, textOf, Undefined, type Value } from './values.js';

/** Steps of a path such as `address.0.city`: names and numbers. */
function stepsOf(path: Value): Value[] {
  if (path === null) return [];
  if (!isStr(path)) return [path];
  return textOf(path)
    .split('.')
    .map((step) => (/^\p{Nd}+$/u.test(step) ? Number(step) : step));
}

/** The text in lower case; other values as they are. */
export const withoutCase = (value: Value): Value => (isStr(value) ? lower(value) : value);

const asIs = (value: Value): Value => value;

/** Looks up a path in values. A default stands for what is missing, unless it is none. */
export function lookUp(
  path: Value | undefined,
  {
    change = asIs,
    otherwise = null,
  }: { readonly change?: (value: Value) => Value; readonly otherwise?: Value } = {},
): (value: Value) => Value {
  const steps = stepsOf(path ?? null);
  return (value) => {
    let found = value;
    for (const step of steps) {
      found = itemOrAttribute(found, step);
      if (otherwise !== null && found instanceof Undefined) found = otherwise;
    }
    return change(found);
  };
}

/** Looks up several paths, separated by commas, in values. */
export function lookUpAll(
  paths: Value | undefined,
  change: (value: Value) => Value,
): (value: Value) => Value[] {
  const given = paths ?? null;
  const lookUps = (isStr(given) ? textOf(given).split(',') : [given]).map((path) => lookUp(path, { change }));
  return (value) => lookUps.map((look) => look(value));
}
