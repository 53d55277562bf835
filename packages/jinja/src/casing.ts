import { changedInPlace } from './text.js';
import type { Str } from './values.js';

/** White space as Python's `str.isspace` and `re` know it; a byte order mark is none. */
export const whiteSpace =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

/** Where `str.splitlines` breaks lines, beside `\r\n`. */
export const lineBreaks = '\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029';

/** Letters whose title case is not their upper case with small letters after the first. */
const titles = new Map<string, string>();

const titleRange = (first: number, last: number, title: (code: number) => number): void => {
  for (let code = first; code <= last; code++)
    titles.set(String.fromCodePoint(code), String.fromCodePoint(title(code)));
};
// Georgian letters stay; Greek vowels with an iota and Latin digraphs have letters of their own.
titleRange(0x10d0, 0x10fa, (code) => code);
titleRange(0x10fd, 0x10ff, (code) => code);
titleRange(0x1f80, 0x1faf, (code) => code | 8);
titleRange(0x1c4, 0x1cc, (code) => code - ((code - 0x1c4) % 3) + 1);
titleRange(0x1f1, 0x1f3, () => 0x1f2);
for (const [small, large] of [
  [0x1fb3, 0x1fbc],
  [0x1fc3, 0x1fcc],
  [0x1ff3, 0x1ffc],
] as const) {
  titleRange(small, small, () => large);
  titleRange(large, large, () => large);
}

const iota = '\u0345';
const circumflex = '\u0342';
titles.set('ᾲ', `Ὰ${iota}`).set('ᾴ', `Ά${iota}`).set('ᾷ', `ᾼ${circumflex}`);
titles.set('ῂ', `Ὴ${iota}`).set('ῄ', `Ή${iota}`).set('ῇ', `ῌ${circumflex}`);
titles.set('ῲ', `Ὼ${iota}`).set('ῴ', `Ώ${iota}`).set('ῷ', `ῼ${circumflex}`);
titles.set('ŉ', 'ʼN');

/** The title case of one character. */
function titleCase(character: string): string {
  const known = titles.get(character);
  if (known !== undefined) return known;
  const upper = character.toUpperCase();
  const [first = '', ...rest] = upper;
  return first + rest.join('').toLowerCase();
}

export const upper = (value: Str): Str => changedInPlace(value, (text) => text.toUpperCase());

export const lower = (value: Str): Str => changedInPlace(value, (text) => text.toLowerCase());

/** `str.capitalize`. */
export const capitalized = (value: Str): Str =>
  changedInPlace(value, (text) => {
    const [first = ''] = text;
    return titleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
  });

const cased = /\p{Cased}/u;

/** `str.title`: a word begins wherever no letter with a case stands before. */
export const titled = (value: Str): Str =>
  changedInPlace(value, (text) => {
    const small = text.toLowerCase();
    // Positions agree unless a letter's lower case is longer; then the letters are taken one by one.
    const aligned = small.length === text.length;
    let result = '';
    let at = 0;
    let inWord = false;
    for (const character of text) {
      const end = at + character.length;
      result += inWord ? (aligned ? small.slice(at, end) : character.toLowerCase()) : titleCase(character);
      inWord = cased.test(character);
      at = end;
    }
    return result;
  });

/** `str.swapcase`. */
export const swapped = (value: Str): Str =>
  changedInPlace(value, (text) =>
    Array.from(text, (character) => {
      if (/\p{Uppercase}/u.test(character)) return character.toLowerCase();
      return /\p{Lowercase}/u.test(character) ? character.toUpperCase() : character;
    }).join(''),
  );

/** Letters whose upper case leads elsewhere than their folding. */
const foldings: ReadonlyMap<string, string> = new Map([
  ['ı', 'ı'],
  ['ẞ', 'ss'],
]);

/** `str.casefold`: case folding by way of upper case, letter by letter; Cherokee folds to its capitals. */
export const folded = (value: Str): Str =>
  changedInPlace(value, (text) => Array.from(text, foldedLetter).join(''));

const foldedLetter = (character: string): string =>
  foldings.get(character) ??
  (/[\u13a0-\u13fd\uab70-\uabbf]/u.test(character)
    ? character.toUpperCase()
    : Array.from(character.toUpperCase(), (letter) => letter.toLowerCase()).join(''));

/** Superscripts, circled and other digits that are no decimal digits. */
const furtherDigits =
  '\\xb2\\xb3\\xb9\\u1369-\\u1371\\u19da\\u2070\\u2074-\\u2079\\u2080-\\u2089\\u2460-\\u2468\\u2474-\\u247c\\u2488-\\u2490\\u24ea\\u24f5-\\u24fd\\u24ff\\u2776-\\u277e\\u2780-\\u2788\\u278a-\\u2792\\u{10a40}-\\u{10a43}\\u{10e60}-\\u{10e68}\\u{11052}-\\u{1105a}\\u{1f100}-\\u{1f10a}';

/** Ideographs with a numeric value. */
const numberIdeographs =
  '\\u3405\\u3483\\u382a\\u3b4d\\u4e00\\u4e03\\u4e07\\u4e09\\u4e5d\\u4e8c\\u4e94\\u4e96\\u4ebf\\u4ec0\\u4edf\\u4ee8\\u4f0d\\u4f70\\u5104\\u5146\\u5169\\u516b\\u516d\\u5341\\u5343-\\u5345\\u534c\\u53c1-\\u53c4\\u56db\\u58f1\\u58f9\\u5e7a\\u5efe\\u5eff\\u5f0c-\\u5f0e\\u5f10\\u62fe\\u634c\\u67d2\\u6f06\\u7396\\u767e\\u8086\\u842c\\u8cae\\u8cb3\\u8d30\\u9621\\u9646\\u964c\\u9678\\u96f6\\uf96b\\uf973\\uf978\\uf9b2\\uf9d1\\uf9d3\\uf9fd\\u{20001}\\u{20064}\\u{200e2}\\u{20121}\\u{2092a}\\u{20983}\\u{2098c}\\u{2099c}\\u{20aea}\\u{20afd}\\u{20b19}\\u{22390}\\u{22998}\\u{23b1b}\\u{2626d}\\u{2f890}';

/** Tests of `str`: each holds for texts with at least one character. */
export const classes: Readonly<Record<string, (text: string) => boolean>> = {
  isalpha: all('\\p{L}'),
  isdecimal: all('\\p{Nd}'),
  isdigit: all(`\\p{Nd}${furtherDigits}`),
  isnumeric: all(`\\p{N}${numberIdeographs}`),
  isalnum: all(`\\p{L}\\p{N}`),
  isspace: all(whiteSpace),
  isascii: (text) => !/[^\0-\x7f]/.test(text),
  isprintable: (text) => !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(text),
  isidentifier: (text) => /^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(text),
  islower: (text) => /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text),
  isupper: (text) => /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text),
  istitle,
};

function all(members: string): (text: string) => boolean {
  const pattern = new RegExp(`^[${members}]+$`, 'u');
  return (text) => pattern.test(text);
}

function istitle(text: string): boolean {
  let inWord = false;
  let found = false;
  for (const character of text) {
    if (/[\p{Uppercase}\p{Lt}]/u.test(character)) {
      if (inWord) return false;
      inWord = found = true;
    } else if (/\p{Lowercase}/u.test(character)) {
      if (!inWord) return false;
      inWord = found = true;
    } else inWord = false;
  }
  return found;
}
