import { dirname, join, parse, relative, sep } from 'node:path';
import { UnsupportedError } from '@weft/errors';
import type { BlockForm, ExternalTensor, StorageType, StoredWeight } from '@weft/onnx';
import { wholeTensor, type SafetensorsDtype, type TensorEntry, type WeightEntry } from '@weft/weights';

const storage: Partial<Readonly<Record<SafetensorsDtype, StorageType>>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/** The weights' places for ONNX Runtime, which maps them from the checkpoint's own files. */
export interface WeightLocations {
  /** The narrowest folder that holds all files. */
  readonly folder: string;
  readonly locate: (path: string) => StoredWeight;
}

/** A weight in blocks whose parts are tensors of safetensors files. */
export interface BlockEntries extends BlockForm {
  readonly data: TensorEntry;
  readonly scales: TensorEntry;
  readonly zeroPoints?: TensorEntry | undefined;
}

/** Weights that are read from elsewhere than their own tensors, by the paths of their parameters. */
export type StoredPlan = (path: string) => BlockEntries | undefined;

/**
 * @param entries what each parameter path is stored as
 * @param plan takes the place of entries where it says something
 * @throws UnsupportedError if a tensor is stored in a type that the graphs cannot read, or as several tensors that no
 * plan reads
 */
export function locateWeights(
  entries: ReadonlyMap<string, WeightEntry>,
  plan: StoredPlan = () => undefined,
): WeightLocations {
  const planned = new Map([...entries.keys()].map((path) => [path, plan(path)]));
  const tensors = [...entries].flatMap(([path, entry]): TensorEntry[] => {
    const blocks = planned.get(path);
    return blocks ? partsOf(blocks) : [wholeTensor(entry)];
  });
  const folder = commonFolder([...new Set(tensors.map(({ file }) => file))]);
  const place = ({ file, offset, byteLength, shape }: TensorEntry, dtype: StorageType): ExternalTensor => {
    const location = relative(folder, file).split(sep).join('/');
    return { location, offset, length: byteLength, dtype, shape };
  };
  return {
    folder,
    locate: (path) => {
      const blocks = planned.get(path);
      if (!blocks) {
        const tensor = wholeTensor(entries.get(path)!);
        return place(tensor, floatType(path, tensor));
      }
      const { bits, blockSize, shape, data, scales, zeroPoints } = blocks;
      return {
        bits,
        blockSize,
        shape,
        data: place(data, byteType(path, data)),
        scales: place(scales, floatType(path, scales)),
        ...(zeroPoints ? { zeroPoints: place(zeroPoints, byteType(path, zeroPoints)) } : {}),
      };
    },
  };
}

function floatType(path: string, { dtype }: TensorEntry): StorageType {
  const type = storage[dtype];
  if (type) return type;
  throw new UnsupportedError({
    message: `The tensor is stored as ${dtype}; F32, F16, BF16 and F64 are read.`,
    where: path,
    hint: 'Convert the checkpoint to bfloat16.',
  });
}

function byteType(path: string, { name, dtype }: TensorEntry): StorageType {
  if (dtype === 'U8') return 'uint8';
  throw new UnsupportedError({
    message: `The numbers and zero points of a weight in blocks are U8, but '${name}' is ${dtype}.`,
    where: path,
  });
}

const partsOf = ({ data, scales, zeroPoints }: BlockEntries): TensorEntry[] =>
  zeroPoints ? [data, scales, zeroPoints] : [data, scales];

function commonFolder(files: readonly string[]): string {
  const [first = parse(process.cwd()).root, ...others] = files.map(dirname);
  const { root } = parse(first);
  const parts = first.slice(root.length).split(sep);
  const shared = others.reduce((count, folder) => {
    const own = folder.slice(root.length).split(sep);
    let i = 0;
    while (i < count && parts[i] === own[i]) i++;
    return i;
  }, parts.length);
  return join(root, ...parts.slice(0, shared));
}
