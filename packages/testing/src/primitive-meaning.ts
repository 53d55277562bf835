import { UnsupportedError } from '@weft/errors';
import { isFloat, type Dim, type Node, type PrimitiveOp } from '@weft/graph';
import { erf } from './erf.js';
import { countOf, broadcastOffsets, stridesOf, toTensor, viewOffsets, type Tensor } from './tensor.js';

type Meaning<O extends PrimitiveOp> = (
  node: Node<O>,
  inputs: readonly Tensor[],
  size: (dim: Dim) => number,
) => Tensor | readonly Tensor[];

/** What every primitive computes; a missing one does not compile. */
export const primitiveMeaning: { readonly [O in Exclude<PrimitiveOp, 'Input' | 'Parameter'>]: Meaning<O> } = {
  Constant: ({ attributes: { dtype, shape, data } }) =>
    dtype === 'float16'
      ? { shape, data: Float64Array.from(data as Uint16Array, fromHalf) }
      : toTensor({ shape, data }),
  Iota: ({ attributes }, _, size) =>
    vector(Float64Array.from({ length: size(attributes.size) }, (_x, i) => i)),
  DimSize: ({ attributes }, _, size) => ({ shape: [], data: Float64Array.of(size(attributes.size)) }),
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Div: (node, inputs) => {
    const whole = !isFloat(node.outputs[0]!.dtype);
    return zip(inputs, (a, b) => (whole ? Math.trunc(a / b) : a / b));
  },
  Pow: elementwise((a, b) => a ** b),
  Maximum: elementwise(Math.max),
  Minimum: elementwise(Math.min),
  Neg: elementwise((x) => -x),
  Exp: elementwise(Math.exp),
  Log: elementwise(Math.log),
  Sqrt: elementwise(Math.sqrt),
  Reciprocal: elementwise((x) => 1 / x),
  Tanh: elementwise(Math.tanh),
  Sigmoid: elementwise((x) => 1 / (1 + Math.exp(-x))),
  Erf: elementwise(erf),
  Relu: elementwise((x) => Math.max(x, 0)),
  Sin: elementwise(Math.sin),
  Cos: elementwise(Math.cos),
  Floor: elementwise(Math.floor),
  Not: elementwise((x) => Number(x === 0)),
  Equal: elementwise((a, b) => Number(a === b)),
  Less: elementwise((a, b) => Number(a < b)),
  LessOrEqual: elementwise((a, b) => Number(a <= b)),
  And: elementwise((a, b) => a & b),
  Or: elementwise((a, b) => a | b),
  Where: elementwise((condition, a, b) => (condition !== 0 ? a : b)),
  // Between float types nothing is rounded: the interpreter is the exact meaning that targets approach.
  Cast: ({ attributes: { to } }, [x]) => {
    if (isFloat(to)) return x!;
    return zip([x!], to === 'bool' ? (value) => Number(value !== 0) : Math.trunc);
  },
  MatMul: ({ attributes: { transposeA, transposeB, alpha } }, [a, b]) => {
    const [left, right] = [matrixAxes(a!, transposeA), matrixAxes(b!, transposeB)];
    const batch = broadcastShape([a!.shape.slice(0, -2), b!.shape.slice(0, -2)]);
    const [m, k, n] = [left.rows, left.columns, right.columns];
    const [aStarts, bStarts] = [a!, b!].map((x) =>
      broadcastOffsets(x.shape.slice(0, -2), batch).map((i) => i * x.shape.at(-2)! * x.shape.at(-1)!),
    );
    const data = new Float64Array(countOf(batch) * m * n);
    let at = 0;
    for (let i = 0; i < countOf(batch); i++)
      for (let row = 0; row < m; row++)
        for (let column = 0; column < n; column++) {
          let sum = 0;
          const from = aStarts![i]! + row * left.rowStride;
          const other = bStarts![i]! + column * right.columnStride;
          for (let j = 0; j < k; j++)
            sum += a!.data[from + j * left.columnStride]! * b!.data[other + j * right.rowStride]!;
          data[at++] = alpha * sum;
        }
    return { shape: [...batch, m, n], data };
  },
  Reshape: ({ attributes }, [x], size) => ({ shape: attributes.shape.map(size), data: x!.data }),
  Transpose: ({ attributes: { permutation } }, [x]) => {
    const strides = stridesOf(x!.shape);
    return pick(
      x!,
      permutation.map((axis) => x!.shape[axis]!),
      permutation.map((axis) => strides[axis]!),
    );
  },
  Expand: ({ attributes }, [x], size) => {
    const shape = attributes.shape.map(size);
    return {
      shape,
      data: broadcastOffsets(x!.shape, shape).reduce(copyFrom(x!.data), new Float64Array(countOf(shape))),
    };
  },
  Concat: ({ attributes: { axis } }, inputs) => {
    const shape = inputs[0]!.shape.map((size, i) =>
      i === axis ? inputs.reduce((sum, x) => sum + x.shape[axis]!, 0) : size,
    );
    const data = new Float64Array(countOf(shape));
    let start = 0;
    for (const x of inputs) {
      place(data, shape, axis, start, x);
      start += x.shape[axis]!;
    }
    return { shape, data };
  },
  Slice: ({ attributes: { axis, start, end } }, [x], size) => {
    const strides = stridesOf(x!.shape);
    const shape = x!.shape.map((n, i) => (i === axis ? size(end) - size(start) : n));
    return pick(x!, shape, strides, size(start) * strides[axis]!);
  },
  Pad: ({ attributes: { axis, before, after } }, [x], size) => {
    const shape = x!.shape.map((n, i) => (i === axis ? size(before) + n + size(after) : n));
    const data = new Float64Array(countOf(shape));
    place(data, shape, axis, size(before), x!);
    return { shape, data };
  },
  ReduceSum: reduction((values) => values.reduce((a, b) => a + b, 0)),
  ReduceMean: reduction((values) => values.reduce((a, b) => a + b, 0) / values.length),
  ReduceMax: reduction((values) => values.reduce((a, b) => Math.max(a, b))),
  CumSum: ({ attributes: { axis } }, [x]) => {
    const data = x!.data.slice();
    const stride = stridesOf(x!.shape)[axis]!;
    for (let i = 0; i < data.length; i++)
      if (Math.floor(i / stride) % x!.shape[axis]! > 0) data[i]! += data[i - stride]!;
    return { shape: x!.shape, data };
  },
  Gather: ({ attributes: { axis } }, [x, indices]) => {
    const [outer, inner] = [x!.shape.slice(0, axis), x!.shape.slice(axis + 1)];
    const [size, width] = [x!.shape[axis]!, countOf(inner)];
    const shape = [...outer, ...indices!.shape, ...inner];
    const data = new Float64Array(countOf(shape));
    let at = 0;
    for (let i = 0; i < countOf(outer); i++)
      for (const index of indices!.data) {
        const from = (i * size + (index < 0 ? index + size : index)) * width;
        for (let j = 0; j < width; j++) data[at++] = x!.data[from + j]!;
      }
    return { shape, data };
  },
  ScatterRows: ({ attributes: { mode } }, [x, indices, updates]) => {
    const data = x!.data.slice();
    const width = countOf(x!.shape.slice(1));
    for (const [i, row] of indices!.data.entries())
      for (let j = 0; j < width; j++) {
        const update = updates!.data[i * width + j]!;
        data[row * width + j] = mode === 'add' ? data[row * width + j]! + update : update;
      }
    return { shape: x!.shape, data };
  },
  TopK: ({ attributes: { k } }, [x]) => {
    const size = x!.shape.at(-1)!;
    const shape = [...x!.shape.slice(0, -1), k];
    const [values, places] = [new Float64Array(countOf(shape)), new Float64Array(countOf(shape))];
    for (let row = 0; row * size < x!.data.length; row++) {
      const line = x!.data.subarray(row * size, (row + 1) * size);
      const order = [...line.keys()].toSorted((a, b) => line[b]! - line[a]! || a - b);
      for (let i = 0; i < k; i++) {
        values[row * k + i] = line[order[i]!]!;
        places[row * k + i] = order[i]!;
      }
    }
    return [
      { shape, data: values },
      { shape, data: places },
    ];
  },
  Onnx: ({ attributes, path }) => {
    throw new UnsupportedError({
      message: `The interpreter does not know the ONNX operator ${attributes.type}.`,
      where: path || undefined,
    });
  },
};

