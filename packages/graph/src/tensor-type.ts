import type { Shape } from './dim.js';

/** Element types of graph values. Storage types of weights (bf16, int4) never appear here: targets handle them. */
export type DType = 'float32' | 'float64' | 'float16' | 'int64' | 'int32' | 'uint8' | 'int8' | 'bool';

/** Whether elements of this type are floating-point numbers. */
export const isFloat = (dtype: DType): boolean => dtype.startsWith('float');

/** Element type and shape of a value. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}
