import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError } from '@weft/errors';

/** The path of a file in a folder. */
export const joinPath = (folder: string, name: string): string => join(folder, name);

/** The text of a file; `undefined` if there is no such file. @throws FileError if it cannot be read */
export async function readTextFile(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw fileError(cause, file);
  }
}
/** Names in a folder, in the order of their letters; none if there is no such folder. */
export async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && ['ENOENT', 'ENOTDIR'].includes(String(cause.code)))
      return [];
    throw fileError(cause, folder);
  }
}

export { startRenderThread } from './render-thread.js';
