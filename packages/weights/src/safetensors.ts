import { WeightError } from '@weft/errors';
import { files } from '#backend';
import type { OpenFile } from './backend/files.js';
import { type SafetensorsDtype, toFloat32 } from './dtypes.js';
import { foreignName, foreignStart } from './foreign-file.js';
import { maxHeaderBytes, parseHeader, quoted } from './header.js';
import { readRange, unreadable } from './read-range.js';

/** Where one tensor lies on disk and how to read its bytes. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Absolute path of the file with all symbolic links resolved. */
  readonly file: string;
  /** First byte of the tensor, counted from the start of the file. */
  readonly offset: number;
  /** Size in bytes. */
  readonly byteLength: number;
}

/** An open safetensors file of which only the header was read. */
export interface SafetensorsFile {
  /** Absolute path with all symbolic links resolved. */
  readonly path: string;
  /** The `__metadata__` of the header, such as `{ format: 'pt' }`. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /**
   * The bytes of a tensor in little-endian order, in new memory that starts at offset 0 of its buffer.
   *
   * @throws WeightError if there is no such tensor, if the file became shorter, or after `close`
   */
  read(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * The elements of a tensor as single precision numbers.
   *
   * @throws WeightError like `read`
   * @throws UnsupportedError for complex numbers and floating point types of 8, 6 and 4 bits
   */
  readFloat32(name: string): Promise<Float32Array<ArrayBuffer>>;
  /** Closes the file. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a safetensors file: reads its header, checks all of it, and reads tensors on request.
 *
 * The checks are those of the reference implementation (no gap, no overlap, no bytes after the last tensor),
 * and more: names that occur twice and a header that does not start with `{` are refused as the format
 * demands.
 *
 * @throws WeightError that names the file, the tensor, what was found, what was expected and what to do
 * @see https://github.com/huggingface/safetensors#format
 */
export const openSafetensors = async (path: string): Promise<SafetensorsFile> => {
  const given = files.resolve(path);
  const file = await regularFile(given);
  const handle = await files.open(file).catch((cause: unknown) => {
    throw unreadable(given, cause);
  });
  try {
    return await openHandle(handle, file, given);
  } catch (error) {
    await handle.close();
    throw error;
  }
};

const regularFile = async (given: string): Promise<string> => {
  try {
    const file = await files.realpath(given);
    // Before it is opened: opening a pipe would wait for its other end.
    if ((await files.kindOf(file)) === 'file') return file;
  } catch (cause) {
    throw unreadable(given, cause);
  }
  throw new WeightError({
    message: 'Found a folder or device, expected a safetensors file.',
    where: given,
    hint: 'Pass the path of a file that ends in .safetensors.',
  });
};

const openHandle = async (handle: OpenFile, file: string, given: string): Promise<SafetensorsFile> => {
  const { size } = handle;
  const start = await readRange(handle, 0, Math.min(size, 64), given);
  // Any bytes are the length of some header, if its JSON follows.
  const foreign = start[8] === 0x7b ? undefined : (foreignStart(start) ?? foreignName(given));
  if (foreign) {
    throw new WeightError({
      message: `The file is ${foreign.what}, expected safetensors.`,
      where: given,
      hint: foreign.hint,
    });
  }
  if (size < 8) {
    throw new WeightError({
      message: `The file has ${size} bytes, expected at least the 8 bytes of the header's length.`,
      where: given,
      hint: 'The file is probably cut off. Download it again.',
    });
  }
  const stated = new DataView(start.buffer).getBigUint64(0, true);
  if (stated === 0n || stated > BigInt(maxHeaderBytes) || stated > BigInt(size - 8)) {
    throw new WeightError({
      message: `The file of ${size} bytes states a header of ${stated} bytes, expected 1 to ${Math.min(maxHeaderBytes, size - 8)}.`,
      where: given,
      hint: 'This is not a safetensors file, or it is cut off. Download it again.',
    });
  }
  const headerLength = Number(stated);
  const dataStart = 8 + headerLength;
  const header = parseHeader(await readRange(handle, 8, headerLength, given), size - dataStart, given);
  const tensors = new Map<string, TensorEntry>();
  for (const { name, dtype, shape, begin, end } of header.entries) {
    tensors.set(name, { name, dtype, shape, file, offset: dataStart + begin, byteLength: end - begin });
  }
  let closing: Promise<void> | undefined;

  const entryOf = (name: string): TensorEntry => {
    const entry = tensors.get(name);
    if (entry === undefined) {
      throw new WeightError({
        message: `There is no tensor ${quoted(name)} among the ${tensors.size} of this file.`,
        where: given,
        hint: 'List the names with `tensors.keys()`.',
      });
    }
    if (closing !== undefined) {
      throw new WeightError({
        message: `Tensor ${quoted(name)} was read after the file was closed.`,
        where: given,
        hint: 'Close the file after the last read.',
      });
    }
    return entry;
  };

  const read = async (name: string): Promise<Uint8Array<ArrayBuffer>> => {
    const { offset, byteLength } = entryOf(name);
    return readRange(handle, offset, byteLength, `${given}, tensor ${quoted(name)}`);
  };

  return {
    path: file,
    metadata: header.metadata,
    tensors,
    read,
    async readFloat32(name) {
      const { dtype } = entryOf(name);
      const bytes = await read(name);
      return dtype === 'F32' ? new Float32Array(bytes.buffer) : toFloat32(bytes, dtype);
    },
    close: () => (closing ??= handle.close()),
  };
};
