import { UnsupportedError } from '@weft/errors';

const cannotWrite = (path: string): Promise<never> =>
  Promise.reject(
    new UnsupportedError({
      message: 'A browser has no disk to keep a training run on.',
      where: path,
      hint: 'Train in Node with `fit`, or make updates with `Optimizer`, which keeps nothing.',
    }),
  );

/** @throws UnsupportedError always */
export const makeFolder = (folder: string): Promise<void> => cannotWrite(folder);

/** @throws UnsupportedError always */
export const appendText = (path: string, _text: string): Promise<void> => cannotWrite(path);

/** @throws UnsupportedError always */
export const removeFile = (path: string): Promise<void> => cannotWrite(path);
