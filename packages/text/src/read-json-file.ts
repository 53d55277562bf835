import { readFile } from 'node:fs/promises';
import { ConfigError } from '@weft/errors';

/** The text of a file; undefined if there is no such file. */
export async function readTextFile(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
}

/**
 * The content of a JSON file; undefined if there is no such file.
 *
 * @throws {ConfigError} if the file is not valid JSON.
 */
export async function readJsonFile(file: string): Promise<unknown> {
  const text = await readTextFile(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ConfigError({
      message: 'The file is not valid JSON.',
      where: file,
      hint: 'Download it again: it may be cut off, or a Git LFS pointer.',
      cause,
    });
  }
}
