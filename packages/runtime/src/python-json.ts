import { parseJson } from '@weft/errors';

/**
 * JSON as Python writes and reads it: with `NaN`, `Infinity` and `-Infinity`. NaN becomes the text `NaN`, which no field
 * takes.
 *
 * @throws SyntaxError
 */
export function parsePythonJson(text: string): unknown {
  const names: Readonly<Record<string, string>> = { NaN: '"NaN"', Infinity: '1e999', '-Infinity': '-1e999' };
  return parseJson(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/gs, (found) => names[found] ?? found),
  );
}
