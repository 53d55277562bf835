// Values of other types and odd sizes in the place of a field of a JSON file.

const isObject = (value) => typeof value === 'object' && value !== null;
/** Long tables: a few of their entries stand for all. */
const tables = ['vocab', 'merges', 'added_tokens', 'added_tokens_decoder'];

/** Paths of all fields of a JSON value, the root among them. Of lists the first two entries stand for all. */
export function* pathsOf(value, at = []) {
  yield at;
  if (!isObject(value)) return;
  const keys = Array.isArray(value) ? [...value.keys()].slice(0, 2) : Object.keys(value);
  for (const key of tables.includes(at.at(-1)) ? keys.slice(0, 2) : keys)
    yield* pathsOf(value[key], [...at, key]);
}

const bracketed = (depth) => '['.repeat(depth) + ']'.repeat(depth);
/** As JSON text, since some of them are no values of JavaScript. */
const anyValues = [
  ...['null', 'true', 'false', '0', '-1', '1.5', '-0.0', '1e-300', '100000', '1e9', '9007199254740992'],
  ...['1e308', '1e400', '""', '"x"', '"NaN"', '"0.7"', '"__proto__"', '"\\ud800"', '"\\u0000"'],
  ...['[]', '{}', '[null]', '[[]]', '[1,2,3]', '["x"]', '{"x":1}', '{"__proto__":1}', bracketed(6000)],
];
const likeIt = (value) => {
  if (typeof value === 'number')
    return [value + 1, value - 1, -value, value * 2, value / 2, value * 1000, String(value), [value]];
  if (typeof value === 'string')
    return [
      `${value}${value}`,
      `${value}\0`,
      ` ${value}`,
      value.toUpperCase(),
      `${value}${'y'.repeat(100_000)}`,
      [value],
    ];
  if (typeof value === 'boolean') return [!value, String(value), Number(value)];
  if (Array.isArray(value))
    return [
      [...value, ...value.slice(0, 100)],
      value.toReversed(),
      value.slice(0, 1),
      value.slice(1),
      [value],
      value[0] ?? 0,
    ];
  return [[value], JSON.stringify(value), Object.keys(value ?? {})];
};

/** What is put in the place of a value: JSON text, or undefined where the field is left out. */
export function oddText(r, value) {
  const how = r.next();
  if (how < 0.1) return undefined;
  return how < 0.6 ? r.pick(anyValues) : JSON.stringify(r.pick(likeIt(value)));
}

/** The text of a JSON value with another one at a path; without the field if `text` is undefined. */
export function withText(json, at, text) {
  if (at.length === 0) return text ?? '';
  const copy = structuredClone(json);
  const parent = valueAt(copy, at.slice(0, -1));
  const key = at.at(-1);
  if (text === undefined) {
    if (Array.isArray(parent)) parent.splice(key, 1);
    else delete parent[key];
    return JSON.stringify(copy);
  }
  const mark = '\u0001the odd value\u0001';
  parent[key] = mark;
  return JSON.stringify(copy).replace(JSON.stringify(mark), () => text);
}

export const valueAt = (json, at) => at.reduce((value, key) => value?.[key], json);

/** Whether a value is of another type than the one in whose place it stands; null stands for a field left out. */
export function isOtherType(text, value) {
  if (text === undefined || text === 'null' || value === null) return false;
  const kind = (of) => (Array.isArray(of) ? 'list' : typeof of);
  return kind(JSON.parse(text)) !== kind(value);
}

export const shownText = (text) =>
  text === undefined ? 'left out' : text.length > 40 ? `${text.slice(0, 30)}… (${text.length})` : text;
