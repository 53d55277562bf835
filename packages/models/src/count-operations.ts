import { UnsupportedError } from '@weft/errors';
import { evaluateDim, isOp, type Dim, type Node, type Op, type Value } from '@weft/graph';

/** Values of the symbolic sizes of a graph. */
export type Sizes = Readonly<Record<string, number>>;

export interface CountOptions {
  /** Earlier tokens whose keys a cache holds. None unless given. */
  readonly past?: number;
  /** Whether keys and values that do not depend on the text are there already, as in a decode step. */
  readonly held?: boolean;
}

/** What a graph computes and what it keeps. */
export interface OperationCount {
  /** Multiplications and additions of matrix products, as two operations each. */
  readonly flops: number;
  /** Numbers that caches keep: keys and values of all tokens, the past among them. */
  readonly tokenCache: number;
  /** Numbers that are held of images: keys and values of cross-attention layers. */
  readonly imageCache: number;
}

/**
 * Counts the matrix products that the values need: linear layers, convolutions, patch embedding, experts, both products
 * of attention. Everything else, such as norms and activations, is left out; it is a share of a percent.
 *
 * @throws ShapeError if a symbolic size has no value
 * @throws UnsupportedError if there is an ONNX operator that the graph only names
 */
export function countOperations(
  values: Iterable<Value>,
  sizes: Sizes,
  { past = 0, held = false }: CountOptions = {},
): OperationCount {
  let [flops, tokenCache, imageCache] = [0, 0, 0];
  const size = (...dims: readonly (Dim | undefined)[]): number =>
    dims.reduce<number>((product, dim) => product * evaluateDim(dim ?? 1, sizes), 1);
  for (const node of needed(values, held)) {
    flops += 2 * productsOf(node, { size, past });
    if (!isOp(node, 'Attention')) continue;
    const { cache } = node.attributes;
    const [, k, v] = node.inputs;
    const kept =
      size(k!.shape[0], k!.shape[2]) * keysOf(node, { size, past }) * (size(k!.shape[3]) + size(v!.shape[3]));
    if (cache === 'append') tokenCache += kept;
    if (cache === 'hold') imageCache += kept;
  }
  return { flops, tokenCache, imageCache };
}

interface Context {
  /** Product of sizes. */
  readonly size: (...dims: readonly (Dim | undefined)[]) => number;
  /** Earlier tokens whose keys a cache holds. */
  readonly past: number;
}

/** Multiplications of one node. */
function productsOf(node: Node, context: Context): number {
  const count = products[node.op];
  return count === 0 ? 0 : count(node as never, context);
}

/** Keys of each head. */
const keysOf = ({ inputs: [, k], attributes }: Node<'Attention'>, { size, past }: Context): number =>
  size(k!.shape[1]) + (attributes.cache === 'append' ? past : 0);

type Products = { readonly [O in Op]: 0 | ((node: Node<O>, context: Context) => number) };

const perOutput = ({ inputs, outputs }: Node, { size }: Context): number =>
  size(...outputs[0]!.shape, ...inputs[1]!.shape.slice(1));

/** What each operation multiplies and adds up; 0 for what is left out. */
const products: Products = {
  Linear: ({ inputs: [x, weight] }, { size }) => size(...x!.shape, weight!.shape[0]),
  GroupedLinear: ({ inputs: [x], outputs: [result] }, { size }) => size(...x!.shape, result!.shape[1]),
  PatchEmbed: perOutput,
  Conv: perOutput,
  MatMul: ({ inputs: [x], outputs: [result], attributes }, { size }) =>
    size(...result!.shape, x!.shape.at(attributes.transposeA ? -2 : -1)),
  Attention: (node, context) => {
    const [q, , v] = node.inputs;
    const [batch, length, heads, headSize] = q!.shape;
    const { size } = context;
    return size(batch, length, heads) * keysOf(node, context) * (size(headSize) + size(v!.shape[3]));
  },
  // Their past is among the inputs, so that it has a size of its own.
  CachedAttention: ({ inputs: [q, , v, , , attentionMask] }, { size }) =>
    size(...q!.shape.slice(0, 3), attentionMask!.shape[1]) * (size(q!.shape[3]) + size(v!.shape[3])),
  HeldAttention: ({ inputs: [q, keys, values], attributes: { layout } }, { size }) =>
    size(...q!.shape.slice(0, 3), keys!.shape[layout === 'time-major' ? 0 : 2]) *
    (size(q!.shape[3]) + size(values!.shape[3])),
  Onnx: ({ attributes: { type } }) => {
    throw new UnsupportedError({
      message: `The operations of the ONNX operator ${type} cannot be counted.`,
      hint: 'Count the graph before it is made into one for a target.',
    });
  },
  // Each is a share of a percent, or no arithmetic at all.
  Input: 0,
  Parameter: 0,
  Constant: 0,
  Iota: 0,
  DimSize: 0,
  Add: 0,
  Sub: 0,
  Mul: 0,
  Div: 0,
  Pow: 0,
  Maximum: 0,
  Minimum: 0,
  Neg: 0,
  Exp: 0,
  Log: 0,
  Sqrt: 0,
  Reciprocal: 0,
  Tanh: 0,
  Sigmoid: 0,
  Erf: 0,
  Relu: 0,
  Sin: 0,
  Cos: 0,
  Floor: 0,
  Not: 0,
  Equal: 0,
  Less: 0,
  LessOrEqual: 0,
  And: 0,
  Or: 0,
  Where: 0,
  Cast: 0,
  Reshape: 0,
  Transpose: 0,
  Expand: 0,
  Concat: 0,
  Slice: 0,
  Pad: 0,
  ReduceSum: 0,
  ReduceMean: 0,
  ReduceMax: 0,
  CumSum: 0,
  Gather: 0,
  ScatterRows: 0,
  TopK: 0,
  Embedding: 0,
  RmsNorm: 0,
  LayerNorm: 0,
  Rope: 0,
  Gelu: 0,
  QuickGelu: 0,
  Silu: 0,
  Relu2: 0,
  Softmax: 0,
  CrossEntropy: 0,
  PlaceAtToken: 0,
};

/** Nodes that values need; those before held keys are left out on request. */
function needed(values: Iterable<Value>, held: boolean): Set<Node> {
  const found = new Set<Node>();
  const waiting = Array.from(values, ({ node }) => node);
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    const isHeld = held && isOp(node, 'Attention') && node.attributes.cache === 'hold';
    const inputs = isHeld ? node.inputs.filter((_, i) => i !== 1 && i !== 2) : node.inputs;
    waiting.push(...inputs.map((value) => value.node));
  }
  return found;
}

/** Keys and values that cross-attention layers hold of images, in the order of the graph. */
export function heldValues(outputs: Iterable<Value>): Value[] {
  return [...needed(outputs, false)].flatMap((node) =>
    isOp(node, 'Attention') && node.attributes.cache === 'hold' ? [node.inputs[1]!, node.inputs[2]!] : [],
  );
}
