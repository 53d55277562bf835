/** Most levels of lists and objects within each other; Python's reader gives up at about twice as many. */
export const deepestJson = 500;

/**
 * The value of a JSON text that may come from anybody. A text that is nested deeper than any use has is refused before
 * it is read, since whoever walks the value would run out of stack.
 *
 * @throws SyntaxError if it is not JSON, or nested deeper than {@link deepestJson}
 */
export function parseJson(text: string): unknown {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === 0x22) i = endOfText(text, i);
    else if (character === 0x5b || character === 0x7b) {
      if (++depth > deepestJson)
        throw new SyntaxError(`lists and objects are nested deeper than ${deepestJson} levels`);
    } else if (character === 0x5d || character === 0x7d) depth--;
  }
  return JSON.parse(text);
}

/** Place of the quotation mark that ends a text within JSON; that of the end where none does. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === 0x5c) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

/**
 * A value as messages show it: JSON, cut to a length. Never fails: values that JSON cannot hold are shown by their type.
 *
 * @param most characters
 */
export function shown(value: unknown, most = 60): string {
  let text: string | undefined;
  try {
    text = typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  } catch {
    text = undefined;
  }
  text ??= value === undefined ? 'missing' : `a value of type ${typeof value}`;
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
