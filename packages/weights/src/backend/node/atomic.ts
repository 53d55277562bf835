import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { withFileErrors } from '@weft/errors';

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
 * @throws FileError where the file system refuses; the file at `path` is then as before
 */
export const writeFileAtomic = async (path: string, data: string | Uint8Array): Promise<void> => {
  const staged = await stageFile(path, (handle) =>
    writeAll(handle, typeof data === 'string' ? Buffer.from(data) : data, path),
  );
  await staged.commit();
  await flushFolder(dirname(resolve(path)));
};

/** Names of temporary files that this process writes at the moment. */
const inWork = new Set<string>();

/** Writes a file next to its target; `write` is told the temporary name, too. @throws FileError where the file system refuses */
export const stageFile = async (
  path: string,
  write: (handle: FileHandle, temporary: string) => Promise<void>,
): Promise<StagedFile> => {
  const target = resolve(path);
  const temporary = join(
    dirname(target),
    `.${basename(target).slice(0, 60)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`,
  );
  inWork.add(temporary);
  const discard = async (): Promise<void> => {
    await withFileErrors(target, () => rm(temporary, { force: true }));
    inWork.delete(temporary);
  };
  try {
    const handle = await withFileErrors(target, () => open(temporary, 'wx'));
    try {
      await write(handle, temporary);
      await withFileErrors(target, () => handle.sync());
    } finally {
      await handle.close();
    }
  } catch (error) {
    // What went wrong first counts.
    await discard().catch(() => undefined);
    throw error;
  }
  return {
    async commit() {
      try {
        await withFileErrors(target, () => rename(temporary, target));
        inWork.delete(temporary);
      } catch (error) {
        await discard().catch(() => undefined);
        throw error;
      }
    },
    discard,
  };
};

/** Longest that a write is taken to last whose process cannot be told from another one of the same number, ms. */
const longestWrite = 3_600_000;

/**
 * Removes the temporary files that writers left in a folder when their process was killed. Those of writers that may still
 * be at work stay.
 *
 * @returns names of the files that were removed
 */
export const removeTemporaries = (folder: string): Promise<readonly string[]> =>
  withFileErrors(folder, async () => {
    const root = resolve(folder);
    const removed: string[] = [];
    for (const name of await readdir(root)) {
      const [, writer] = /^\..+\.(\d+)\.[0-9a-f]{12}\.tmp$/.exec(name) ?? [];
      const path = join(root, name);
      if (writer === undefined || (await isAtWork(Number(writer), path))) continue;
      await rm(path, { force: true });
      removed.push(name);
    }
    return removed;
  });

async function isAtWork(writer: number, path: string): Promise<boolean> {
  if (writer === process.pid) return inWork.has(path);
  const isAlive = ((): boolean => {
    try {
      return process.kill(writer, 0);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  })();
  // In a container numbers of processes come again.
  return isAlive && Date.now() - (await stat(path)).mtimeMs < longestWrite;
}

/** Writes all bytes at the end of what was written before. @throws FileError naming `path` */
export const writeAll = (handle: FileHandle, data: Uint8Array, path: string): Promise<void> =>
  withFileErrors(path, async () => {
    // One write of the operating system takes less than 2 GiB.
    const most = 2 ** 30;
    for (let done = 0; done < data.byteLength;) {
      const { bytesWritten } = await handle.write(data, done, Math.min(most, data.byteLength - done));
      done += bytesWritten;
    }
  });

/** Makes the names in a folder survive a crash. @throws FileError where the file system refuses */
export const flushFolder = (folder: string): Promise<void> =>
  withFileErrors(folder, async () => {
    // Windows cannot open folders; its file systems journal the rename.
    if (process.platform === 'win32') return;
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
