import { files } from '#backend';
import type { OpenFile } from './backend/files.js';
import { bytesPerElement, isConvertible, toFloat32, type SafetensorsDtype } from './dtypes.js';
import { quoted } from './header.js';
import { readRange } from './read-range.js';
import type { TensorEntry } from './safetensors.js';

/** Elements that are compared at a time. */
const step = 2 ** 20;

/**
 * Whether two stored tensors hold the same: their bytes, or where their types differ the numbers that single precision has
 * for them. Tensors of another shape hold something else. They are read piece by piece, up to the first difference.
 */
export async function sameValues(one: TensorEntry, other: TensorEntry): Promise<boolean> {
  if (one.shape.join() !== other.shape.join()) return false;
  const isSameType = one.dtype === other.dtype;
  if (!isSameType && !(isConvertible(one.dtype) && isConvertible(other.dtype))) return false;
  return await withFiles([one, other], async ([a, b]) => {
    const count = elements(one);
    for (let at = 0; at < count; at += step) {
      const range = [at, Math.min(step, count - at)] as const;
      const [left, right] = await Promise.all([elementsOf(a!, one, range), elementsOf(b!, other, range)]);
      const isSame = isSameType
        ? sameItems(left, right)
        : sameItems(toFloat32(left, one.dtype), toFloat32(right, other.dtype));
      if (!isSame) return false;
    }
    return true;
  });
}

/** What rounding makes of a number: a share of it, and near zero a fixed amount. */
const roundings: Partial<Record<SafetensorsDtype, readonly [relative: number, smallest: number]>> = {
  BF16: [2 ** -8, 0],
  F16: [2 ** -11, 2 ** -25],
};

/**
 * Whether a stored tensor holds these numbers: to two steps of F16 and BF16, and to 1e-5 of wider types, as the few roundings
 * of another computation of the same formula make it.
 */
export async function holdsValues(entry: TensorEntry, wanted: Float32Array): Promise<boolean> {
  const count = elements(entry);
  if (count !== wanted.length || !isConvertible(entry.dtype)) return false;
  const bytes = await withFiles([entry], async ([file]) => elementsOf(file!, entry, [0, count]));
  const [relative, smallest] = roundings[entry.dtype] ?? [5e-6, 0];
  return toFloat32(bytes, entry.dtype).every(
    (value, i) => Math.abs(value - wanted[i]!) <= 2 * Math.max(relative * Math.abs(wanted[i]!), smallest),
  );
}

const elements = ({ shape }: TensorEntry): number => shape.reduce((product, size) => product * size, 1);

/** Opens the files of tensors, and closes them again. */
async function withFiles<T>(
  entries: readonly TensorEntry[],
  use: (opened: readonly OpenFile[]) => Promise<T>,
): Promise<T> {
  const opened: OpenFile[] = [];
  try {
    for (const { file } of entries) opened.push(await files.open(file));
    return await use(opened);
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}

async function elementsOf(
  file: OpenFile,
  { name, offset, dtype, file: path }: TensorEntry,
  [first, count]: readonly [number, number],
): Promise<Uint8Array<ArrayBuffer>> {
  const size = bytesPerElement(dtype);
  return readRange(file, offset + first * size, count * size, `${path}, tensor ${quoted(name)}`);
}

/** Whether two arrays of one length hold the same numbers. */
const sameItems = (
  a: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
  b: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
): boolean => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};
