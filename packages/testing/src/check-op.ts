import {
  decompose,
  input,
  isFloat,
  makeGraph,
  mul,
  reduceSum,
  type Graph,
  type TensorType,
  type Value,
} from '@weft/graph';
import { checkTargets } from './agreement.js';
import { assertClose } from './compare.js';
import { checkGradients, type GradientCheck } from './gradients.js';
import { interpret } from './interpret.js';
import { randomTensor } from './random.js';
import type { Tensor, Tensors } from './tensor.js';

/** An operation and what it is checked with. */
export interface OpCheck extends GradientCheck {
  /** Types of the inputs by name. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  /** Inputs that random numbers cannot fill; the others are drawn, with the sizes below. */
  readonly feeds?: Tensors;
  /** Values of symbolic sizes. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Changes the random numbers, for operations that are not defined everywhere. */
  readonly domain?: (x: number) => number;
  /** Float inputs that have no gradient, by name. */
  readonly frozen?: readonly string[];
  readonly tolerance?: number;
  readonly build: (inputs: Readonly<Record<string, Value>>) => Value;
}

/**
 * Checks an operation in all targets, its reference in primitives in double precision, and the gradients of all float inputs of a weighted sum of its results.
 *
 * @returns the interpreter's result
 */
export async function checkOp(check: OpCheck): Promise<Tensor> {
  const { inputs, sizes = {}, domain, frozen = [], tolerance } = check;
  const values = Object.fromEntries(Object.entries(inputs).map(([name, type]) => [name, input(name, type)]));
  const y = check.build(values);
  const feeds: Record<string, Tensors[string]> = { ...check.feeds };
  for (const [i, [name, { dtype, shape }]] of Object.entries(inputs).entries()) {
    if (feeds[name]) continue;
    const drawn = randomTensor(
      shape.map((dim) => (typeof dim === 'number' ? dim : sizes[dim]!)),
      11 + i,
    );
    feeds[name] = domain ? { ...drawn, data: drawn.data.map((x) => Math.fround(domain(x))) } : drawn;
    if (!isFloat(dtype)) throw new Error(`The input '${name}' of type ${dtype} must be given.`);
  }
  const graph = makeGraph({ y });
  const result = await checkTargets(graph, feeds, {}, tolerance === undefined ? {} : { tolerance });
  // Both compute in double precision; only constants of the graph are rounded to float32.
  assertClose(interpret(decompose(graph), feeds)['y']!, result['y']!, {
    tolerance: 1e-7,
    what: 'y, the reference in primitives against the interpreter',
  });
  const wanted = Object.keys(inputs).filter((name) => isFloat(inputs[name]!.dtype) && !frozen.includes(name));
  if (wanted.length > 0 && isFloat(y.dtype)) {
    const probed = probe(graph, 'y');
    const loss = makeGraph({ loss: probed.outputs['loss']! });
    await checkGradients(
      loss,
      'loss',
      wanted,
      { ...feeds, probe: randomTensor(result['y']!.shape, 5) },
      {},
      { entries: 100, ...check },
    );
  }
  return result['y']!;
}

/** The graph with the output `loss`: the sum of an output times the input `probe` of the same shape. */
export function probe(graph: Graph, output: string): Graph {
  const y = graph.outputs[output]!;
  return makeGraph({ ...graph.outputs, loss: reduceSum(mul(y, input('probe', y))) });
}
