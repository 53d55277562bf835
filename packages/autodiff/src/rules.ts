import { UnsupportedError } from '@weft/errors';
import {
  add,
  cast,
  concat,
  constant,
  conv,
  convWindows,
  cos,
  countElements,
  cumSum,
  dimSize,
  div,
  equal,
  exp,
  expand,
  full,
  gather,
  groupedLinear,
  iota,
  isFloat,
  lessOrEqual,
  less,
  log,
  matmul,
  mul,
  multiplyDims,
  neg,
  addDims,
  oneHot,
  pad,
  pow,
  reciprocal,
  reduceMean,
  reduceSum,
  relabel,
  reshape,
  rope,
  sameShape,
  scatterRows,
  sigmoid,
  sin,
  slice,
  softmax,
  sqrt,
  sub,
  tanh,
  erf,
  transpose,
  where,
  type Dim,
  type Node,
  type Op,
  type PrimitiveOp,
  type SemanticOp,
  type Shape,
  type Value,
} from '@weft/graph';

/**
 * Gradient of a node: `dy` holds the gradients of its outputs (`undefined` where nothing depends on one); the
 * result holds those of its inputs, `null` where there is none.
 */
export type GradientRule<O extends Op> = (
  node: Node<O>,
  dy: readonly (Value | undefined)[],
  wanted: readonly boolean[],
) => readonly (Value | null)[];

/** `none`: integers, comparisons and constants, which nothing can learn through. */
type Entry<O extends Op> = GradientRule<O> | 'none';

/** A gradient as wide as the broadcast result, summed back to the operand's shape. */
export function sumTo(gradient: Value, shape: Shape): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const extra = gradient.rank - shape.length;
  const axes = [...gradient.shape.keys()].filter(
    (i) => i < extra || (shape[i - extra] === 1 && gradient.shape[i] !== 1),
  );
  return reshape(reduceSum(gradient, axes, true), shape);
}

const binaryRule =
  <O extends Op>(
    rule: (a: Value, b: Value, dy: Value, y: Value) => readonly [Value | null, Value | null],
  ): GradientRule<O> =>
  ({ inputs: [a, b], outputs: [y] }, [dy]) => {
    const [da, db] = rule(a!, b!, dy!, y!);
    return [da && sumTo(da, a!.shape), db && sumTo(db, b!.shape)];
  };

const unaryRule =
  <O extends Op>(rule: (x: Value, dy: Value, y: Value) => Value): GradientRule<O> =>
  ({ inputs: [x], outputs: [y] }, [dy]) => [rule(x!, dy!, y!)];

const choice = (pick: (a: Value, b: Value) => Value) =>
  binaryRule((a, b, dy) => {
    const first = pick(a, b);
    return [where(first, dy, 0), where(first, 0, dy)];
  });

