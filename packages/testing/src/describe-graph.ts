import { isOp, mapModules, Parameter, type Graph, type Node, type Part, type Value } from '@weft/graph';

/**
 * One line for each node: place, operation, attributes, inputs by line number, and types of the results.
 *
 * @param options.paths whether to say where nodes and parameters are in the tree of modules; default true
 */
export function describeGraph(graph: Graph, { paths = true }: { readonly paths?: boolean } = {}): string[] {
  const numbers = new Map<Value, string>();
  const lines = graph.nodes.map((node, line) => {
    const types = node.outputs.map((value, i) => {
      numbers.set(value, i === 0 ? `${line}` : `${line}:${i}`);
      return `${value.dtype}[${value.shape.join(', ')}]`;
    });
    const inputs = node.inputs.map((value) => numbers.get(value)).join(', ');
    return `${paths ? `${node.path} ` : ''}${node.op}${printAttributes(node, paths)} (${inputs}) -> ${types.join(', ')}`;
  });
  return [
    ...lines,
    ...Object.entries(graph.outputs).map(([name, value]) => `${name} = ${numbers.get(value)}`),
  ];
}

function printAttributes(node: Node, paths: boolean): string {
  if (isOp(node, 'Parameter')) return paths ? ` ${node.attributes.path}` : '';
  return ` ${JSON.stringify(node.attributes, (_, value: unknown) => (value instanceof BigInt64Array ? Array.from(value, Number) : value))}`;
}

/** The same tree with every module and every parameter made again. Sharing is kept. */
export const rebuild = <T extends Part>(model: T): T =>
  mapModules(model, (part) =>
    part instanceof Parameter
      ? new Parameter(part.shape, part.initializer)
      : part.withParts({ ...part.parts }),
  );
