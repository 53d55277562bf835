import { WeightError } from '@weft/errors';
import type { CheckpointNames } from '@weft/spec';
import { fromFloat32, toFloat32, type TensorToWrite } from '@weft/weights';

/**
 * The tensors as files of their kind hold them: under the names that readers know, and pieces such as single experts put
 * together to one tensor, in the place of the first. Its data is read when it is written.
 *
 * @throws WeightError if a piece is missing, or what is put together would not be taken apart to the same pieces
 */
export function storedTensors(
  tensors: readonly TensorToWrite[],
  { stored, split }: Pick<CheckpointNames, 'stored' | 'split'>,
): TensorToWrite[] {
  const groups = new Map<string, TensorToWrite[]>();
  for (const tensor of tensors) {
    const place = stored?.(tensor.name);
    if (place?.index === undefined) continue;
    const pieces = groups.get(place.name) ?? [];
    pieces[place.index] = tensor;
    groups.set(place.name, pieces);
  }
  const done = new Set<string>();
  return tensors.flatMap((tensor) => {
    const { name = tensor.name, index } = stored?.(tensor.name) ?? {};
    if (index === undefined) return [{ ...tensor, name }];
    if (done.has(name)) return [];
    done.add(name);
    return [whole(name, groups.get(name)!, split)];
  });
}

function whole(
  name: string,
  pieces: readonly (TensorToWrite | undefined)[],
  split: CheckpointNames['split'],
): TensorToWrite {
  const given = [...pieces].filter((piece) => piece !== undefined);
  const [first] = given;
  const shape = [pieces.length, ...first!.shape];
  const size = first!.shape.reduce((product, side) => product * side, 1);
  const apart = split?.(name, shape) ?? [];
  const isSame =
    given.length === pieces.length &&
    apart.length === given.length &&
    given.every((piece, i) => {
      const part = apart[i]!;
      return part.name === piece.name && part.start === i * size && part.shape.join() === piece.shape.join();
    });
  if (!isSame)
    throw new WeightError({
      message: `The ${given.length} tensors of '${name}' cannot be written as one: they are not all there, or not of one shape.`,
      where: first!.name,
    });
  // Pieces of several types are written in the widest that weights are trained in.
  const isOneType = given.every(({ dtype }) => dtype === first!.dtype);
  const read = async ({ data, dtype }: TensorToWrite): Promise<Uint8Array> => {
    const bytes = typeof data === 'function' ? await data() : data;
    return isOneType ? bytes : fromFloat32(toFloat32(bytes, dtype), 'F32');
  };
  return {
    name,
    dtype: isOneType ? first!.dtype : 'F32',
    shape,
    data: async () => {
      let result = new Uint8Array(0);
      for (const [i, piece] of given.entries()) {
        const bytes = await read(piece);
        if (i === 0) result = new Uint8Array(bytes.length * given.length);
        if (bytes.length * given.length !== result.length)
          throw new WeightError({
            message: `The data has ${bytes.length} bytes, expected ${result.length / given.length}.`,
            where: piece.name,
          });
        result.set(bytes, i * bytes.length);
      }
      return result;
    },
  };
}
