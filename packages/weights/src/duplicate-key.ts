/**
 * The first key that an object of the JSON text has twice, in any spelling, or undefined. `JSON.parse` keeps
 * the last of such values and says nothing.
 *
 * @param text - JSON that `JSON.parse` accepts
 */
export const duplicateKey = (text: string): string | undefined => {
  // One entry per open bracket: the keys of an object, undefined for an array.
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '{':
        open.push(new Set());
        break;
      case '[':
        open.push(undefined);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case '"': {
        const start = i;
        for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
        const keys = open.at(-1);
        if (keys === undefined || !isKey(text, i + 1)) break;
        const key = JSON.parse(text.slice(start, i + 1)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
    }
  }
  return undefined;
};

const isKey = (text: string, after: number): boolean => {
  let i = after;
  while (text[i] === ' ' || text[i] === '\t' || text[i] === '\n' || text[i] === '\r') i++;
  return text[i] === ':';
};
