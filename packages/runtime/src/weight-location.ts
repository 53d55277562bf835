import { UnsupportedError } from '@weft/errors';
import type { BlockForm, ExternalTensor, StorageType, StoredWeight } from '@weft/onnx';
import { files, wholeTensor, type SafetensorsDtype, type TensorEntry, type WeightEntry } from '@weft/weights';
import type { WeightPiece } from './weight-pieces.js';

const storage: Partial<Readonly<Record<SafetensorsDtype, StorageType>>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/** The weights' places for ONNX Runtime. */
export interface WeightLocations {
  /** The narrowest folder that holds all files. */
  readonly folder: string;
  readonly locate: (path: string) => StoredWeight;
  /** The bytes behind a location that `locate` gave, where a session must be given them. */
  readonly pieceAt: (location: string) => WeightPiece | undefined;
}

/** A weight in blocks whose parts are tensors of safetensors files. */
export interface BlockEntries extends BlockForm {
  readonly data: TensorEntry;
  readonly scales: TensorEntry;
  readonly zeroPoints?: TensorEntry | undefined;
}

export interface LocationOptions {
  /** Takes the place of entries where it says something. */
  readonly plan?: StoredPlan | undefined;
  /**
   * Whether ONNX Runtime maps the checkpoint's own files, from the folder. Else every tensor has a location of its own,
   * and its bytes are given to the sessions that need it.
   */
  readonly mapsFiles?: boolean | undefined;
}

/** Weights that are read from elsewhere than their own tensors, in blocks or not, by the paths of their parameters. */
export type StoredPlan = (path: string) => BlockEntries | TensorEntry | undefined;

/**
 * @param entries what each parameter path is stored as
 * @throws UnsupportedError if a tensor is stored in a type that the graphs cannot read, or as several tensors that no
 * plan reads
 */
export function locateWeights(
  entries: ReadonlyMap<string, WeightEntry>,
  { plan = () => undefined, mapsFiles = true }: LocationOptions = {},
): WeightLocations {
  const planned = new Map([...entries.keys()].map((path) => [path, plan(path)]));
  const tensors = [...entries].flatMap(([path, entry]): TensorEntry[] => {
    const stored = planned.get(path);
    return stored && isInBlocks(stored) ? partsOf(stored) : [stored ?? wholeTensor(entry)];
  });
  const folder = commonFolder([...new Set(tensors.map(({ file }) => file))]);
  const pieces = new Map<string, WeightPiece>();
  const place = ({ file, offset, byteLength, shape }: TensorEntry, dtype: StorageType): ExternalTensor => {
    const name = files.relative(folder, file) ?? file;
    if (mapsFiles) return { location: name, offset, length: byteLength, dtype, shape };
    const location = `${name}@${offset}`;
    pieces.set(location, { location, file, offset, byteLength });
    return { location, offset: 0, length: byteLength, dtype, shape };
  };
  return {
    folder,
    pieceAt: (location) => pieces.get(location),
    locate: (path) => {
      const stored = planned.get(path);
      if (!stored || !isInBlocks(stored)) {
        const tensor = stored ?? wholeTensor(entries.get(path)!);
        return place(tensor, floatType(path, tensor));
      }
      const { bits, blockSize, shape, data, scales, zeroPoints } = stored;
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

const isInBlocks = (stored: BlockEntries | TensorEntry): stored is BlockEntries => 'blockSize' in stored;

const partsOf = ({ data, scales, zeroPoints }: BlockEntries): TensorEntry[] =>
  zeroPoints ? [data, scales, zeroPoints] : [data, scales];

function commonFolder(paths: readonly string[]): string {
  const [first = files.resolve('/'), ...others] = paths.map(files.dirname);
  let folder = first;
  const isShared = (): boolean =>
    others.every((other) => other === folder || files.relative(folder, other) !== undefined);
  while (!isShared() && files.dirname(folder) !== folder) folder = files.dirname(folder);
  return folder;
}
