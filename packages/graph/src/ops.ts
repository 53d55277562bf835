import { ShapeError } from '@weft/errors';
import {
  addDims,
  broadcastShapes,
  countElements,
  divideDims,
  multiplyDims,
  printShape,
  sameShape,
  type Dim,
  type Shape,
} from './dim.js';
import { fail } from './fail.js';
import type { OnnxAttribute, PrimitiveAttributes, TypedArray } from './op-table.js';
import { halfBits } from './half.js';
import type { DType, TensorType } from './tensor-type.js';
import { makeNode, Value } from './value.js';

/**
 * The most negative finite float32. As a bias on scores it hides a key, and a row with nothing but hidden keys stays
 * finite, as in the reference implementations.
 */
export const mostNegative = -3.4028234663852886e38;

/** A value, or a number that takes the type of the other operand. */
export type Operand = Value | number;

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
} as const;

/** The sizes of `rank` axes. */
export type Dims<R extends number, Sizes extends readonly Dim[] = []> = Sizes['length'] extends R
  ? Sizes
  : Dims<R, readonly [...Sizes, Dim]>;

/**
 * The sizes of a value's axes, as a tuple. They may be symbolic: `batch` is not a number.
 *
 * @throws ShapeError if the value has another number of axes
 */
export function dimsOf<const R extends number>(x: Value, rank: R): Dims<R> {
  if (x.rank !== rank)
    fail(
      `A value with ${rank} axes is needed here, but got ${printShape(x.shape)}.`,
      `It comes from ${x.node.path || 'a graph input'}.`,
    );
  return x.shape as unknown as Dims<R>;
}

/**
 * A constant tensor. Numbers are converted to the element type, those of typed arrays of another type too. A
 * `Uint16Array` for float16 holds bit patterns.
 *
 * @throws ShapeError if the shape has another number of elements
 */
export function constant(
  data: number | readonly number[] | TypedArray,
  dtype: DType,
  shape?: readonly number[],
): Value {
  const list = typeof data === 'number' ? [data] : data;
  const array: TypedArray =
    list instanceof arrays[dtype]
      ? list
      : dtype === 'int64'
        ? BigInt64Array.from(list as readonly number[], BigInt)
        : dtype === 'float16'
          ? Uint16Array.from(list as readonly number[], halfBits)
          : arrays[dtype as 'float32'].from(list as readonly number[], Number);
  const dims = shape ?? (typeof data === 'number' ? [] : [array.length]);
  if (countElements(dims) !== array.length)
    fail(`A constant ${printShape(dims)} was given ${array.length} numbers.`);
  return makeNode('Constant', { dtype, shape: dims, data: array }, [], [{ dtype, shape: dims }])[0]!;
}

const toValue = (x: Operand, dtype: DType): Value => (x instanceof Value ? x : constant(x, dtype));

function binary(
  op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Pow' | 'Maximum' | 'Minimum',
  a: Operand,
  b: Operand,
): Value {
  const dtype = a instanceof Value ? a.dtype : b instanceof Value ? b.dtype : 'float32';
  const [x, y] = [toValue(a, dtype), toValue(b, dtype)];
  if (x.dtype !== y.dtype)
    fail(`${op} needs one element type, but got ${x.dtype} and ${y.dtype}.`, 'Use cast().');
  return makeNode(op, {}, [x, y], [{ dtype, shape: shapeOfBoth(x, y, op) }])[0]!;
}

function shapeOfBoth(x: Value, y: Value, op: string): Shape {
  try {
    return broadcastShapes(x.shape, y.shape, op);
  } catch (error) {
    if (error instanceof ShapeError) fail(error.message);
    throw error;
  }
}

/** `a + b`, with broadcasting. */
export const add = (a: Operand, b: Operand): Value => binary('Add', a, b);
/** `a - b`, with broadcasting. */
export const sub = (a: Operand, b: Operand): Value => binary('Sub', a, b);
/** `a * b` element by element, with broadcasting. */
export const mul = (a: Operand, b: Operand): Value => binary('Mul', a, b);
/** `a / b`, with broadcasting; of integers the whole part, rounded toward zero. */
export const div = (a: Operand, b: Operand): Value => binary('Div', a, b);
/** `a` to the power of `b`, with broadcasting. */
export const pow = (a: Operand, b: Operand): Value => binary('Pow', a, b);
/** The larger of `a` and `b`, with broadcasting. */
export const maximum = (a: Operand, b: Operand): Value => binary('Maximum', a, b);
/** The smaller of `a` and `b`, with broadcasting. */
export const minimum = (a: Operand, b: Operand): Value => binary('Minimum', a, b);

