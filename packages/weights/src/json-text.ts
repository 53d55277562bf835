/** What `JSON.parse` passes over in silence. */
export interface HiddenInText {
  /** The first key that an object has twice, in any spelling. `JSON.parse` keeps the last of such values. */
  readonly twice?: string;
  /** The first text with half of a surrogate pair, as it is written. No encoding of Unicode holds it. */
  readonly half?: string;
  /**
   * The first number that is too large for any double, or is in a list of {@link JsonTextOptions.integers} and not written
   * as a whole number from 0; with the key of the outermost object under which it stands.
   */
  readonly number?: { readonly written: string; readonly outerKey: string | undefined };
}

export interface JsonTextOptions {
  /** Keys whose lists hold whole numbers from 0; `1e0`, `1.0` and `-0` are no such numbers, though they read as one. */
  readonly integers?: readonly string[];
}

interface Open {
  /** Keys of an object; undefined for a list. */
  readonly keys: Set<string> | undefined;
  /** Whether it is a list of whole numbers. */
  readonly integers: boolean;
  /** The key whose value follows. */
  key?: string;
}

/**
 * Looks for what `JSON.parse` does not tell.
 *
 * @param text - JSON that `JSON.parse` accepts
 */
export const hiddenIn = (text: string, { integers = [] }: JsonTextOptions = {}): HiddenInText => {
  const open: Open[] = [];
  let number: HiddenInText['number'];
  for (let i = 0; i < text.length; i++) {
    const around = open.at(-1);
    const letter = text[i]!;
    if (letter === '{') open.push({ keys: new Set(), integers: false });
    else if (letter === '[')
      open.push({ keys: undefined, integers: around?.key !== undefined && integers.includes(around.key) });
    else if (letter === '}' || letter === ']') open.pop();
    else if (letter === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      const written = text.slice(start, i + 1);
      if (/\\u[dD]/.test(written) && /\p{Surrogate}/u.test(JSON.parse(written) as string))
        return { half: written };
      if (around?.keys === undefined || !isKey(text, i + 1)) continue;
      const key = JSON.parse(written) as string;
      if (around.keys.has(key)) return { twice: key };
      around.keys.add(key);
      around.key = key;
    } else if (letter === '-' || (letter >= '0' && letter <= '9')) {
      const start = i;
      while (/[-+.\deE]/.test(text[i + 1] ?? '')) i++;
      const written = text.slice(start, i + 1);
      const isFine = around?.integers ? /^\d+$/.test(written) : Number.isFinite(Number(written));
      if (!isFine) number ??= { written, outerKey: open[0]?.key };
    }
  }
  return number === undefined ? {} : { number };
};

const isKey = (text: string, after: number): boolean => {
  let i = after;
  while (text[i] === ' ' || text[i] === '\t' || text[i] === '\n' || text[i] === '\r') i++;
  return text[i] === ':';
};