/** Rules of all primitives; a missing one does not compile. */
export const primitiveGradients: { readonly [O in PrimitiveOp]: Entry<O> } = {
  Input: 'none',
  Parameter: 'none',
  Constant: 'none',
  Iota: 'none',
  DimSize: 'none',
  Floor: 'none',
  Not: 'none',
  Equal: 'none',
  Less: 'none',
  LessOrEqual: 'none',
  And: 'none',
  Or: 'none',
  Onnx: (node) => {
    throw new UnsupportedError({
      message: `The ONNX operator ${node.attributes.type} has no gradient.`,
      where: node.path,
      hint: 'Write the module with semantic operations, or freeze everything before this node.',
    });
  },
  Add: binaryRule((_a, _b, dy) => [dy, dy]),
  Sub: binaryRule((_a, _b, dy) => [dy, neg(dy)]),
  Mul: binaryRule((a, b, dy) => [mul(dy, b), mul(dy, a)]),
  Div: binaryRule((_a, b, dy, y) => [div(dy, b), neg(div(mul(dy, y), b))]),
  Pow: binaryRule((a, b, dy, y) => [
    mul(dy, mul(b, pow(a, sub(b, 1)))),
    isConstant(b) ? null : mul(dy, mul(y, log(a))),
  ]),
  Maximum: choice((a, b) => lessOrEqual(b, a)),
  Minimum: choice((a, b) => lessOrEqual(a, b)),
  Neg: unaryRule((_x, dy) => neg(dy)),
  Exp: unaryRule((_x, dy, y) => mul(dy, y)),
  Log: unaryRule((x, dy) => div(dy, x)),
  Sqrt: unaryRule((_x, dy, y) => div(mul(dy, 0.5), y)),
  Reciprocal: unaryRule((_x, dy, y) => neg(mul(dy, mul(y, y)))),
  Tanh: unaryRule((_x, dy, y) => mul(dy, sub(1, mul(y, y)))),
  Sigmoid: unaryRule((_x, dy, y) => mul(dy, mul(y, sub(1, y)))),
  Erf: unaryRule((x, dy) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))),
  Relu: unaryRule((x, dy) => where(less(0, x), dy, 0)),
  Sin: unaryRule((x, dy) => mul(dy, cos(x))),
  Cos: unaryRule((x, dy) => neg(mul(dy, sin(x)))),
  Where: ({ inputs: [condition, a, b] }, [dy]) => [
    null,
    sumTo(where(condition!, dy!, 0), a!.shape),
    sumTo(where(condition!, 0, dy!), b!.shape),
  ],
  Cast: ({ inputs: [x] }, [dy]) => [isFloat(x!.dtype) ? cast(dy!, x!.dtype) : null],
  MatMul: ({ inputs: [a, b], attributes: { transposeA, transposeB, alpha } }, [dy], [wantA, wantB]) => [
    wantA
      ? sumTo(
          transposeA
            ? matmul(b!, dy!, { transposeA: transposeB, transposeB: true, alpha })
            : matmul(dy!, b!, { transposeB: !transposeB, alpha }),
          a!.shape,
        )
      : null,
    wantB
      ? sumTo(
          transposeB
            ? matmul(dy!, a!, { transposeA: true, transposeB: transposeA, alpha })
            : matmul(a!, dy!, { transposeA: !transposeA, alpha }),
          b!.shape,
        )
      : null,
  ],
  // `relabel` makes reshapes whose sizes are equal only by the caller's word.
  Reshape: ({ inputs: [x] }, [dy]) => [relabel(dy!, x!.shape)],
  Transpose: ({ attributes: { permutation } }, [dy]) => [transpose(dy!, inverse(permutation))],
  Expand: ({ inputs: [x] }, [dy]) => [sumTo(dy!, x!.shape)],
  Concat: ({ inputs, attributes: { axis } }, [dy]) => {
    let end: Dim = 0;
    return inputs.map((x) => {
      const start = end;
      end = addDims(start, x.shape[axis]!);
      return slice(dy!, axis, start, end);
    });
  },
  Slice: ({ inputs: [x], attributes: { axis, start, end } }, [dy]) => [
    pad(dy!, axis, start, addDims(x!.shape[axis]!, multiplyDims(-1, end))),
  ],
  Pad: ({ inputs: [x], attributes: { axis, before } }, [dy]) => [
    slice(dy!, axis, before, addDims(before, x!.shape[axis]!)),
  ],
  ReduceSum: ({ inputs: [x], attributes }, [dy]) => [expand(keepAxes(dy!, x!, attributes), x!.shape)],
  ReduceMean: ({ inputs: [x], attributes }, [dy]) => {
    const count = countElements(attributes.axes.map((axis) => x!.shape[axis]!));
    return [expand(div(keepAxes(dy!, x!, attributes), cast(dimSize(count), dy!.dtype)), x!.shape)];
  },
  ReduceMax: ({ inputs: [x], outputs: [y], attributes }, [dy]) => {
    // Ties share the gradient, so that it stays the mean of the one-sided derivatives.
    const hits = cast(equal(x!, keepAxes(y!, x!, attributes)), dy!.dtype);
    return [mul(hits, div(keepAxes(dy!, x!, attributes), reduceSum(hits, attributes.axes, true)))];
  },
  CumSum: ({ attributes: { axis } }, [dy]) => [
    sub(add(reduceSum(dy!, [axis], true), dy!), cumSum(dy!, axis)),
  ],
  Gather: ({ inputs: [x, indices], attributes: { axis } }, [dy]) => {
    const count = indices!.rank;
    const order = [...indices!.shape.keys()].map((i) => i + axis);
    const rest = [...dy!.shape.keys()].filter((i) => !order.includes(i));
    const picked = transpose(dy!, [...order, ...rest]);
    const rows = reshape(picked, [countElements(indices!.shape), ...picked.shape.slice(count)]);
    const front = [axis, ...[...x!.shape.keys()].filter((i) => i !== axis)];
    const zeros = full(
      front.map((i) => x!.shape[i]!),
      0,
      dy!.dtype,
    );
    const flat = reshape(indices!, [countElements(indices!.shape)]);
    return [transpose(scatterRows(zeros, flat, rows, 'add'), inverse(front)), null];
  },
  ScatterRows: ({ inputs: [x, indices, updates], attributes: { mode } }, [dy], [wantX]) => {
    const rows = gather(dy!, indices!);
    if (mode === 'add') return [dy!, null, rows];
    const kept = wantX ? scatterRows(dy!, indices!, full(updates!.shape, 0, x!.dtype), 'replace') : null;
    return [kept, null, rows];
  },
  TopK: ({ inputs: [x], outputs: [, indices], attributes: { k } }, [dy]) => {
    // One-hot columns of the winners: [..., k, V], summed over k.
    const columns = x!.shape.at(-1)!;
    const winners = cast(equal(reshape(indices!, [...indices!.shape, 1]), iota(columns)), dy!.dtype);
    return [reduceSum(mul(winners, reshape(dy!, [...x!.shape.slice(0, -1), k, 1])), [-2])];
  },
};

