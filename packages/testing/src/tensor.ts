/** A dense row-major tensor on its way into a graph: numbers of any element type, booleans as 0 and 1. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number> | BigInt64Array;
}

/** A dense row-major tensor of double precision numbers; integers and booleans are numbers too. */
export interface Tensor extends TensorLike {
  readonly data: Float64Array;
}

/** Tensors by name: the inputs of a graph, or its parameters by path. */
export type Tensors<T extends TensorLike = TensorLike> = Readonly<Record<string, T>>;

/** The same numbers in double precision. */
export function toTensor({ shape, data }: TensorLike): Tensor {
  return {
    shape,
    data: data instanceof BigInt64Array ? Float64Array.from(data, Number) : Float64Array.from(data),
  };
}

export const countOf = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

/** Distance in elements between neighbours along each axis of a row-major tensor. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = Array.from(shape, () => 1);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** Places of the elements of a strided view, in row-major order of the view. */
export function viewOffsets(shape: readonly number[], strides: readonly number[], start = 0): Int32Array {
  let offsets = Int32Array.of(start);
  for (const [axis, size] of shape.entries()) {
    const stride = strides[axis]!;
    const next = new Int32Array(offsets.length * size);
    for (let i = 0, at = 0; i < offsets.length; i++)
      for (let j = 0; j < size; j++) next[at++] = offsets[i]! + j * stride;
    offsets = next;
  }
  return offsets;
}

/** Places of the elements of `from` that each element of the broadcast shape `to` reads. */
export function broadcastOffsets(from: readonly number[], to: readonly number[]): Int32Array {
  const strides = stridesOf(from);
  const missing = to.length - from.length;
  return viewOffsets(
    to,
    to.map((_, axis) => (axis < missing || from[axis - missing] === 1 ? 0 : strides[axis - missing]!)),
  );
}
