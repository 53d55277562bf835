import {
  multiplyDims,
  type Attributes,
  type Dim,
  type Node,
  type Op,
  type PrimitiveOp,
  type SemanticOp,
  type Value,
} from '@weft/graph';
import type { Emitter } from './emitter.js';
import { dataTypes } from './model-proto.js';

/** Emits the ONNX nodes of one operation and returns the names of its outputs. */
export type EmitRule<O extends Op> = (
  e: Emitter,
  node: Node<O>,
  inputs: readonly string[],
) => readonly string[];

const microsoft = 'com.microsoft';
const same =
  <O extends Op>(type: string): EmitRule<O> =>
  (e, _, inputs) => [e.node(type, inputs)];

const reduceOver =
  (type: string): EmitRule<'ReduceSum' | 'ReduceMean' | 'ReduceMax'> =>
  (e, { attributes }, [x]) => [
    e.node(type, [x!, e.ints(attributes.axes)], { keepdims: attributes.keepDims ? 1 : 0 }),
  ];

/** ONNX nodes of every primitive; the same for all targets. `Input`, `Parameter` are bound by `emitModel`. */
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
  MatMul: (e, { attributes: { transposeA, transposeB, alpha } }, [a, b]) => {
    if (!transposeA && !transposeB && alpha === 1) return [e.node('MatMul', [a!, b!])];
    const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha: { float: alpha } };
    return [e.node('FusedMatMul', [a!, b!], flags, microsoft)];
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

/**
 * A matrix whose rank ONNX Runtime does not know before it runs. Its memory planner compares the shape of every result
 * with those of all results before it, which takes half a minute for the thousands of pieces that experts get; it
 * passes over those without a rank.
 */
function withoutRank(e: Emitter, name: string, rows: Dim, size: Dim): string {
  const two = e.shared(`two by ${rows}`, () =>
    e.node('Add', [e.node('Mul', [e.dim(rows), e.ints([0])]), e.ints([2])]),
  );
  return e.node('Reshape', [name, e.node('Slice', [e.shape([rows, size]), e.ints([0]), two])]);
}

/** Fused forms of semantic operations. What has none here is decomposed by the reference. */
export type Lowering = { readonly [O in SemanticOp]?: EmitRule<O> };

