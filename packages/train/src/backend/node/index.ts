import { appendFile, rm } from 'node:fs/promises';
import { withFileErrors } from '@weft/errors';

export { makeFolder } from '@weft/weights';

/** Writes a text at the end of a file. @throws FileError where the file system refuses */
export const appendText = (path: string, text: string): Promise<void> =>
  withFileErrors(path, () => appendFile(path, text));

/** Removes a file, if it is there. @throws FileError where the file system refuses */
export const removeFile = (path: string): Promise<void> =>
  withFileErrors(path, () => rm(path, { force: true }));
