import { ConfigError } from '@weft/errors';
import { activationNames } from './activation.js';

/**
 * What a field of a part's configuration may hold:
 *
 * - `count`: a whole number from 1, such as a width; `amount`: from 0; `layers`: from 0 to 1024
 * - `whole`: any whole number; `number`: any finite one; `positive`: one above 0
 * - `flag`: true or false; `text`; `activation`: the name of one; `object`: one that the part checks itself
 */
export type FieldRule =
  | 'count'
  | 'amount'
  | 'layers'
  | 'whole'
  | 'number'
  | 'positive'
  | 'flag'
  | 'text'
  | 'activation'
  | 'object'
  | { readonly oneOf: readonly string[] }
  | { readonly list: FieldRule; readonly length?: number }
  /** An object whose keys are data. */
  | { readonly record: FieldRule }
  | { readonly section: Readonly<Record<string, FieldRule>> }
  /** Sections that are told apart by the text of one of their fields. */
  | { readonly by: string; readonly sections: Readonly<Record<string, Readonly<Record<string, FieldRule>>>> }
  | { readonly nullable: FieldRule }
  | { readonly optional: FieldRule };

/** A rule for each field of a configuration. */
export type ConfigFields<C> = { readonly [K in keyof C]-?: FieldRule };

/** What says of a part which fields its configuration has. */
export interface CheckedPart {
  readonly id: string;
  readonly fields?: unknown;
}

/**
 * Checks a configuration, which is data and may come from a file, against the rules of a part that states them.
 *
 * @returns the configuration
 * @throws ConfigError naming the part, the field, what is there and what should be; of an unknown field the closest name
 */
export function checkConfig<C>({ id, fields }: CheckedPart, config: C): C {
  if (fields !== undefined) checkSection(id, fields as Readonly<Record<string, FieldRule>>, config, '');
  return config;
}

function checkSection(
  id: string,
  rules: Readonly<Record<string, FieldRule>>,
  value: unknown,
  path: string,
): void {
  if (!isObject(value)) throw wrong(id, path || 'the configuration', value, 'an object');
  for (const key of Object.keys(value))
    if (!Object.hasOwn(rules, key)) throw unknownField(id, rules, `${path}${key}`);
  for (const [key, rule] of Object.entries(rules)) checkField(id, rule, value[key], `${path}${key}`);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkField(id: string, rule: FieldRule, value: unknown, path: string): void {
  if (typeof rule === 'string') {
    const { isRight, wanted } = simple[rule];
    if (!isRight(value)) throw wrong(id, path, value, wanted);
  } else if ('optional' in rule) {
    if (value !== undefined) checkField(id, rule.optional, value, path);
  } else if ('nullable' in rule) {
    if (value !== null) checkField(id, rule.nullable, value, path);
  } else if ('oneOf' in rule) {
    if (!rule.oneOf.includes(value as string))
      throw wrong(id, path, value, `one of ${rule.oneOf.join(', ')}`);
  } else if ('list' in rule) {
    if (!Array.isArray(value) || (rule.length ?? value.length) !== value.length)
      throw wrong(id, path, value, `a list${rule.length === undefined ? '' : ` of ${rule.length}`}`);
    for (const [i, item] of value.entries()) checkField(id, rule.list, item, `${path}[${i}]`);
  } else if ('record' in rule) {
    if (!isObject(value)) throw wrong(id, path, value, 'an object');
    for (const [key, item] of Object.entries(value)) checkField(id, rule.record, item, `${path}.${key}`);
  } else if ('section' in rule) checkSection(id, rule.section, value, `${path}.`);
  else {
    const kinds = Object.keys(rule.sections);
    if (!isObject(value)) throw wrong(id, path, value, 'an object');
    checkField(id, { oneOf: kinds }, value[rule.by], `${path}.${rule.by}`);
    const section = { [rule.by]: { oneOf: kinds }, ...rule.sections[String(value[rule.by])] };
    checkSection(id, section, value, `${path}.`);
  }
}

/** Numbers above this are sizes of nothing. */
const most = 2 ** 31;
const mostLayers = 1024;

const isWhole = (value: unknown, from: number, to = most): boolean =>
  Number.isInteger(value) && (value as number) >= from && (value as number) <= to;

const simple: Readonly<
  Record<
    Extract<FieldRule, string>,
    { readonly wanted: string; readonly isRight: (value: unknown) => boolean }
  >
> = {
  count: { wanted: `a whole number from 1 to ${most}`, isRight: (value) => isWhole(value, 1) },
  amount: { wanted: `a whole number from 0 to ${most}`, isRight: (value) => isWhole(value, 0) },
  layers: {
    wanted: `a whole number from 0 to ${mostLayers}`,
    isRight: (value) => isWhole(value, 0, mostLayers),
  },
  whole: { wanted: 'a whole number', isRight: (value) => isWhole(value, -most) },
  number: { wanted: 'a number', isRight: (value) => Number.isFinite(value) },
  positive: {
    wanted: 'a number above 0',
    isRight: (value) => Number.isFinite(value) && (value as number) > 0,
  },
  flag: { wanted: 'true or false', isRight: (value) => typeof value === 'boolean' },
  text: { wanted: 'a text', isRight: (value) => typeof value === 'string' },
  activation: {
    wanted: `an activation: ${activationNames.join(', ')}`,
    isRight: (value) => (activationNames as readonly unknown[]).includes(value),
  },
  object: { wanted: 'an object', isRight: isObject },
};

const wrong = (id: string, path: string, value: unknown, wanted: string): ConfigError =>
  new ConfigError({
    message: `${id}: ${path} is ${value === undefined ? 'missing' : JSON.stringify(value)}, expected ${wanted}.`,
    hint: 'The configuration of a part is what its factory was told, as model_type weft saves it.',
  });

function unknownField(id: string, rules: Readonly<Record<string, unknown>>, path: string): ConfigError {
  const known = Object.keys(rules);
  const name = path.split('.').at(-1)!;
  const close = closestName(name, known);
  return new ConfigError({
    message: `${id}: there is no field '${path}'.`,
    hint: `${close === undefined ? '' : `Did you mean '${close}'? `}Fields are ${known.join(', ') || 'none'}.`,
  });
}

/** The name that differs from a misspelt one in the fewest letters, if those are few. */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((one) => ({ one, distance: editDistance(name.toLowerCase(), one.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(1, Math.floor(name.length / 3)) ? best.one : undefined;
}

/** Letters to insert, remove or replace; names that are much longer are not compared. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 16) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++)
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === b[j] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
