/** Columns and rows of a letter; the last row is for what hangs below the line. */
export const [letterColumns, letterRows] = [5, 8] as const;

/**
 * The printable characters of ASCII in order, eight digits each: one for each row from the top, base 32, whose bits are
 * the columns from the left. `ehhvhhh0` is an A.
 */
const letters =
  '0000000044444040aaa00000aavavaa04fke5u40pq248bj0cik8lid044800000248884208422248004lel400044v4400' +
  '00000648000v000000000cc0122488g0ehjlphe04c4444e0eh1248v0v2421he026aiv220vgu11he068guhhe0v1248880' +
  'ehhehhe0ehhf12c00cc0cc000cc0c480248g842000v0v00084212480eh124040ehnlmgf0ehhhvhh0uhhuhhu0ehggghe0' +
  'sihhhis0vgguggv0vgguggg0ehgnhhf0hhhvhhh0e44444e072222ic0hikokih0ggggggv0hrllhhh0hppljjh0ehhhhhe0' +
  'uhhuggg0ehhhlid0uhhukih0fgge11u0v4444440hhhhhhe0hhhhaa40hhhllrh0hha4ahh0hha44440v1248gv0e88888e0' +
  'g8842210e22222e04ah000000000000v8420000000e1fhf0gguhhhu000fgggf011fhhhf000ehvge068u8888000fhhf1e' +
  'ggmphhh040c444e0206222icggikoki0c44444e000qllll000uhhhh000ehhhe000uhhugg00fhhf1100noggg000fge1u0' +
  '88u8886000hhhhf000hhha4000hllla000ha4ah000hhhf1e00v248v0244844204444444084424480008l2000';

const [first, last] = [0x20, 0x7e] as const;

/** Text as the font can show it: without accents and control characters, a question mark for every other letter. */
export const printableText = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}|\p{Cf}/gu, '')
    .replace(/\p{Cc}|\s/gu, ' ')
    .replace(/[^ -~]/gu, '?');

/** Places that the ink of a printable character fills, from the top left. */
export function inkOf(character: string): (readonly [column: number, row: number])[] {
  const code = character.charCodeAt(0);
  if (character.length !== 1 || code < first || code > last) return [];
  const start = (code - first) * letterRows;
  return Array.from({ length: letterRows }, (_, row) => {
    const bits = Number.parseInt(letters[start + row]!, 32);
    return Array.from({ length: letterColumns }, (_column, i) => i)
      .filter((column) => (bits >> (letterColumns - 1 - column)) & 1)
      .map((column) => [column, row] as const);
  }).flat();
}
