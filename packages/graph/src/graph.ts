import { ConfigError, ShapeError } from '@weft/errors';
import { printShape, type Dim } from './dim.js';
import type { Op } from './op-table.js';
import { withPath } from './path.js';
import { isOp, makeNode, type Node, type Value } from './value.js';

/** A traced computation: named outputs, and what they need, in an order in which it can run. */
export interface Graph {
  readonly outputs: Readonly<Record<string, Value>>;
  /** Nodes in topological order, `Input` and `Parameter` nodes included. */
  readonly nodes: readonly Node[];
  /** Inputs by name, only those that outputs depend on. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** Parameters by path, only those that outputs depend on. */
  readonly parameters: ReadonlyMap<string, Value>;
}

/** The graph that computes the outputs. @throws ConfigError if two inputs have one name */
export function makeGraph(outputs: Readonly<Record<string, Value>>): Graph {
  const nodes = topologicalOrder(Object.values(outputs));
  const inputs = new Map<string, Value>();
  const parameters = new Map<string, Value>();
  for (const node of nodes) {
    if (isOp(node, 'Input')) {
      if (inputs.has(node.attributes.name))
        throw new ConfigError(`Two different graph inputs are named '${node.attributes.name}'.`);
      inputs.set(node.attributes.name, node.outputs[0]!);
    } else if (isOp(node, 'Parameter')) parameters.set(node.attributes.path, node.outputs[0]!);
  }
  return { outputs, nodes, inputs, parameters };
}

/** Nodes that the values depend on, inputs before users. Iterative: decoders are thousands of nodes deep. */
export function topologicalOrder(values: readonly Value[]): Node[] {
  const order: Node[] = [];
  const state = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  const enter = (node: Node) => {
    if (state.has(node)) return;
    state.add(node);
    stack.push({ node, next: 0 });
  };
  for (const value of values) {
    enter(value.node);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const child = top.node.inputs[top.next++];
      if (child) enter(child.node);
      else order.push(stack.pop()!.node);
    }
  }
  return order;
}

/**
 * Replacement for a node: values for its outputs, computed from its already rewritten inputs;
 * `undefined` keeps the node.
 */
export type RewriteRule<O extends Op = Op> = (
  node: Node<O>,
  inputs: readonly Value[],
) => readonly Value[] | undefined;
/** Rules by operation. */
export type RewriteRules = { readonly [O in Op]?: RewriteRule<O> };

/**
 * A graph with nodes replaced by rules until no rule applies. Rules may return nodes that have rules themselves.
 *
 * @throws ShapeError if a rule returns other types than those of the node's outputs; symbolic sizes may have new names
 */
export function rewrite(graph: Graph, rules: RewriteRules): Graph {
  let current = graph;
  for (;;) {
    let changed = false;
    const done = new Map<Value, Value>();
    for (const node of current.nodes) {
      const inputs = node.inputs.map((value) => done.get(value)!);
      const rule = rules[node.op] as RewriteRule | undefined;
      const replaced = rule && withPath(node.path, () => rule(node, inputs));
      changed ||= replaced !== undefined;
      if (replaced) checkReplacement(node, replaced);
      const outputs = replaced ?? copy(node, inputs);
      for (const [i, output] of node.outputs.entries()) done.set(output, outputs[i]!);
    }
    if (!changed) return current;
    const outputs = Object.entries(current.outputs).map(([name, value]) => [name, done.get(value)!] as const);
    current = makeGraph(Object.fromEntries(outputs));
  }
}

/**
 * A graph that computes some inputs of another one, and that other graph, as one: the inputs are replaced by values.
 *
 * @param values by the names of inputs; their types must be those that the graph states, in other symbols perhaps
 */
export function substitute(graph: Graph, values: Readonly<Record<string, Value>>): Graph {
  const replaced = new Set(Object.values(values));
  return rewrite(graph, {
    Input: (node) => {
      const value = Object.hasOwn(values, node.attributes.name) ? values[node.attributes.name] : undefined;
      return value && !replaced.has(node.outputs[0]!) ? [value] : undefined;
    },
  });
}

/**
 * Refuses values that are not of the types that the users of the node were made for. A rule may rename a symbolic size,
 * but the same one everywhere, and may give it a number; it may not change a number.
 */
function checkReplacement(node: Node, values: readonly Value[]): void {
  const renamed = new Map<Dim, Dim>();
  const keeps = (dim: Dim, next: Dim | undefined): boolean => {
    if (next === undefined || typeof dim === 'number') return dim === next;
    const known = renamed.get(dim);
    renamed.set(dim, next);
    return known === undefined || known === next;
  };
  const fits = ({ dtype, shape }: Value, i: number): boolean =>
    dtype === values[i]?.dtype &&
    shape.length === values[i].rank &&
    shape.every((dim, axis) => keeps(dim, values[i]!.shape[axis]));
  if (node.outputs.length === values.length && node.outputs.every(fits)) return;
  const print = (list: readonly Value[]): string =>
    list.map(({ dtype, shape }) => `${dtype} ${printShape(shape)}`).join(' and ') || 'nothing';
  throw new ShapeError({
    message: `A rule replaces ${node.op}, which gives ${print(node.outputs)}, by values that are ${print(values)}.`,
    where: node.path || undefined,
    hint: 'A rewrite must keep element types and sizes; only names of symbolic sizes may change, each everywhere.',
  });
}

/** The node over other inputs; the node itself if they are the same. */
function copy(node: Node, inputs: readonly Value[]): readonly Value[] {
  if (inputs.every((value, i) => value === node.inputs[i])) return node.outputs;
  return makeNode(node.op, node.attributes, inputs, node.outputs, node.path);
}
