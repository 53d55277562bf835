import { open, readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Files } from '../files.js';

/** The disk. */
export const files: Files = {
  resolve: (path) => resolve(path),
  join: (folder, name) => join(folder, name),
  basename: (path) => basename(path),
  dirname: (path) => dirname(path),
  realpath: (path) => realpath(path),
  kindOf: async (path) => {
    const info = await stat(path);
    return info.isDirectory() ? 'folder' : info.isFile() ? 'file' : 'other';
  },
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
  isMissing: (error) => (error as NodeJS.ErrnoException).code === 'ENOENT',
};
