import { mkdir, open, readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { withFileErrors } from '@weft/errors';
import type { Files, OpenFile } from '../files.js';

const isMissing = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'reason' in error && error.reason === 'ENOENT';

/** Makes a folder with all above it, unless it is there. @throws FileError where the file system refuses */
export const makeFolder = (folder: string): Promise<void> =>
  withFileErrors(folder, async () => {
    try {
      await mkdir(folder, { recursive: true });
    } catch (error) {
      // Of what a read-only file system says, Node makes that the folder is not there. One by one the folders tell why.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      const missing: string[] = [];
      for (let at = resolve(folder); !(await files.exists(at)) && dirname(at) !== at; at = dirname(at))
        missing.unshift(at);
      for (const one of missing) await mkdir(one);
    }
  });

/** The disk. */
export const files: Files = {
  resolve: (path, from) => (from === undefined ? resolve(path) : resolve(from, path)),
  join: (folder, name) => join(folder, name),
  basename: (path) => basename(path),
  dirname: (path) => dirname(path),
  relative: (folder, path) => {
    const way = relative(folder, path).split(sep);
    return way[0] === '..' || isAbsolute(way.join(sep)) ? undefined : way.join('/');
  },
  realpath: (path) => withFileErrors(path, () => realpath(path)),
  kindOf: async (path) => {
    const info = await withFileErrors(path, () => stat(path));
    return info.isDirectory() ? 'folder' : info.isFile() ? 'file' : 'other';
  },
  exists: (path) =>
    withFileErrors(path, () => stat(path)).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw error;
      },
    ),
  list: (folder) => withFileErrors(folder, () => readdir(folder)),
  open: (path) => withFileErrors(path, () => openFile(path)),
  readAll: (path) => withFileErrors(path, () => readFile(path)),
  readText: (path) => withFileErrors(path, () => readFile(path, 'utf8')),
  isMissing,
};

async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    return {
      size,
      // One read of the operating system returns less than 2 GiB.
      read: (into, offset) =>
        withFileErrors(
          path,
          async () => (await handle.read(into, 0, Math.min(2 ** 30, into.byteLength), offset)).bytesRead,
        ),
      close: () => withFileErrors(path, () => handle.close()),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
