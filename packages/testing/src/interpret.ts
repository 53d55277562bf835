import { ShapeError } from '@weft/errors';
import { dimTerms, evaluateDim, isOp, type Graph, type Node, type Shape, type Value } from '@weft/graph';
import { primitiveMeaning } from './primitive-meaning.js';
import { semanticMeaning } from './semantic-meaning.js';
import { countOf, toTensor, type Tensor, type TensorLike, type Tensors } from './tensor.js';

const meanings = { ...primitiveMeaning, ...semanticMeaning };

/** Runs one graph on many inputs. */
export type Interpreter = (feeds: Tensors, parameters?: Tensors) => Record<string, Tensor>;

/**
 * The meaning of a graph, computed in double precision by plain loops, with no code in common with any target, nor with
 * `reference`, which takes semantic operations apart for the targets.
 * Every result's shape is compared with the shape that the graph states.
 *
 * @throws UnsupportedError for the escape hatch `Onnx`, which has no meaning of its own
 */
export function interpreter(graph: Graph): Interpreter {
  return (feeds, parameters = {}) => {
    const sizes = bindSizes(graph.inputs, feeds);
    const done = new Map<Value, Tensor>();
    for (const node of graph.nodes) {
      const results = evaluate(
        node,
        node.inputs.map((value) => done.get(value)!),
        { feeds, parameters, sizes },
      );
      for (const [i, value] of node.outputs.entries()) {
        checkShape(node, value.shape, results[i]!, sizes);
        done.set(value, results[i]!);
      }
    }
    return Object.fromEntries(Object.entries(graph.outputs).map(([name, value]) => [name, done.get(value)!]));
  };
}

/** Runs a graph once in double precision. @see interpreter */
export const interpret = (graph: Graph, feeds: Tensors, parameters: Tensors = {}): Record<string, Tensor> =>
  interpreter(graph)(feeds, parameters);

interface Surroundings {
  readonly feeds: Tensors;
  readonly parameters: Tensors;
  readonly sizes: Readonly<Record<string, number>>;
}

function evaluate(
  node: Node,
  inputs: readonly Tensor[],
  { feeds, parameters, sizes }: Surroundings,
): readonly Tensor[] {
  if (isOp(node, 'Input')) return [toTensor(given(feeds, node.attributes.name, 'input'))];
  if (isOp(node, 'Parameter')) return [toTensor(given(parameters, node.attributes.path, 'parameter'))];
  const result = meanings[node.op as 'Add'](node as Node<'Add'>, inputs, (dim) => evaluateDim(dim, sizes));
  return 'data' in result ? [result] : result;
}

function given(tensors: Tensors, name: string, what: string): TensorLike {
  const tensor = tensors[name];
  if (!tensor)
    throw new ShapeError({
      message: `The ${what} '${name}' was not given.`,
      hint: `Given: ${Object.keys(tensors).join(', ') || 'nothing'}.`,
    });
  return tensor;
}

function checkShape(
  node: Node,
  stated: Shape,
  { shape, data }: Tensor,
  sizes: Readonly<Record<string, number>>,
): void {
  const expected = stated.map((dim) => evaluateDim(dim, sizes));
  if (data.length !== countOf(shape))
    throw new ShapeError({
      message: `${node.op} has ${data.length} elements, but the graph states [${stated.join(', ')}], which is [${expected.join(', ')}].`,
      where: node.path || undefined,
    });
  if (expected.length === shape.length && expected.every((size, axis) => size === shape[axis])) return;
  throw new ShapeError({
    message: `${node.op} gives [${shape.join(', ')}], but the graph states [${stated.join(', ')}], which is [${expected.join(', ')}].`,
    where: node.path || undefined,
  });
}

/**
 * Values of the symbolic sizes, taken from the shapes of the inputs.
 *
 * @throws ShapeError if an input has another rank or size than the graph states, or two inputs contradict each other
 */
export function bindSizes(inputs: ReadonlyMap<string, Value>, feeds: Tensors): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const [name, value] of inputs) {
    const { shape } = given(feeds, name, 'input');
    for (const [axis, dim] of value.shape.entries()) {
      const [[coefficient, [symbol, ...more]] = [1, []], ...others] = dimTerms(dim);
      if (symbol !== undefined && more.length === 0 && others.length === 0)
        sizes[symbol] ??= shape[axis]! / coefficient;
    }
  }
  for (const [name, value] of inputs) {
    const { shape } = given(feeds, name, 'input');
    const expected = value.shape.map((dim) => evaluateDim(dim, sizes));
    if (expected.length !== shape.length || expected.some((size, axis) => size !== shape[axis]))
      throw new ShapeError(
        `The input '${name}' is [${shape.join(', ')}], but the graph states [${value.shape.join(', ')}], which is [${expected.join(', ')}].`,
      );
  }
  return sizes;
}
