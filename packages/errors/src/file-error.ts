import { WeftError, type ErrorParts } from './weft-error.js';

/** The file system refused: it is full or read-only, a file stands where a folder must be, a name is too long, … */
export class FileError extends WeftError {
  /** Code of the system, such as `ENOSPC`. */
  readonly reason: string;

  constructor(parts: ErrorParts & { readonly reason: string }) {
    super('WEFT_FILE', parts);
    this.reason = parts.reason;
  }
}

/** What codes of the system mean, and what the reader can do. */
const meanings: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  ENOSPC: ['The disk is full', 'Free some space, or choose another folder.'],
  EDQUOT: ['The space that you may use on the disk is used up', 'Free some space, or choose another folder.'],
  EFBIG: ['The file would be larger than the file system allows', 'Choose a folder on another file system.'],
  EROFS: ['The file system is read-only', 'Choose a folder that can be written.'],
  EACCES: ['Permission is denied', 'Check who may read and write there.'],
  EPERM: ['The system does not permit it', 'Check who may read and write there.'],
  ENOENT: ['There is no such file or folder', 'Check the path.'],
  ENOTDIR: ['A file stands where a folder must be', 'Choose another path, or move the file away.'],
  EEXIST: ['Something else stands there already', 'Choose another path, or move away what is there.'],
  EISDIR: ['A folder stands where a file must be', 'Choose another path, or move the folder away.'],
  ENOTEMPTY: ['The folder is not empty', 'Choose another path, or move away what is there.'],
  ENAMETOOLONG: ['The path or a name in it is too long', 'Choose a shorter path.'],
  ELOOP: ['Symbolic links lead around in a circle', 'Mend the links, or choose another path.'],
  EMFILE: ['Too many files are open in this process', 'Close models and files that are not needed.'],
  ENFILE: ['Too many files are open on this machine', 'Close programs that are not needed.'],
  EBUSY: ['It is in use', 'End the program that uses it.'],
  EIO: ['The disk reports a fault', 'Check the disk, or choose another folder.'],
  EINVAL: ['The path cannot be used', 'Choose another path.'],
  ERR_INVALID_ARG_VALUE: [
    'The path has a NUL character, which no file system allows',
    'Choose another path.',
  ],
  ERR_FS_FILE_TOO_LARGE: ['The file is too large to be read at once', 'Check that it is the file you mean.'],
  ERR_STRING_TOO_LONG: ['The file is too large to be read as text', 'Check that it is the file you mean.'],
};

/**
 * An error of the file system in the words of Weft; whatever else was thrown stays as it is.
 *
 * @param path that was read or written
 */
export function fileError(cause: unknown, path: string): unknown {
  if (!(cause instanceof Error) || cause instanceof WeftError) return cause;
  // On the way from another thread an error keeps its message alone: `ENOSPC: no space left on device, write`.
  const [, told, call] = /^(E[A-Z0-9]+): [^]*?, (\w+)/.exec(cause.message) ?? [];
  const lost = told !== undefined && told in meanings ? told : undefined;
  const { code = lost, syscall = call } = cause as { readonly code?: unknown; readonly syscall?: unknown };
  if (typeof code !== 'string') return cause;
  const known = meanings[code];
  if (known === undefined && (typeof syscall !== 'string' || !/^E[A-Z0-9]+$/.test(code))) return cause;
  const [message, hint] = known ?? [`The file system refuses ${String(syscall)}`, 'Check the path.'];
  return new FileError({ message: `${message} (${code}).`, where: path, hint, reason: code, cause });
}

/** Why something failed, for the middle of a sentence: the first line of its message without the full stop. */
export const reasonOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.replace(/\.$/, '');

/** Does something with files. @throws FileError with the path where the file system refuses */
export async function withFileErrors<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw fileError(cause, path);
  }
}
