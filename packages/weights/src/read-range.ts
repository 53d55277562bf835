import { reasonOf, WeightError } from '@weft/errors';
import { files } from '#backend';
import type { OpenFile } from './backend/files.js';

/** The error for a file that the system does not let us read. */
export const unreadable = (given: string, cause: unknown): WeightError => {
  const missing = files.isMissing(cause);
  return new WeightError({
    message: missing ? 'There is no such file.' : `The file cannot be read: ${reasonOf(cause)}.`,
    where: given,
    hint: missing
      ? 'Check the path, or download the checkpoint again.'
      : 'Check the permissions and the disk.',
    cause,
  });
};

/**
 * Bytes of an open file, in new memory.
 *
 * @param where for messages
 * @throws WeightError if the file became shorter, cannot be read, or the bytes do not fit in memory
 */
export const readRange = async (
  handle: OpenFile,
  offset: number,
  length: number,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> => {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(length);
  } catch (cause) {
    throw new WeightError({
      message: `${length} bytes do not fit in memory at once.`,
      where,
      hint: 'Use a machine with more memory, or let ONNX Runtime map the file.',
      cause,
    });
  }
  for (let done = 0; done < length;) {
    const bytesRead = await handle.read(bytes.subarray(done), offset + done).catch((cause: unknown) => {
      throw unreadable(where, cause);
    });
    if (bytesRead === 0) {
      throw new WeightError({
        message: `The file ended after ${done} of ${length} bytes, though it was longer when it was opened.`,
        where,
        hint: 'Another program changes the file. Wait until it is complete.',
      });
    }
    done += bytesRead;
  }
  return bytes;
};
