import { ConfigError, UnsupportedError } from '@weft/errors';
import {
  add,
  decompose,
  full,
  makeGraph,
  withPath,
  type Graph,
  type Node,
  type Op,
  type Value,
} from '@weft/graph';
import { primitiveGradients, semanticGradients, type GradientRule } from './rules.js';

/** Name of the output that holds the gradient of a parameter or input. */
export const gradientName = (path: string): string => `gradient:${path}`;

/**
 * Adds gradients to a graph by reverse-mode differentiation.
 *
 * @param graph has the output `loss`
 * @param loss name of a scalar output
 * @param wanted paths of parameters, or names of float inputs; everything else costs no backward pass
 * @returns the graph with an output `gradient:{path}` for each of `wanted`; zeros where the loss does not depend on it
 * @throws ConfigError if a path is not in the graph or the loss is not a scalar
 * @throws UnsupportedError if the loss depends on a wanted path through an operation without gradient
 */
export function differentiate(graph: Graph, loss: string, wanted: readonly string[]): Graph {
  const primitive = decompose(graph, new Set(Object.keys(semanticGradients)));
  const root = primitive.outputs[loss];
  if (!root || root.rank !== 0) throw new ConfigError(`The loss '${loss}' must be an output without axes.`);
  const leaves = wanted.map((path) => {
    const value = primitive.parameters.get(path) ?? primitive.inputs.get(path);
    if (!value)
      throw new ConfigError({
        message: `The loss graph has no parameter or input '${path}'.`,
        hint: 'A part that the loss does not use cannot learn.',
      });
    return value;
  });

  const needed = new Set<Value>(leaves);
  for (const node of primitive.nodes)
    if (node.inputs.some((value) => needed.has(value))) for (const output of node.outputs) needed.add(output);

  const gradients = new Map<Value, Value>([[root, full([], 1, root.dtype)]]);
  for (const node of primitive.nodes.toReversed()) {
    if (node.inputs.length === 0 || !node.outputs.some((value) => needed.has(value) && gradients.has(value)))
      continue;
    const dy = node.outputs.map((value) => gradients.get(value));
    const results = withPath(node.path ? `${node.path}/backward` : 'backward', () =>
      applyRule(node, dy, needed),
    );
    for (const [i, gradient] of results.entries()) {
      const value = node.inputs[i]!;
      if (!gradient || !needed.has(value)) continue;
      const known = gradients.get(value);
      gradients.set(value, known ? add(known, gradient) : gradient);
    }
  }

  const outputs: Record<string, Value> = { ...primitive.outputs };
  for (const [i, leaf] of leaves.entries())
    outputs[gradientName(wanted[i]!)] = gradients.get(leaf) ?? full(leaf.shape, 0, leaf.dtype);
  return makeGraph(outputs);
}

function applyRule(
  node: Node,
  dy: readonly (Value | undefined)[],
  needed: ReadonlySet<Value>,
): readonly (Value | null)[] {
  const rule = (semanticGradients[node.op as 'Linear'] ?? primitiveGradients[node.op as 'Add']) as
    | GradientRule<Op>
    | 'none'
    | undefined;
  if (rule === 'none') return [];
  if (!rule) throw new UnsupportedError({ message: `${node.op} has no gradient.`, where: node.path });
  return rule(
    node,
    dy,
    node.inputs.map((value) => needed.has(value)),
  );
}