type Unary =
  | 'Neg'
  | 'Exp'
  | 'Log'
  | 'Sqrt'
  | 'Reciprocal'
  | 'Tanh'
  | 'Sigmoid'
  | 'Erf'
  | 'Relu'
  | 'Sin'
  | 'Cos'
  | 'Floor';
const unary = (op: Unary, x: Value): Value => makeNode(op, {}, [x], [x])[0]!;

/** `-x`. */
export const neg = (x: Value): Value => unary('Neg', x);
/** `e` to the power of `x`. */
export const exp = (x: Value): Value => unary('Exp', x);
/** Natural logarithm. */
export const log = (x: Value): Value => unary('Log', x);
/** Square root. */
export const sqrt = (x: Value): Value => unary('Sqrt', x);
/** `1 / x`. */
export const reciprocal = (x: Value): Value => unary('Reciprocal', x);
/** Hyperbolic tangent. */
export const tanh = (x: Value): Value => unary('Tanh', x);
/** `1 / (1 + exp(-x))`. */
export const sigmoid = (x: Value): Value => unary('Sigmoid', x);
/** Error function of the normal distribution. */
export const erf = (x: Value): Value => unary('Erf', x);
/** `max(x, 0)`. */
export const relu = (x: Value): Value => unary('Relu', x);
/** Sine; radians. */
export const sin = (x: Value): Value => unary('Sin', x);
/** Cosine; radians. */
export const cos = (x: Value): Value => unary('Cos', x);
/** The largest whole number that is not above `x`. */
export const floor = (x: Value): Value => unary('Floor', x);

function compare(op: 'Equal' | 'Less' | 'LessOrEqual', a: Operand, b: Operand): Value {
  const dtype = a instanceof Value ? a.dtype : b instanceof Value ? b.dtype : 'float32';
  const [x, y] = [toValue(a, dtype), toValue(b, dtype)];
  if (x.dtype !== y.dtype)
    fail(`${op} needs one element type, but got ${x.dtype} and ${y.dtype}.`, 'Use cast().');
  return makeNode(op, {}, [x, y], [{ dtype: 'bool', shape: shapeOfBoth(x, y, op) }])[0]!;
}

/** Whether `a` equals `b`, as bool, with broadcasting. */
export const equal = (a: Operand, b: Operand): Value => compare('Equal', a, b);
/** Whether `a < b`, as bool, with broadcasting. */
export const less = (a: Operand, b: Operand): Value => compare('Less', a, b);
/** Whether `a <= b`, as bool, with broadcasting. */
export const lessOrEqual = (a: Operand, b: Operand): Value => compare('LessOrEqual', a, b);

const logical = (op: 'And' | 'Or', a: Value, b: Value): Value =>
  makeNode(op, {}, [a, b], [{ dtype: 'bool', shape: shapeOfBoth(a, b, op) }])[0]!;
/** Whether both hold, of two bool values, with broadcasting. */
export const and = (a: Value, b: Value): Value => logical('And', a, b);
/** Whether at least one holds, of two bool values, with broadcasting. */
export const or = (a: Value, b: Value): Value => logical('Or', a, b);
/** The opposite of a bool value. */
export const not = (x: Value): Value => makeNode('Not', {}, [x], [x])[0]!;

/** `condition ? a : b`, elementwise with broadcasting. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const dtype = a instanceof Value ? a.dtype : b instanceof Value ? b.dtype : 'float32';
  const [x, y] = [toValue(a, dtype), toValue(b, dtype)];
  const shape = broadcastShapes(condition.shape, broadcastShapes(x.shape, y.shape, 'where'), 'where');
  return makeNode('Where', {}, [condition, x, y], [{ dtype, shape }])[0]!;
}

/** The value in another element type. From floating-point numbers to integers the fraction is cut off; to bool, all but 0 is true. */
export const cast = (x: Value, to: DType): Value =>
  x.dtype === to ? x : makeNode('Cast', { to }, [x], [{ dtype: to, shape: x.shape }])[0]!;

/**
 * Product over the last two axes with broadcasting of the others: `[…, M, K]` by `[…, K, N]` to `[…, M, N]`.
 */
