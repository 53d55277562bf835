import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { InputError } from '@weft/errors';
import { emptyError, requireSmall, type ReadOptions } from '../../source.js';

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new InputError({
      message: `${url} is not a file URL of this machine.`,
      hint: 'Write file:///folder/name.',
      cause,
    });
  }
}

/**
 * The bytes of a file. The size is checked before anything is read.
 *
 * @throws InputError when it cannot be read, is empty or too large
 */
export async function readPath(
  text: string,
  name: string,
  { maxBytes, signal }: ReadOptions,
): Promise<Uint8Array> {
  const path = /^file:/i.test(text) ? pathOf(text) : text;
  try {
    const found = await stat(path);
    if (!found.isFile())
      throw new InputError({ message: `${name} is not a file.`, hint: 'Give the path of one image file.' });
    requireSmall(name, found.size, maxBytes);
    // Files of size 0 may be endless devices of the system.
    if (found.size === 0) throw emptyError(name);
    return await readFile(path, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof InputError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    throw new InputError({
      message:
        code === 'ENOENT'
          ? `There is no file ${name}.`
          : `${name} cannot be read (${code ?? String(cause)}).`,
      hint: 'Check the path and the permissions; relative paths start at the working directory.',
      cause,
    });
  }
}
