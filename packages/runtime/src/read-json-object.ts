import { ConfigError, isWeftError, parseJson, reasonOf } from '@weft/errors';
import type { Json } from '@weft/spec';
import { files } from '@weft/weights';

/**
 * A file's JSON object, or `undefined` if there is no such file.
 *
 * @param parse reads the text; throws a SyntaxError
 * @throws ConfigError if it holds something else
 */
export async function readJsonObject(
  path: string,
  parse: (text: string) => unknown = parseJson,
): Promise<Json | undefined> {
  let text: string;
  try {
    text = await files.readText(path);
  } catch (cause) {
    if (files.isMissing(cause)) return undefined;
    if (isWeftError(cause)) throw cause;
    throw new ConfigError({
      message: `The file cannot be read: ${reasonOf(cause)}.`,
      where: path,
      cause,
    });
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new ConfigError({
      message: `The file is not valid JSON: ${reasonOf(cause)}.`,
      where: path,
      hint: 'It is damaged or cut off. Download it again.',
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigError({
      message: 'The file does not hold a JSON object.',
      where: path,
      hint: 'Download it again.',
    });
  return value as Json;
}
