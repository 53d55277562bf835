import { appendFile, mkdir, rm } from 'node:fs/promises';

/** Makes a folder with all above it, unless it is there. */
export const makeFolder = async (folder: string): Promise<void> =>
  void (await mkdir(folder, { recursive: true }));

/** Writes a text at the end of a file. */
export const appendText = (path: string, text: string): Promise<void> => appendFile(path, text);

/** Removes a file, if it is there. */
export const removeFile = (path: string): Promise<void> => rm(path, { force: true });
