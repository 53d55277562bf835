import { ConfigError, parseJson, reasonOf } from '@weft/errors';
import { readTextFile } from '#backend';

/**
 * The content of a JSON file; undefined if there is no such file.
 *
 * @throws {ConfigError} if the file is not valid JSON, or nested deeper than any file of a checkpoint is.
 */
export async function readJsonFile(file: string): Promise<unknown> {
  const text = await readTextFile(file);
  if (text === undefined) return undefined;
  try {
    return parseJson(text);
  } catch (cause) {
    throw new ConfigError({
      message: `The file is not valid JSON: ${reasonOf(cause)}.`,
      where: file,
      hint: 'Download it again: it may be cut off, or a Git LFS pointer.',
      cause,
    });
  }
}
