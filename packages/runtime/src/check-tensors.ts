import { InputError, shown } from '@weft/errors';
import type { DType, TensorData } from '@weft/graph';

/** Arrays that hold each type, besides those of other copies of the language's own classes. */
const arrays: Readonly<Record<DType, readonly string[]>> = {
  float32: ['Float32Array'],
  float64: ['Float64Array'],
  float16: ['Uint16Array', 'Float16Array'],
  int64: ['BigInt64Array'],
  int32: ['Int32Array'],
  uint8: ['Uint8Array', 'Uint8ClampedArray', 'Buffer'],
  int8: ['Int8Array'],
  bool: ['Uint8Array', 'Buffer'],
};

/**
 * Checks tensors that a caller made by hand, or took from a request: type, shape, and data of that type and size.
 *
 * @throws InputError naming the tensor
 */
export function checkTensors(inputs: Readonly<Record<string, TensorData | undefined>>): void {
  for (const [name, tensor] of Object.entries(inputs)) {
    const fail = (message: string): never => {
      throw new InputError({
        message,
        where: 'forward',
        hint: "A tensor is { dtype: 'float32', shape: [1, 3], data: new Float32Array(3) }.",
      });
    };
    // A field that is not set is not there.
    if (tensor === undefined) continue;
    if (typeof tensor !== 'object' || tensor === null)
      return fail(`${name} is ${shown(tensor)}, expected a tensor.`);
    const { dtype, shape, data } = tensor as Partial<TensorData>;
    if (typeof dtype !== 'string' || !Object.hasOwn(arrays, dtype))
      return fail(`The dtype of ${name} is ${shown(dtype)}, expected ${Object.keys(arrays).join(', ')}.`);
    if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0))
      return fail(`The shape of ${name} is ${shown(shape)}, expected a list of whole numbers of at least 0.`);
    const kind = ArrayBuffer.isView(data) ? data.constructor.name : undefined;
    if (kind === undefined || !arrays[dtype].includes(kind))
      return fail(
        `The data of ${name} is ${kind ?? (Array.isArray(data) ? 'a plain list' : shown(data))}, expected ${arrays[dtype][0]} for ${dtype}.`,
      );
    const elements = shape.reduce((product, size) => product * size, 1);
    if (data!.length !== elements)
      return fail(
        `The data of ${name} has ${data!.length} values, expected ${elements} for the shape [${shape.join(', ')}].`,
      );
  }
}