export function matmul(
  a: Value,
  b: Value,
  {
    transposeA = false,
    transposeB = false,
    alpha = 1,
  }: { transposeA?: boolean; transposeB?: boolean; alpha?: number } = {},
): Value {
  if (a.rank < 2 || b.rank < 2)
    fail(`matmul needs at least 2 axes, but got ${printShape(a.shape)} and ${printShape(b.shape)}.`);
  const [m, k] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const [k2, n] = transposeB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!];
  if (k !== k2)
    fail(
      `matmul of ${printShape(a.shape)} and ${printShape(b.shape)}: the inner sizes ${k} and ${k2} differ.`,
    );
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), 'matmul');
  const types: TensorType[] = [{ dtype: a.dtype, shape: [...batch, m, n] }];
  return makeNode('MatMul', { transposeA, transposeB, alpha }, [a, b], types)[0]!;
}

/** The same elements in another shape; one size may be -1 and is then computed. */
export function reshape(x: Value, shape: Shape): Value {
  const open = shape.indexOf(-1);
  let target = shape;
  if (open >= 0) {
    const rest = countElements(shape.filter((_, i) => i !== open));
    const size = divideDims(countElements(x.shape), rest);
    if (size === undefined)
      fail(
        `reshape of ${printShape(x.shape)} to ${printShape(shape)}: the size at -1 is not a whole number.`,
      );
    target = shape.map((dim, i) => (i === open ? size : dim));
  } else if (countElements(shape) !== countElements(x.shape))
    fail(`reshape of ${printShape(x.shape)} to ${printShape(shape)}: the numbers of elements differ.`);
  if (sameShape(target, x.shape)) return x;
  return makeNode('Reshape', { shape: target }, [x], [{ dtype: x.dtype, shape: target }])[0]!;
}

/** The value with other names for sizes that the caller knows to be equal, such as `images` and `64*tiles`. */
export const relabel = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : makeNode('Reshape', { shape }, [x], [{ dtype: x.dtype, shape }])[0]!;

/** Axes in another order; without `permutation` the last two are swapped. */
export function transpose(x: Value, permutation?: readonly number[]): Value {
  const axes = [...x.shape.keys()];
  const order = permutation ?? [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!];
  if (order.length !== x.rank || new Set(order).size !== x.rank)
    fail(`transpose of ${printShape(x.shape)} by [${order.join(', ')}]: not a permutation of its axes.`);
  if (order.every((axis, i) => axis === i)) return x;
  return makeNode(
    'Transpose',
    { permutation: order },
    [x],
    [{ dtype: x.dtype, shape: order.map((axis) => x.shape[axis]!) }],
  )[0]!;
}

/** The value repeated along axes of size 1, so that its shape is `shape`. */
export function expand(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (!sameShape(broadcastShapes(x.shape, shape, 'expand'), shape))
    fail(`expand of ${printShape(x.shape)} to ${printShape(shape)}.`);
  return makeNode('Expand', { shape }, [x], [{ dtype: x.dtype, shape }])[0]!;
}

const axisOf = (x: Value, axis: number): number => (axis < 0 ? axis + x.rank : axis);

/** Values joined along one axis; the other sizes must be equal. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) fail('concat needs at least one value.');
  if (values.length === 1) return first;
  const at = axisOf(first, axis);
  for (const value of values)
    if (
      value.dtype !== first.dtype ||
      value.rank !== first.rank ||
      value.shape.some((dim, i) => i !== at && dim !== first.shape[i])
    )
      fail(
        `concat along axis ${axis} of ${values.map((v) => `${v.dtype} ${printShape(v.shape)}`).join(' and ')}.`,
      );
  const shape = first.shape.map((dim, i) => (i === at ? addDims(...values.map((v) => v.shape[at]!)) : dim));
  return makeNode('Concat', { axis: at }, values, [{ dtype: first.dtype, shape }])[0]!;
}

/** Elements `start` (included) to `end` (excluded) along one axis. */
export function slice(x: Value, axis: number, start: Dim, end: Dim): Value {
  const at = axisOf(x, axis);
  const size = x.shape[at];
  if (size === undefined) fail(`slice of ${printShape(x.shape)} along axis ${axis}.`);
  if (start === 0 && end === size) return x;
  if (
    typeof start === 'number' &&
    typeof end === 'number' &&
    typeof size === 'number' &&
    (start < 0 || end > size || end < start)
  )
    fail(`slice ${start}:${end} of ${printShape(x.shape)} along axis ${axis}.`);
  const length = addDims(end, multiplyDims(-1, start));
  const shape = x.shape.map((dim, i) => (i === at ? length : dim));
  return makeNode('Slice', { axis: at, start, end }, [x], [{ dtype: x.dtype, shape }])[0]!;
}

