import { dirname, join, parse, relative, sep } from 'node:path';
import { UnsupportedError } from '@weft/errors';
import type { ExternalTensor, StorageType } from '@weft/onnx';
import type { SafetensorsDtype, TensorEntry } from '@weft/weights';

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
  readonly locate: (path: string) => ExternalTensor;
}

/**
 * @param entries tensor of each parameter path
 * @throws UnsupportedError if a tensor is stored in a type that the graphs cannot read
 */
export function locateWeights(entries: ReadonlyMap<string, TensorEntry>): WeightLocations {
  const folder = commonFolder([...new Set([...entries.values()].map(({ file }) => file))]);
  return {
    folder,
    locate: (path) => {
      const { file, offset, byteLength, dtype, shape } = entries.get(path)!;
      const type = storage[dtype];
      if (!type)
        throw new UnsupportedError({
          message: `The tensor is stored as ${dtype}; F32, F16, BF16 and F64 are read.`,
          where: path,
          hint: 'Convert the checkpoint to bfloat16.',
        });
      return {
        location: relative(folder, file).split(sep).join('/'),
        offset,
        length: byteLength,
        dtype: type,
        shape,
      };
    },
  };
}

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