/** Operators of ORT's CPU execution provider; WASM has the same. */
export const cpu: Lowering = {
  // Prepacked straight from the checkpoint's `[out, in]`: no transposed copy.
  Linear: (e, _, [x, weight, bias]) => {
    const y = e.node('FusedMatMul', [x!, weight!], { transB: 1 }, microsoft);
    return [bias ? e.node('Add', [y, bias]) : y];
  },
  // Rows are put in the order of their groups and cut there, so that each matrix meets its own rows only.
  GroupedLinear: (e, { attributes: { layout }, inputs: values }, [x, groups, ...weights]) => {
    const [rows, size] = values[0]!.shape;
    const count = weights.length;
    const orderOf = (name: string) =>
      e.shared(
        `order of ${name}`,
        () => e.nodeOf('TopK', [name, e.dim(rows!)], { axis: 0, largest: 0 }, { outputs: 2 })[1]!,
      );
    const counts = e.shared(`sizes of ${count} groups ${groups}`, () => {
      const member = e.node('Equal', [e.reshape(groups!, [rows!], [rows!, 1]), e.ints([...weights.keys()])]);
      return e.node('ReduceSum', [e.node('Cast', [member], { to: dataTypes.int64 }), e.ints([0])], {
        keepdims: 0,
      });
    });
    const pieces = e.shared(`${x} in ${count} groups ${groups}`, () => {
      const sorted = e.node('Gather', [x!, orderOf(groups!)], { axis: 0 });
      return e.nodeOf(
        'Split',
        [withoutRank(e, sorted, rows!, size!), counts],
        { axis: 0 },
        { outputs: count },
      );
    });
    const flags = { transB: layout === 'out-in' ? 1 : 0 };
    const products = pieces.map((piece, i) => e.node('FusedMatMul', [piece, weights[i]!], flags, microsoft));
    return [
      e.node('Gather', [e.node('Concat', products, { axis: 0 }), orderOf(orderOf(groups!))], { axis: 0 }),
    ];
  },
  Embedding: (e, _, [ids, table]) => [e.node('Gather', [table!, ids!], { axis: 0 })],
  RmsNorm: (e, { attributes }, inputs) => [
    e.node('SimplifiedLayerNormalization', inputs, {
      axis: -1,
      epsilon: { float: attributes.eps },
      stash_type: 1,
    }),
  ],
  LayerNorm: (e, { attributes }, inputs) => [
    e.node('LayerNormalization', inputs, { axis: -1, epsilon: { float: attributes.eps }, stash_type: 1 }),
  ],
  Rope: (e, { inputs: [x, cos], attributes: { interleaved } }, [name, ...angles]) => {
    const [batch, length, heads, size] = x!.shape;
    const half = cos!.shape[2]!;
    const rows = multiplyDims(batch!, length!);
    // The operator looks rows up by position; ours are listed in order, so position is the row's own number.
    const positions = e.shared(`row numbers ${batch},${length}`, () =>
      e.reshape(
        primitives.Iota(e, { attributes: { size: rows } } as Node<'Iota'>, [])[0]!,
        [rows],
        [batch!, length!],
      ),
    );
    const tables = angles.map((angle) => e.reshape(angle, cos!.shape, [rows, half]));
    const flat = [batch!, length!, multiplyDims(heads!, size!)];
    const partial = Number(half) * 2 < Number(size) ? Number(half) * 2 : 0;
    const rotated = e.node(
      'RotaryEmbedding',
      [e.reshape(name!, x!.shape, flat), positions, ...tables],
      { interleaved: interleaved ? 1 : 0, num_heads: Number(heads), rotary_embedding_dim: partial },
      microsoft,
    );
    return [e.reshape(rotated, flat, x!.shape)];
  },
  Attention: (e, node, names) => {
    const [q, k, v, bias] = node.inputs as readonly Value[];
    const heads = Number(q!.shape[2]);
    const merged = (value: Value, name: string) => {
      const [batch, length, n, size] = value.shape;
      return e.reshape(name, value.shape, [batch!, length!, multiplyDims(n!, size!)]);
    };
    const inputs = [q!, k!, v!].map((value, i) => merged(value, names[i]!));
    if (bias) {
      const shape = [...Array.from({ length: 4 - bias.rank }, () => 1), ...bias.shape];
      inputs.push('', '', e.reshape(names[3]!, bias.shape, shape));
    }
    const { mask, scale } = node.attributes;
    const attributes = {
      num_heads: heads,
      scale: { float: scale },
      unidirectional: mask === 'causal' ? 1 : 0,
    };
    const context = e.node('MultiHeadAttention', inputs, attributes, microsoft);
    const [batch, length, , size] = node.outputs[0]!.shape;
    return [e.reshape(context, [batch!, length!, multiplyDims(heads, size!)], node.outputs[0]!.shape)];
  },
  Conv: (e, { attributes: { strides, padding, groups }, inputs: [, weight] }, inputs) => [
    e.node('Conv', inputs, {
      kernel_shape: weight!.shape.slice(2).map(Number),
      strides,
      pads: padding,
      group: groups,
    }),
  ],
  Gelu: (e, { attributes }, inputs) => [e.node('Gelu', inputs, { approximate: attributes.approximation })],
  QuickGelu: (e, _, inputs) => [e.node('QuickGelu', inputs, { alpha: { float: 1.702 } }, microsoft)],
  Silu: (e, _, inputs) => [e.node('QuickGelu', inputs, { alpha: { float: 1 } }, microsoft)],
  Softmax: (e, _, inputs) => [e.node('Softmax', inputs, { axis: -1 })],
};

/** Whether the CPU's fused attention serves a node; the others are decomposed before emission. */
export function hasFusedAttention({
  inputs,
  attributes,
}: {
  inputs: readonly Value[];
  attributes: Attributes<'Attention'>;
}): boolean {
  const [q, k, , bias] = inputs;
  const [, length, heads, size] = q!.shape;
  const [, keys, keyHeads, keySize] = k!.shape;
  // The operator aligns the first query with the first key, and broadcasts a bias over batch and heads only.
  const aligned = attributes.mask === 'none' || length === keys;
  const wholeBias = !bias || (bias.shape.at(-2) === length && bias.shape.at(-1) === keys);
  return (
    attributes.cache === 'none' &&
    attributes.window === undefined &&
    heads === keyHeads &&
    size === keySize &&
    aligned &&
    wholeBias
  );
}