/** Closed forms that are cheaper than the gradient of the reference; the others are decomposed first. */
export const semanticGradients: { readonly [O in SemanticOp]?: GradientRule<O> } = {
  Linear: ({ inputs: [x, weight, bias] }, [dy], [wantX, wantWeight]) => {
    // Two axes: ONNX Runtime sums three-axis weight gradients per batch, at half the speed.
    const rows = (value: Value) =>
      reshape(value, [countElements(value.shape.slice(0, -1)), value.shape.at(-1)!]);
    const flat = rows(dy!);
    return [
      wantX ? reshape(matmul(flat, weight!), x!.shape) : null,
      wantWeight ? matmul(flat, rows(x!), { transposeA: true }) : null,
      ...(bias ? [reduceSum(flat, [0])] : []),
    ];
  },
  GroupedLinear: (
    { inputs: [x, groups, ...weights], attributes: { layout } },
    [dy],
    [wantX, , ...wantWeights],
  ) => {
    const group = reshape(groups!, [groups!.shape[0]!, 1]);
    const gradientOf = (index: number): Value => {
      const own = where(equal(group, index), dy!, 0);
      return layout === 'out-in'
        ? matmul(own, x!, { transposeA: true })
        : matmul(x!, own, { transposeA: true });
    };
    return [
      wantX ? groupedLinear(dy!, groups!, weights, layout === 'out-in' ? 'in-out' : 'out-in') : null,
      null,
      ...weights.map((_, i) => (wantWeights[i] ? gradientOf(i) : null)),
    ];
  },
  Embedding: ({ inputs: [ids, table] }, [dy]) => {
    const rows = reshape(dy!, [countElements(ids!.shape), table!.shape[1]!]);
    return [
      null,
      scatterRows(full(table!.shape, 0, dy!.dtype), reshape(ids!, [countElements(ids!.shape)]), rows, 'add'),
    ];
  },
  RmsNorm: ({ inputs: [x, weight], attributes: { eps } }, [dy], [wantX, wantWeight]) => {
    const rstd = reciprocal(sqrt(add(reduceMean(mul(x!, x!), [-1], true), eps)));
    const normed = mul(x!, rstd);
    return [
      wantX ? throughNorm(mul(dy!, weight!), normed, rstd, false) : null,
      wantWeight ? sumTo(mul(dy!, normed), weight!.shape) : null,
    ];
  },
  LayerNorm: ({ inputs: [x, weight, bias], attributes: { eps } }, [dy], [wantX, wantWeight]) => {
    const centred = sub(x!, reduceMean(x!, [-1], true));
    const rstd = reciprocal(sqrt(add(reduceMean(mul(centred, centred), [-1], true), eps)));
    const normed = mul(centred, rstd);
    return [
      wantX ? throughNorm(mul(dy!, weight!), normed, rstd, true) : null,
      wantWeight ? sumTo(mul(dy!, normed), weight!.shape) : null,
      sumTo(dy!, bias!.shape),
    ];
  },
  /** The transposed rotation turns the other way. */
  Rope: ({ inputs: [, c, s], attributes, path }, [dy], [, wantCos, wantSin]) => {
    if (wantCos || wantSin)
      throw new UnsupportedError({ message: 'The angles of Rope have no gradient.', where: path });
    return [rope(dy!, c!, neg(s!), attributes), null, null];
  },
  Softmax: ({ outputs: [y] }, [dy]) => {
    const weighted = mul(dy!, y!);
    return [sub(weighted, mul(y!, reduceSum(weighted, [-1], true)))];
  },
  Conv: (node, [dy], [wantX, wantWeight]) => [
    wantX ? convInputGradient(node, dy!) : null,
    wantWeight ? convWeightGradient(node, dy!) : null,
    ...(node.inputs[2] ? [reduceSum(dy!, [0, 2, 3])] : []),
  ],
  Gelu: ({ inputs: [x], attributes: { approximation } }, [dy]) => {
    if (approximation === 'none') {
      const cdf = mul(add(erf(mul(x!, Math.SQRT1_2)), 1), 0.5);
      const density = mul(exp(mul(mul(x!, x!), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return [mul(dy!, add(cdf, mul(x!, density)))];
    }
    const [c, a] = [Math.sqrt(2 / Math.PI), 0.044715];
    const square = mul(x!, x!);
    const t = tanh(mul(mul(x!, add(mul(square, a), 1)), c));
    const inner = mul(add(mul(square, 3 * a), 1), c);
    return [mul(dy!, mul(add(add(t, 1), mul(mul(x!, sub(1, mul(t, t))), inner)), 0.5))];
  },
  QuickGelu: ({ inputs: [x] }, [dy]) => [mul(dy!, sigmoidLinear(x!, 1.702))],
  Silu: ({ inputs: [x] }, [dy]) => [mul(dy!, sigmoidLinear(x!, 1))],
  CrossEntropy: ({ inputs: [logits, targets] }, [dy]) => {
    const counted = where(less(targets!, 0), 0, dy!);
    const error = sub(softmax(logits!), oneHot(targets!, logits!.shape[1]!, logits!));
    return [mul(error, reshape(counted, [targets!.shape[0]!, 1])), null];
  },
};

/** The convolution of the gradient, spread out by the steps, with the kernels turned around. */
function convInputGradient({ inputs, attributes }: Node<'Conv'>, dy: Value): Value {
  const [x, weight] = inputs as readonly [Value, Value];
  const { strides, padding, groups } = attributes;
  const [out, perGroup, ...kernel] = weight.shape as readonly number[];
  const swapped = transpose(reshape(weight, [groups, out! / groups, perGroup!, ...kernel]), [0, 2, 1, 3, 4]);
  const turned = [2, 3].reduce(
    (value, axis) => {
      const size = kernel[axis - 2]!;
      const backwards = Array.from({ length: size }, (_, i) => size - 1 - i);
      return size === 1 ? value : gather(value, constant(backwards, 'int64'), axis);
    },
    reshape(swapped, [groups * perGroup!, out! / groups, ...kernel]),
  );
  const spread = [2, 3].reduce((value, axis) => {
    const [step, size] = [strides[axis - 2]!, value.shape[axis]!];
    if (step === 1) return value;
    const [before, after] = [value.shape.slice(0, axis), value.shape.slice(axis + 1)];
    const spaced = pad(reshape(value, [...before, size, 1, ...after]), axis + 1, 0, step - 1);
    const whole = reshape(spaced, [...before, multiplyDims(size, step), ...after]);
    return slice(whole, axis, 0, addDims(multiplyDims(step, size), 1 - step));
  }, dy);
  const [rows, columns] = kernel as [number, number];
  const reached = conv(spread, turned, null, {
    padding: [rows - 1, columns - 1, rows - 1, columns - 1],
    groups,
  });
  return [2, 3].reduce((value, axis) => {
    const [before, size] = [padding[axis - 2]!, x.shape[axis]!];
    // Rows and columns that no step reaches have no gradient.
    const end = addDims(before, size);
    const beyond = addDims(end, multiplyDims(-1, value.shape[axis]!));
    const long = typeof beyond === 'number' && beyond > 0 ? pad(value, axis, 0, beyond) : value;
    return slice(long, axis, before, end);
  }, reached);
}

/** For each element of the kernel, the products of what it met with the gradient there. */
function convWeightGradient({ inputs, outputs, attributes }: Node<'Conv'>, dy: Value): Value {
  const [x, weight] = inputs as readonly [Value, Value];
  const { groups } = attributes;
  const [out, perGroup, kernelRows, kernelColumns] = weight.shape as readonly number[];
  const [tiles, , rows, columns] = outputs[0]!.shape;
  const places = multiplyDims(rows!, columns!);
  const byGroup = (value: Value, size: number): Value =>
    reshape(transpose(reshape(value, [tiles!, groups, size, places]), [1, 2, 0, 3]), [
      groups,
      size,
      multiplyDims(tiles!, places),
    ]);
  const errors = byGroup(dy, out! / groups);
  const elements = convWindows(x, weight, attributes, [rows!, columns!]).map(({ window }) =>
    reshape(matmul(errors, byGroup(window, perGroup!), { transposeB: true }), [out!, perGroup!, 1]),
  );
  return reshape(concat(elements, 2), [out!, perGroup!, kernelRows!, kernelColumns!]);
}

/** Derivative of `x sigmoid(a x)`. */
function sigmoidLinear(x: Value, a: number): Value {
  const s = sigmoid(a === 1 ? x : mul(x, a));
  const slope = mul(x, sub(1, s));
  return mul(s, add(a === 1 ? slope : mul(slope, a), 1));
}

/** Gradient with respect to the input of a norm, given that of its normalised values. */
function throughNorm(dNormed: Value, normed: Value, rstd: Value, centred: boolean): Value {
  const along = mul(normed, reduceMean(mul(dNormed, normed), [-1], true));
  const rest = sub(dNormed, along);
  return mul(rstd, centred ? sub(rest, reduceMean(dNormed, [-1], true)) : rest);
}

const inverse = (permutation: readonly number[]): number[] => {
  const result: number[] = [];
  for (const [to, from] of permutation.entries()) result[from] = to;
  return result;
};

function keepAxes(value: Value, like: Value, { axes }: { readonly axes: readonly number[] }): Value {
  return reshape(
    value,
    like.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)),
  );
}

const isConstant = (value: Value): boolean => value.node.op === 'Constant';
