import { evaluateDim, isOp, type Dim, type Node, type Value } from '@weft/graph';

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
    if (!isOp(node, 'Attention')) {
      flops += 2 * productsOf(node, size);
      continue;
    }
    const [q, k, v] = node.inputs;
    const [batch, length, heads, headSize] = q!.shape;
    const { cache } = node.attributes;
    const keys = size(k!.shape[1]) + (cache === 'append' ? past : 0);
    flops += 2 * size(batch, length, heads) * keys * (size(headSize) + size(v!.shape[3]));
    const kept = size(batch, k!.shape[2]) * keys * (size(k!.shape[3]) + size(v!.shape[3]));
    if (cache === 'append') tokenCache += kept;
    if (cache === 'hold') imageCache += kept;
  }
  return { flops, tokenCache, imageCache };
}

/** Multiplications of one node. */
function productsOf(node: Node, size: (...dims: readonly (Dim | undefined)[]) => number): number {
  const [x, weight] = node.inputs;
  const [result] = node.outputs;
  switch (node.op) {
    case 'Linear':
      return size(...x!.shape, weight!.shape[0]);
    case 'GroupedLinear':
      return size(...x!.shape, result!.shape[1]);
    case 'PatchEmbed':
    case 'Conv':
      return size(...result!.shape, ...weight!.shape.slice(1));
    case 'MatMul':
      return size(
        ...result!.shape,
        x!.shape.at(isOp(node, 'MatMul') && node.attributes.transposeA ? -2 : -1),
      );
    default:
      return 0;
  }
}

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
