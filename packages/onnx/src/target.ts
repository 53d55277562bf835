import type { Attributes, CacheLayout, Node, Op, RewriteRule, SemanticOp, Value } from '@weft/graph';
import type { Emitter } from './emitter.js';
import type { Blocks } from './stored-weight.js';

/**
 * Emits the ONNX nodes of one operation and returns the names of its outputs.
 *
 * @param inputs names of the inputs; empty for a weight that the rule takes as it is stored, see `Emitter.blocksFor`
 */
export type EmitRule<O extends Op> = (
  e: Emitter,
  node: Node<O>,
  inputs: readonly string[],
) => readonly string[];

/** Rules of operations. A semantic operation that has none is taken apart. */
export type Lowering = { readonly [O in Op]?: EmitRule<O> };

/** Other ways than the reference to take semantic operations apart. */
export type Expansions = {
  readonly [O in SemanticOp]?: (node: Node<O>, inputs: readonly Value[]) => ReturnType<RewriteRule>;
};

/** A node whose inputs are rewritten already. */
export interface NodeToServe<O extends Op = Op> {
  readonly op: O;
  readonly attributes: Attributes<O>;
  readonly inputs: readonly Value[];
}

/** Blocks that the rule of an operation reads as they are stored. */
export interface BlockSupport {
  readonly bits: readonly Blocks['bits'][];
  readonly blockSizes: readonly number[];
  /** Whether blocks may have zero points of their own. */
  readonly zeroPoints: boolean;
}

/** How graphs run on one kind of execution provider: data and rules, chosen as a whole. */
export interface Target {
  readonly name: string;
  /** Execution providers of ONNX Runtime, the preferred one first. */
  readonly executionProviders: readonly string[];
  /** Fused forms of semantic operations, and forms of primitives that this provider has or lacks. */
  readonly lowering: Lowering;
  /** Whether the lowering's rule serves a node; a semantic node that it does not serve is taken apart. */
  readonly serves: (node: NodeToServe) => boolean;
  /** Made anew for each graph, so that its nodes may share what they need. */
  readonly expansions: () => Expansions;
  /** Operations whose rule takes a weight in blocks; elsewhere the graph computes its numbers first. */
  readonly stores: { readonly [O in SemanticOp]?: BlockSupport };
  /** Axes of keys and values of earlier tokens, for `inference`. */
  readonly cacheLayout: CacheLayout;
}

/** Whether a target's rule takes an input of a node as it is stored. */
export function takesBlocks(target: Target, node: Node, value: Value, blocks: Blocks): boolean {
  const support = target.stores[node.op as SemanticOp];
  if (!support || node.inputs.indexOf(value) === 0) return false;
  const { layout } = node.attributes as Partial<Attributes<'GroupedLinear'>>;
  return (
    support.bits.includes(blocks.bits) &&
    support.blockSizes.includes(blocks.blockSize) &&
    (support.zeroPoints || !blocks.zeroPoints) &&
    // Blocks lie along the channels that a product sums over only if the matrix is a matrix, and not transposed.
    value.rank === 2 &&
    value.shape[1] === blocks.shape[1] &&
    (layout === undefined || layout === 'out-in')
  );
}
