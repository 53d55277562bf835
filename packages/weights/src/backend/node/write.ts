import { type FileHandle, readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { WeightError, withFileErrors } from '@weft/errors';
import {
  flushFolder,
  removeTemporaries,
  stageFile,
  type StagedFile,
  writeAll,
  writeFileAtomic,
} from './atomic.js';
import { makeFolder } from './files.js';
import { bytesPerElement, isSafetensorsDtype, type SafetensorsDtype } from '../../dtypes.js';
import { elementCount, maxHeaderBytes, quoted } from '../../header.js';
import type { FilledPlace, FileToFill, TensorToFill, TensorToWrite } from '../../tensor-to-write.js';

/**
 * Writes one safetensors file, atomically and tensor by tensor. The result is byte for byte what the reference
 * implementation writes (metadata keys, whose order it leaves to chance, are sorted).
 *
 * @throws WeightError if a name occurs twice or a tensor's bytes do not fit its shape and dtype; nothing is
 * written then
 * @throws FileError where the file system refuses; the file is then as before
 */
export const writeSafetensors = async (
  path: string,
  tensors: Iterable<TensorToWrite>,
  { metadata }: { readonly metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> => {
  const sized = measure(tensors, path);
  const staged = await stageFile(path, (handle) => writeTensors(handle, sized, metadata, path));
  await staged.commit();
  await flushFolder(dirname(resolve(path)));
};

/**
 * Writes one safetensors file whose bytes come from elsewhere: the file is laid out, `fill` writes every tensor to its place,
 * from several threads if it likes, and only then the file gets its name.
 *
 * @throws WeightError like {@link writeSafetensors}; the errors of `fill`, after which nothing is left
 */
export const fillSafetensors = async (
  path: string,
  tensors: Iterable<TensorToFill>,
  fill: (file: FileToFill) => Promise<void>,
  { metadata }: { readonly metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> => {
  const sorted = inOrder(
    measure(
      Array.from(tensors, (tensor) => ({ ...tensor, data: () => Promise.resolve(new Uint8Array()) })),
      path,
    ),
  );
  const header = headerBytes(sorted, metadata, path);
  const staged = await stageFile(path, async (handle, temporary) => {
    await writeAll(handle, header, path);
    let offset = header.byteLength;
    const places = new Map<string, FilledPlace>();
    for (const { name, byteLength } of sorted) {
      places.set(name, { offset, byteLength });
      offset += byteLength;
    }
    await withFileErrors(path, () => handle.truncate(offset));
    await withFileErrors(path, () => fill({ path: temporary, places }));
  });
  await staged.commit();
  await flushFolder(dirname(resolve(path)));
};

/**
 * Writes a checkpoint as a Hugging Face folder holds it: `model.safetensors`, or, if that exceeds
 * `maxShardBytes`, `model-00001-of-0000N.safetensors` and `model.safetensors.index.json`. Tensors fill the
 * shards in the order given; one that is larger than a shard gets its own. Weights that `model*` files of an
 * earlier write left in the folder are removed.
 *
 * After a crash the folder holds the old checkpoint, the new one, or shards without index, which
 * `openCheckpoint` reports; never a mixture.
 *
 * @param settings.metadata - strings for the header of each file; `format` is `pt` unless given, because
 * transformers refuses files without it
 * @param settings.maxShardBytes - 5e9 unless given
 * @returns absolute paths of the files, the index last
 * @throws WeightError like {@link writeSafetensors}
 */
export const writeCheckpoint = async (
  folder: string,
  tensors: Iterable<TensorToWrite>,
  settings: { readonly metadata?: Readonly<Record<string, string>>; readonly maxShardBytes?: number } = {},
): Promise<readonly string[]> => {
  const root = resolve(folder);
  const { maxShardBytes = 5e9 } = settings;
  if (!(maxShardBytes > 0)) {
    throw new WeightError({
      message: `maxShardBytes is ${maxShardBytes}, expected a positive number of bytes.`,
      where: root,
      hint: 'Leave it out for shards of 5 GB.',
    });
  }
  const metadata = { format: 'pt', ...settings.metadata };
  const sized = measure(tensors, root);
  const shards = split(sized, maxShardBytes);
  const names = shards.map((_, i) => shardName(i, shards.length));
  const index = join(root, indexName);
  await makeFolder(root);
  await removeTemporaries(root);
  const staged: StagedFile[] = [];
  try {
    for (const [i, shard] of shards.entries()) {
      const path = join(root, names[i]!);
      staged.push(await stageFile(path, (handle) => writeTensors(handle, shard, metadata, path)));
    }
    // While new shards take the names of old ones, no index may claim that they belong together.
    if (shards.length > 1) await withFileErrors(index, () => rm(index, { force: true }));
    for (const file of staged) await file.commit();
  } catch (error) {
    // What went wrong first counts.
    for (const file of staged) await file.discard().catch(() => undefined);
    throw error;
  }
  await flushFolder(root);
  if (shards.length > 1) await writeFileAtomic(index, indexText(sized, shards, names));
  const kept = new Set(shards.length > 1 ? [...names, indexName] : names);
  await withFileErrors(root, () => removeOthers(root, kept));
  return [...kept].map((name) => join(root, name));
};

const indexName = 'model.safetensors.index.json';

/** From the strictest alignment to the loosest, as the reference orders its types. */
const writeOrder: readonly SafetensorsDtype[] = [
  'U64',
  'I64',
  'F64',
  'C64',
  'F32',
  'U32',
  'I32',
  'BF16',
  'F16',
  'U16',
  'I16',
  'F8_E5M2FNUZ',
  'F8_E4M3FNUZ',
  'F8_E8M0',
  'F8_E4M3',
  'F8_E5M2',
  'I8',
  'U8',
  'F6_E3M2',
  'F6_E2M3',
  'F4',
  'BOOL',
];

interface SizedTensor extends TensorToWrite {
  readonly byteLength: number;
}

const compareText = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Whether UTF-8 can hold the string: half of a surrogate pair has no encoding. */
const isText = (text: string): boolean => Buffer.from(text).toString() === text;

const measure = (tensors: Iterable<TensorToWrite>, path: string): readonly SizedTensor[] => {
  const seen = new Set<string>();
  return Array.from(tensors, (tensor) => {
    const { name, dtype, shape, data } = tensor;
    const fail = (message: string, hint: string): never => {
      throw new WeightError({ message, where: `${path}, tensor ${quoted(name)}`, hint });
    };
    if (seen.has(name))
      return fail('The name occurs twice, expected every name once.', 'Write each tensor once.');
    seen.add(name);
    if (name === '__metadata__' || !isText(name)) {
      return fail('The name cannot be stored in a safetensors file.', 'Use another name.');
    }
    if (!isSafetensorsDtype(dtype)) {
      return fail(`dtype is ${String(dtype)}, expected a type such as F32 or BF16.`, 'Convert the tensor.');
    }
    const byteLength = (elementCount(shape) ?? Number.NaN) * bytesPerElement(dtype);
    if (!Number.isSafeInteger(byteLength)) {
      return fail(`shape is [${shape.join(', ')}], expected sizes from 0.`, 'Pass the shape of the tensor.');
    }
    if (typeof data !== 'function') checkLength(data, tensor, byteLength, path);
    return { name, dtype, shape, data, byteLength };
  });
};

const checkLength = (data: Uint8Array, tensor: TensorToWrite, byteLength: number, path: string): void => {
  if (data.byteLength === byteLength) return;
  throw new WeightError({
    message: `The data has ${data.byteLength} bytes, expected ${byteLength} for ${tensor.dtype} [${tensor.shape.join(', ')}].`,
    where: `${path}, tensor ${quoted(tensor.name)}`,
    hint: 'Convert the data to the stated dtype, or state the dtype that it has.',
  });
};

const headerBytes = (
  sorted: readonly SizedTensor[],
  metadata: Readonly<Record<string, string>> | undefined,
  path: string,
): Uint8Array => {
  // Put together by hand: an object would move names that look like integers to the front.
  const members: string[] = [];
  if (metadata !== undefined) {
    const pairs = Object.entries(metadata).toSorted(([a], [b]) => compareText(a, b));
    const wrong = pairs.find(([key, value]) => typeof value !== 'string' || !isText(key) || !isText(value));
    if (wrong !== undefined) {
      throw new WeightError({
        message: `metadata ${quoted(wrong[0])} is ${JSON.stringify(wrong[1])}, expected a string of UTF-8 text.`,
        where: path,
        hint: 'Write numbers and objects as text, for example with JSON.stringify.',
      });
    }
    members.push(
      `"__metadata__":{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`,
    );
  }
  let offset = 0;
  for (const { name, dtype, shape, byteLength } of sorted) {
    const end = offset + byteLength;
    members.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${offset},${end}]}`,
    );
    offset = end;
  }
  const json = Buffer.from(`{${members.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > maxHeaderBytes) {
    throw new WeightError({
      message: `The header has ${padded} bytes, expected at most ${maxHeaderBytes}.`,
      where: path,
      hint: 'Store less metadata, or fewer tensors in one file.',
    });
  }
  const bytes = Buffer.alloc(8 + padded, ' ');
  bytes.writeBigUInt64LE(BigInt(padded));
  json.copy(bytes, 8);
  return bytes;
};

const inOrder = (tensors: readonly SizedTensor[]): readonly SizedTensor[] =>
  tensors.toSorted(
    (a, b) => writeOrder.indexOf(a.dtype) - writeOrder.indexOf(b.dtype) || compareText(a.name, b.name),
  );

const writeTensors = async (
  handle: FileHandle,
  tensors: readonly SizedTensor[],
  metadata: Readonly<Record<string, string>> | undefined,
  path: string,
): Promise<void> => {
  const sorted = inOrder(tensors);
  await writeAll(handle, headerBytes(sorted, metadata, path), path);
  for (const tensor of sorted) {
    const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
    checkLength(data, tensor, tensor.byteLength, path);
    await writeAll(handle, data, path);
  }
};

const split = (tensors: readonly SizedTensor[], most: number): SizedTensor[][] => {
  const shards: SizedTensor[][] = [];
  let current: SizedTensor[] = [];
  let size = 0;
  for (const tensor of tensors) {
    if (tensor.byteLength > most) {
      shards.push([tensor]);
      continue;
    }
    if (size + tensor.byteLength > most) {
      shards.push(current);
      current = [];
      size = 0;
    }
    current.push(tensor);
    size += tensor.byteLength;
  }
  if (current.length > 0 || shards.length === 0) shards.push(current);
  return shards;
};

const shardName = (i: number, count: number): string => {
  const digits = (value: number): string => String(value).padStart(5, '0');
  return count === 1 ? 'model.safetensors' : `model-${digits(i + 1)}-of-${digits(count)}.safetensors`;
};

const indexText = (
  tensors: readonly SizedTensor[],
  shards: readonly (readonly SizedTensor[])[],
  names: readonly string[],
): string => {
  const homes = shards.flatMap((shard, i) => shard.map(({ name }) => [name, names[i]!] as const));
  const weightMap = Object.fromEntries(homes.toSorted(([a], [b]) => compareText(a, b)));
  const total = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return `${JSON.stringify({ metadata: { total_size: total }, weight_map: weightMap }, undefined, 2)}\n`;
};

const removeOthers = async (folder: string, kept: ReadonlySet<string>): Promise<void> => {
  // The single file goes first: as long as it is there, it is what `openCheckpoint` takes.
  const old = (await readdir(folder))
    .filter(
      (name) => /^model(-\d{5,}-of-\d{5,})?\.safetensors(\.index\.json)?$/.test(name) && !kept.has(name),
    )
    .toSorted((a, b) => Number(b === 'model.safetensors') - Number(a === 'model.safetensors'));
  for (const name of old) await rm(join(folder, name));
};
