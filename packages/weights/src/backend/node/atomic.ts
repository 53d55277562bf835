import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** A complete file under a temporary name, flushed to the disk. */
export interface StagedFile {
  /** Gives the file its name, and removes it if that fails. */
  commit(): Promise<void>;
  /** Removes the file; does nothing after `commit`. */
  discard(): Promise<void>;
}

/**
 * Writes a file so that readers see the old content or all of the new, also after a crash: the data goes to a
 * temporary file in the same folder, is flushed to the disk and then renamed.
 *
 * @throws the error of the file system; the file at `path` is then as before
 */
export const writeFileAtomic = async (path: string, data: string | Uint8Array): Promise<void> => {
  const staged = await stageFile(path, (handle) =>
    writeAll(handle, typeof data === 'string' ? Buffer.from(data) : data),
  );
  await staged.commit();
  await flushFolder(dirname(resolve(path)));
};

/** Writes a file next to its target; `write` is told the temporary name, too. */
export const stageFile = async (
  path: string,
  write: (handle: FileHandle, temporary: string) => Promise<void>,
): Promise<StagedFile> => {
  const target = resolve(path);
  const temporary = join(
    dirname(target),
    `.${basename(target).slice(0, 60)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`,
  );
  const discard = (): Promise<void> => rm(temporary, { force: true });
  const handle = await open(temporary, 'wx');
  try {
    try {
      await write(handle, temporary);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    async commit() {
      try {
        await rename(temporary, target);
      } catch (error) {
        await discard();
        throw error;
      }
    },
    discard,
  };
};

/** Writes all bytes at the end of what was written before. */
export const writeAll = async (handle: FileHandle, data: Uint8Array): Promise<void> => {
  // One write of the operating system takes less than 2 GiB.
  const most = 2 ** 30;
  for (let done = 0; done < data.byteLength;) {
    const { bytesWritten } = await handle.write(data, done, Math.min(most, data.byteLength - done));
    done += bytesWritten;
  }
};

/** Makes the names in a folder survive a crash. */
export const flushFolder = async (folder: string): Promise<void> => {
  // Windows cannot open folders; its file systems journal the rename.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};