/** Zeros before and after along one axis. */
export function pad(x: Value, axis: number, before: Dim, after: Dim): Value {
  const at = axisOf(x, axis);
  if (before === 0 && after === 0) return x;
  const shape = x.shape.map((dim, i) => (i === at ? addDims(before, dim, after) : dim));
  return makeNode('Pad', { axis: at, before, after }, [x], [{ dtype: x.dtype, shape }])[0]!;
}

function reduce(
  op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax',
  x: Value,
  axes: readonly number[] | undefined,
  keepDims: boolean,
): Value {
  const list = (axes ?? [...x.shape.keys()]).map((axis) => axisOf(x, axis)).sort((a, b) => a - b);
  if (list.length === 0) return x;
  const shape = keepDims
    ? x.shape.map((dim, i) => (list.includes(i) ? 1 : dim))
    : x.shape.filter((_, i) => !list.includes(i));
  return makeNode(op, { axes: list, keepDims }, [x], [{ dtype: x.dtype, shape }])[0]!;
}

/** Sum over the axes, all of them unless given; `keepDims` leaves them in place with size 1. */
export const reduceSum = (x: Value, axes?: readonly number[], keepDims = false): Value =>
  reduce('ReduceSum', x, axes, keepDims);
/** Mean over the axes, all of them unless given; `keepDims` leaves them in place with size 1. */
export const reduceMean = (x: Value, axes?: readonly number[], keepDims = false): Value =>
  reduce('ReduceMean', x, axes, keepDims);
/** Largest element over the axes, all of them unless given; `keepDims` leaves them in place with size 1. */
export const reduceMax = (x: Value, axes?: readonly number[], keepDims = false): Value =>
  reduce('ReduceMax', x, axes, keepDims);

/** Running sum along one axis, each element included in its own sum. */
export const cumSum = (x: Value, axis: number): Value =>
  makeNode('CumSum', { axis: axisOf(x, axis) }, [x], [x])[0]!;

/** Slices of `x` along one axis, picked by int64 indices: `[…, size, …]` and `[*I]` to `[…, *I, …]`. */
export function gather(x: Value, indices: Value, axis = 0): Value {
  const at = axisOf(x, axis);
  if (indices.dtype !== 'int64' && indices.dtype !== 'int32')
    fail(`gather needs integer indices, but got ${indices.dtype}.`);
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  return makeNode('Gather', { axis: at }, [x, indices], [{ dtype: x.dtype, shape }])[0]!;
}

/**
 * `x` `[R, …]` with the rows at int64 `indices` `[N]` replaced by, or increased by, `updates` `[N, …]`.
 */
export function scatterRows(
  x: Value,
  indices: Value,
  updates: Value,
  mode: PrimitiveAttributes['ScatterRows']['mode'],
): Value {
  if (indices.rank !== 1 || !sameShape(updates.shape, [indices.shape[0]!, ...x.shape.slice(1)]))
    fail(
      `scatterRows of ${printShape(updates.shape)} at ${printShape(indices.shape)} into ${printShape(x.shape)}.`,
    );
  return makeNode('ScatterRows', { mode }, [x, indices, updates], [x])[0]!;
}

/** The `k` largest elements along the last axis, descending, and their int64 positions. */
export function topK(x: Value, k: number): readonly [values: Value, indices: Value] {
  const shape = [...x.shape.slice(0, -1), k];
  const [values, indices] = makeNode(
    'TopK',
    { k },
    [x],
    [
      { dtype: x.dtype, shape },
      { dtype: 'int64', shape },
    ],
  );
  return [values!, indices!];
}

/** The int64 integers `0 … size - 1` as `[size]`. */
export const iota = (size: Dim): Value =>
  makeNode('Iota', { size }, [], [{ dtype: 'int64', shape: [size] }])[0]!;

/** A symbolic size as an int64 scalar. */
export const dimSize = (size: Dim): Value =>
  typeof size === 'number'
    ? constant(size, 'int64')
    : makeNode('DimSize', { size }, [], [{ dtype: 'int64', shape: [] }])[0]!;

/** A value full of one number. */
export const full = (shape: Shape, value: number, dtype: DType): Value =>
  expand(constant(value, dtype), shape);

/**
 * Any ONNX operator, for what the vocabulary lacks. It has no gradient.
 *
 * @param outputs types of the outputs, which nothing checks
 */
export function onnx(
  type: string,
  inputs: readonly Value[],
  outputs: readonly TensorType[],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
  domain = '',
): readonly Value[] {
  return makeNode('Onnx', { type, domain, attributes, outputs }, inputs, outputs);
}
