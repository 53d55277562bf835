import { open, readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Files } from '../files.js';

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

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
  realpath: (path) => realpath(path),
  kindOf: async (path) => {
    const info = await stat(path);
    return info.isDirectory() ? 'folder' : info.isFile() ? 'file' : 'other';
  },
  exists: (path) =>
    stat(path).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw error;
      },
    ),
  list: (folder) => readdir(folder),
  open: async (path) => {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      return {
        size,
        // One read of the operating system returns less than 2 GiB.
        read: async (into, offset) =>
          (await handle.read(into, 0, Math.min(2 ** 30, into.byteLength), offset)).bytesRead,
        close: () => handle.close(),
      };
    } catch (error) {
      await handle.close();
      throw error;
    }
  },
  readAll: (path) => readFile(path),
  readText: (path) => readFile(path, 'utf8'),
  isMissing,
};