const vector = (data: Float64Array): Tensor => ({ shape: [data.length], data });

function broadcastShape(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    shapes.map((shape) => shape[axis - rank + shape.length] ?? 1).reduce((a, b) => (a === 1 ? b : a)),
  );
}

function zip(inputs: readonly Tensor[], combine: (a: number, b: number, c: number) => number): Tensor {
  const shape = broadcastShape(inputs.map((x) => x.shape));
  const [a, b = a, c = a] = inputs.map((x) => ({ data: x.data, at: broadcastOffsets(x.shape, shape) }));
  const data = new Float64Array(countOf(shape));
  for (let i = 0; i < data.length; i++)
    data[i] = combine(a!.data[a!.at[i]!]!, b!.data[b!.at[i]!]!, c!.data[c!.at[i]!]!);
  return { shape, data };
}

function elementwise(
  combine: (a: number, b: number, c: number) => number,
): (node: unknown, inputs: readonly Tensor[]) => Tensor {
  return (_, inputs) => zip(inputs, combine);
}

function copyFrom(source: Float64Array) {
  return (target: Float64Array, from: number, to: number): Float64Array => {
    target[to] = source[from]!;
    return target;
  };
}

function pick(x: Tensor, shape: readonly number[], strides: readonly number[], start = 0): Tensor {
  const offsets = viewOffsets(shape, strides, start);
  return { shape, data: offsets.reduce(copyFrom(x.data), new Float64Array(offsets.length)) };
}

/** Writes `x` into the larger tensor, from `start` on along one axis. */
function place(data: Float64Array, shape: readonly number[], axis: number, start: number, x: Tensor): void {
  const strides = stridesOf(shape);
  for (const [i, at] of viewOffsets(x.shape, strides, start * strides[axis]!).entries())
    data[at] = x.data[i]!;
}

function matrixAxes(x: Tensor, transposed: boolean) {
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  return transposed
    ? { rows: columns, columns: rows, rowStride: 1, columnStride: columns }
    : { rows, columns, rowStride: columns, columnStride: 1 };
}

function reduction(
  combine: (values: Float64Array) => number,
): Meaning<'ReduceSum' | 'ReduceMean' | 'ReduceMax'> {
  return ({ attributes: { axes, keepDims } }, [x]) => {
    const strides = stridesOf(x!.shape);
    const kept = [...x!.shape.keys()].filter((axis) => !axes.includes(axis));
    const view = (list: readonly number[]) =>
      viewOffsets(
        list.map((axis) => x!.shape[axis]!),
        list.map((axis) => strides[axis]!),
      );
    const inside = view(axes);
    const data = Float64Array.from(view(kept), (start) =>
      combine(Float64Array.from(inside, (offset) => x!.data[start + offset]!)),
    );
    return {
      shape: keepDims
        ? x!.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
        : kept.map((axis) => x!.shape[axis]!),
      data,
    };
  };
}

/** The number of a float16 bit pattern. */
function fromHalf(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
