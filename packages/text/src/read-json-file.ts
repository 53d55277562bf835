import { ConfigError, isNestedDeeper, mostJsonLevels } from '@weft/errors';
import { readTextFile } from '#backend';

/**
 * The content of a JSON file; undefined if there is no such file.
 *
 * @throws {ConfigError} if the file is not valid JSON.
 */
export async function readJsonFile(file: string): Promise<unknown> {
  const text = await readTextFile(file);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError({
      message: 'The file is not valid JSON.',
      where: file,
      hint: 'Download it again: it may be cut off, or a Git LFS pointer.',
      cause,
    });
  }
  if (!isNestedDeeper(value)) return value;
  throw new ConfigError({
    message: `The file is nested more than ${mostJsonLevels} levels deep.`,
    where: file,
    hint: 'No file of a checkpoint is; download it again.',
  });
}
