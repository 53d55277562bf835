import { WeightError } from '@weft/errors';
import { files, type TensorEntry } from '@weft/weights';

/**
 * The bytes of a tensor whose checkpoint is not open any more; it may be a piece of a stored tensor.
 *
 * @throws WeightError if the file became shorter
 */
export const readEntry = ({
  file,
  offset,
  byteLength,
  name,
}: TensorEntry): Promise<Uint8Array<ArrayBuffer>> => readRange(file, offset, byteLength, name);

/**
 * Bytes of a file.
 *
 * @param name of what they are, for messages
 * @throws WeightError if the file is too short
 */
export async function readRange(
  path: string,
  offset: number,
  byteLength: number,
  name = `bytes from ${offset} on`,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = await files.open(path);
  try {
    const bytes = new Uint8Array(byteLength);
    for (let done = 0; done < byteLength;) {
      const count = await file.read(bytes.subarray(done), offset + done);
      if (count === 0)
        throw new WeightError({
          message: 'The file became shorter while it was read.',
          where: `${path}, ${name}`,
        });
      done += count;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
