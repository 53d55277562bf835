/** A set of characters, written as a class of JavaScript's `v` patterns (`[\p{L}\u{2D}]`). */
export interface CharacterSet {
  readonly source: string;
  /** All characters that are not in the class. */
  readonly negative: boolean;
  /** The class with other letter cases of its members counted in. */
  readonly ignoreCase: boolean;
}

/** A class as it stands. */
export const plainSet = (source: string): CharacterSet => ({ source, negative: false, ignoreCase: false });

const hexadecimal = (code: number): string => `\\u{${code.toString(16)}}`;

/** The set of one character. */
export const single = (code: number, ignoreCase: boolean): CharacterSet => ({
  source: `[${hexadecimal(code)}]`,
  negative: false,
  ignoreCase,
});

/** The class of a range of characters. */
export const rangeSource = (first: number, last: number): string =>
  `[${hexadecimal(first)}-${hexadecimal(last)}]`;

const word = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
// Outside of brackets Oniguruma looks characters below U+0100 up in a table of its own, which has these too.
const wordAlone = `${word}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}`;

/** Oniguruma's `\w` outside of brackets and `\W`, which differ there from those inside. */
export const wordSource = `[${wordAlone}]`;
export const noWordSource = `[^${wordAlone}]`;

/** Oniguruma's classes by their escape (`\d`), for UTF-8. */
export const escapedClasses: ReadonlyMap<string, string> = new Map([
  ['d', '[\\p{Nd}]'],
  ['D', '[^\\p{Nd}]'],
  ['s', '[\\p{White_Space}]'],
  ['S', '[^\\p{White_Space}]'],
  ['w', `[${word}]`],
  ['W', `[^${word}]`],
  ['h', '[0-9A-Fa-f]'],
  ['H', '[^0-9A-Fa-f]'],
]);

const namedClasses: ReadonlyMap<string, string> = new Map([
  ['alpha', '[\\p{Alphabetic}]'],
  ['alnum', '[\\p{Alphabetic}\\p{Nd}]'],
  ['digit', '[\\p{Nd}]'],
  ['lower', '[\\p{Lowercase}]'],
  ['upper', '[\\p{Uppercase}]'],
  ['space', '[\\p{White_Space}]'],
  ['blank', '[\\t\\p{Zs}]'],
  ['punct', '[\\p{P}\\p{S}]'],
  ['cntrl', '[\\p{Cc}]'],
  ['graph', '[[\\u{0}-\\u{10ffff}]--[\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]]'],
  ['print', '[[[\\u{0}-\\u{10ffff}]--[\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]]\\p{Zs}]'],
  ['word', `[${word}]`],
  ['xdigit', '[0-9A-Fa-f]'],
  ['ascii', '[\\u{0}-\\u{7f}]'],
  ['any', '[\\u{0}-\\u{10ffff}]'],
  ['assigned', '[^\\p{Cn}]'],
]);

/** The class of a name in brackets (`[:alpha:]`); undefined for an unknown one. */
export const bracketClass = (name: string): string | undefined => namedClasses.get(name.toLowerCase());

const isProperty = (name: string): boolean => {
  try {
    return new RegExp(`\\p{${name}}`, 'v') instanceof RegExp;
  } catch {
    return false;
  }
};

/** The class of a property (`\p{Han}`, `\p{L}`, `\p{alnum}`); undefined for an unknown one. */
export function propertyClass(name: string): string | undefined {
  const plain = name.replace(/[\s_-]/g, '');
  const named = namedClasses.get(plain.toLowerCase());
  if (named !== undefined) return named;
  // Oniguruma reads names without regard to case, spaces, '-' and '_'; JavaScript has one spelling.
  const titled = name
    .toLowerCase()
    .split(/[\s_-]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('_');
  const spellings = [name, titled, `Script=${name}`, `Script=${titled}`, plain.toUpperCase()];
  const known = spellings.find((spelling) => /^[\w=]+$/.test(spelling) && isProperty(spelling));
  return known === undefined ? undefined : `[\\p{${known}}]`;
}

let cases: Map<number, readonly number[]> | undefined;

/** A character with its other letter cases, one character each. */
function casesOf(code: number): readonly number[] {
  cases ??= allCases();
  return cases.get(code) ?? [code];
}

function allCases(): Map<number, readonly number[]> {
  const groups = new Map<number, number[]>();
  const lastCased = 0x1e943;
  for (let code = 0; code <= lastCased; code++) {
    const text = String.fromCodePoint(code);
    for (const other of [text.toLowerCase(), text.toUpperCase()]) {
      const otherCode = other.codePointAt(0)!;
      if (other === text || !new RegExp(`^${hexadecimal(otherCode)}$`, 'iu').test(text)) continue;
      const joined = [
        ...new Set([...(groups.get(code) ?? [code]), ...(groups.get(otherCode) ?? [otherCode])]),
      ];
      for (const member of joined) groups.set(member, joined);
    }
  }
  return groups;
}

/** A test for members, by code point. Answers are remembered. */
export function membership({ source, negative, ignoreCase }: CharacterSet): (code: number) => boolean {
  const pattern = new RegExp(`^${source}$`, 'v');
  const test = (code: number): boolean => {
    const has = (one: number): boolean => pattern.test(String.fromCodePoint(one));
    return (ignoreCase ? casesOf(code).some(has) : has(code)) !== negative;
  };
  const ascii = Uint8Array.from({ length: 128 }, (_, code) => (test(code) ? 1 : 0));
  const others = new Map<number, boolean>();
  return (code) => {
    if (code < 128) return ascii[code] === 1;
    let member = others.get(code);
    if (member === undefined) {
      member = test(code);
      others.set(code, member);
    }
    return member;
  };
}
