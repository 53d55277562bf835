/**
 * Characters that a terminal would obey, or that change the order in which text around them is shown: control characters
 * of ASCII and Latin-1, line and paragraph separators, overrides, embeddings and isolates of direction, and invisible tags.
 */
const commands = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;

/** Text of a model or a file for a terminal: without what a terminal would obey. Line breaks and tabs stay. */
export const printable = (text: string): string =>
  text.replace(commands, (character) => ('\n\t'.includes(character) ? character : ''));

/**
 * Text of a file that stands on one line of a terminal, such as a path or the name of a tensor: what a terminal would
 * obey is shown as JSON escapes it, line breaks included.
 */
export const printableLine = (text: string): string => text.replace(commands, escaped);

/** JSON for a terminal: a program reads the same value, but no character acts. */
export const printableJson = (json: string): string =>
  json.replace(commands, (character) => ('\n'.includes(character) ? character : escaped(character)));

const escaped = (character: string): string =>
  ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' })[character] ??
  Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('');
