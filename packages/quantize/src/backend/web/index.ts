import { UnsupportedError } from '@weft/errors';
import type { QuantizedFile, WriteQuantized } from '../write-quantized.js';

const noDisk = (where: string): Promise<never> =>
  Promise.reject(
    new UnsupportedError({
      message: 'A browser has no disk to write quantized weights to.',
      where,
      hint: 'Quantize them in Node.',
    }),
  );

/** Empty: browsers have no such folder. */
export const cacheFolder = (): string => '';

export const writeQuantized: WriteQuantized = (path) => noDisk(path);

export const quantizedFile: QuantizedFile = () => noDisk('dtype');
