import type { Shape } from './dim.js';
import type { Attributes, Op } from './op-table.js';
import { currentPath } from './path.js';
import type { DType, TensorType } from './tensor-type.js';

/** One operation. Nodes are immutable and point to their inputs, so any set of values is a graph. */
export interface Node<O extends Op = Op> {
  readonly op: O;
  readonly attributes: Attributes<O>;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Path of the module whose code made the node, for example `vision_tower.encoder.layers.0.self_attn`. */
  readonly path: string;
}

/** A tensor that will exist when a graph runs: element type and shape, no data. */
export class Value {
  constructor(
    readonly node: Node,
    readonly index: number,
    readonly dtype: DType,
    readonly shape: Shape,
  ) {}

  get rank(): number {
    return this.shape.length;
  }
}

/** Makes a node and returns its outputs. Shape rules live in the functions of `ops` and `semantic`. */
export function makeNode<O extends Op>(
  op: O,
  attributes: Attributes<O>,
  inputs: readonly Value[],
  types: readonly TensorType[],
  path: string = currentPath(),
): readonly Value[] {
  const outputs: Value[] = [];
  const node: Node<O> = { op, attributes, inputs, outputs, path };
  for (const [index, { dtype, shape }] of types.entries()) outputs.push(new Value(node, index, dtype, shape));
  return outputs;
}

/** Narrows a node to one operation. */
export const isOp = <O extends Op>(node: Node, op: O): node is Node<O> => node.op === (op as Op);
