import { UnsupportedError } from '@weft/errors';
import type { FilesToReplace } from '../../files-to-replace.js';
import type { FileToFill, TensorToFill, TensorToWrite } from '../../tensor-to-write.js';

export { files } from './files.js';

const cannotWrite = (path: string): Promise<never> =>
  Promise.reject(
    new UnsupportedError({
      message: 'A browser has no disk to write a checkpoint to.',
      where: path,
      hint: 'Write it in Node.',
    }),
  );

/** @throws UnsupportedError always */
export const writeFileAtomic = (path: string, _data: string | Uint8Array): Promise<void> => cannotWrite(path);

/** @throws UnsupportedError always */
export const writeSafetensors = (path: string, _tensors: Iterable<TensorToWrite>): Promise<void> =>
  cannotWrite(path);

/** @throws UnsupportedError always */
export const writeCheckpoint = (
  folder: string,
  _tensors: Iterable<TensorToWrite>,
): Promise<readonly string[]> => cannotWrite(folder);

/** @throws UnsupportedError always */
export const replaceFiles = (folder: string, _files: FilesToReplace): Promise<void> => cannotWrite(folder);

/** @throws UnsupportedError always */
export const makeFolder = (folder: string): Promise<void> => cannotWrite(folder);

/** @throws UnsupportedError always */
export const removeTemporaries = (folder: string): Promise<readonly string[]> => cannotWrite(folder);

/** @throws UnsupportedError always */
export const fillSafetensors = (
  path: string,
  _tensors: Iterable<TensorToFill>,
  _fill: (file: FileToFill) => Promise<void>,
): Promise<void> => cannotWrite(path);
