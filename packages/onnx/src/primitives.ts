import type { Op, PrimitiveOp, Value } from '@weft/graph';
import type { Emitter } from './emitter.js';
import { dataTypes } from './model-proto.js';
import type { EmitRule } from './target.js';

const same =
  <O extends Op>(type: string): EmitRule<O> =>
  (e, _, inputs) => [e.node(type, inputs)];

const reduceOver =
  (type: string): EmitRule<'ReduceSum' | 'ReduceMean' | 'ReduceMax'> =>
  (e, { attributes }, [x]) => [
    e.node(type, [x!, e.ints(attributes.axes)], { keepdims: attributes.keepDims ? 1 : 0 }),
  ];

/**
 * ONNX nodes of every primitive, in operators of the default domain, which every execution provider knows. Targets may
 * have rules of their own. `Input`, `Parameter` are bound by `emitModel`.
 */
export const primitives: { readonly [O in Exclude<PrimitiveOp, 'Input' | 'Parameter'>]: EmitRule<O> } = {
  Constant: (e, { attributes }) => [e.constant(attributes)],
  Iota: (e, { attributes: { size } }) => [
    e.shared(`iota ${size}`, () => {
      const scalar = (name: string) => e.node('Reshape', [name, e.ints([])]);
      return e.node('Range', [scalar(e.ints([0])), scalar(e.dim(size)), scalar(e.ints([1]))]);
    }),
  ],
  DimSize: (e, { attributes: { size } }) => [
    e.shared(`scalar ${size}`, () => e.node('Reshape', [e.dim(size), e.ints([])])),
  ],
  Add: same('Add'),
  Sub: same('Sub'),
  Mul: same('Mul'),
  Div: same('Div'),
  Pow: same('Pow'),
  Maximum: same('Max'),
  Minimum: same('Min'),
  Neg: same('Neg'),
  Exp: same('Exp'),
  Log: same('Log'),
  Sqrt: same('Sqrt'),
  Reciprocal: same('Reciprocal'),
  Tanh: same('Tanh'),
  Sigmoid: same('Sigmoid'),
  Erf: same('Erf'),
  Relu: same('Relu'),
  Sin: same('Sin'),
  Cos: same('Cos'),
  Floor: same('Floor'),
  Not: same('Not'),
  Equal: same('Equal'),
  Less: same('Less'),
  LessOrEqual: same('LessOrEqual'),
  And: same('And'),
  Or: same('Or'),
  Where: same('Where'),
  Cast: (e, { attributes }, [x]) => [e.node('Cast', [x!], { to: dataTypes[attributes.to] })],
  MatMul: (e, { attributes: { transposeA, transposeB, alpha }, inputs, outputs }, [a, b]) => {
    const product = e.node('MatMul', [
      transposeA ? turned(e, a!, inputs[0]!) : a!,
      transposeB ? turned(e, b!, inputs[1]!) : b!,
    ]);
    if (alpha === 1) return [product];
    return [e.node('Mul', [product, e.number(alpha, outputs[0]!.dtype)])];
  },
  Reshape: (e, { attributes, inputs }, [x]) => [
    e.node('Reshape', [x!, e.reshapeTarget(inputs[0]!.shape, attributes.shape)]),
  ],
  Transpose: (e, { attributes }, [x]) => [e.node('Transpose', [x!], { perm: attributes.permutation })],
  Expand: (e, { attributes }, [x]) => [e.node('Expand', [x!, e.shape(attributes.shape)])],
  Concat: (e, { attributes }, inputs) => [e.node('Concat', inputs, { axis: attributes.axis })],
  Slice: (e, { attributes: { axis, start, end } }, [x]) => [
    e.node('Slice', [x!, e.dim(start), e.dim(end), e.ints([axis])]),
  ],
  Pad: (e, { attributes: { axis, before, after } }, [x]) => [
    e.node('Pad', [x!, e.node('Concat', [e.dim(before), e.dim(after)], { axis: 0 }), '', e.ints([axis])]),
  ],
  ReduceSum: reduceOver('ReduceSum'),
  ReduceMean: reduceOver('ReduceMean'),
  ReduceMax: reduceOver('ReduceMax'),
  CumSum: (e, { attributes }, [x]) => [
    e.node('CumSum', [x!, e.node('Reshape', [e.ints([attributes.axis]), e.ints([])])]),
  ],
  Gather: (e, { attributes }, inputs) => [e.node('Gather', inputs, { axis: attributes.axis })],
  ScatterRows: (e, { attributes, inputs }, [x, indices, updates]) => {
    const column = e.reshape(indices!, inputs[1]!.shape, [inputs[1]!.shape[0]!, 1]);
    return [
      e.node('ScatterND', [x!, column, updates!], attributes.mode === 'add' ? { reduction: 'add' } : {}),
    ];
  },
  TopK: (e, { attributes }, [x]) =>
    e.nodeOf('TopK', [x!, e.ints([attributes.k])], { axis: -1 }, { outputs: 2 }),
  Onnx: (e, { attributes: { type, domain, attributes, outputs } }, inputs) =>
    e.nodeOf(type, inputs, attributes, { domain, outputs: outputs.length }),
};

/** The last two axes exchanged. */
const turned = (e: Emitter, name: string, { rank }: Value): string =>
  e.shared(`turned ${name}`, () => {
    const axes = Array.from({ length: rank }, (_, axis) => axis);
    return e.node('Transpose', [name], { perm: [...axes.slice(0, -2), rank - 1, rank - 2] });
  });
