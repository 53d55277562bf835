import type { Graph } from '@weft/graph';
import { assertClose } from './compare.js';
import { interpret } from './interpret.js';
import { runOnnx } from './run.js';
import type { Tensor, Tensors } from './tensor.js';

/**
 * Checks that ONNX Runtime computes what the graph means: with fused operators and without them, against the
 * interpreter, and against each other.
 *
 * @param tolerance largest difference as a share of an output's largest element; float32 leaves about 1e-6
 * @returns the interpreter's outputs
 * @throws Error that names the target, the output and the worst element
 */
export async function checkTargets(
  graph: Graph,
  feeds: Tensors,
  parameters: Tensors = {},
  { tolerance = 1e-5 }: { readonly tolerance?: number } = {},
): Promise<Record<string, Tensor>> {
  const meaning = interpret(graph, feeds, parameters);
  const cpu = await runOnnx(graph, feeds, parameters, { capability: 'cpu' });
  const reference = await runOnnx(graph, feeds, parameters, { capability: 'reference' });
  for (const [name, expected] of Object.entries(meaning)) {
    assertClose(reference[name]!, expected, {
      tolerance,
      what: `${name}, ONNX Runtime without fused operators against the interpreter`,
    });
    assertClose(cpu[name]!, expected, {
      tolerance,
      what: `${name}, ONNX Runtime with fused operators against the interpreter`,
    });
    assertClose(cpu[name]!, reference[name]!, {
      tolerance,
      what: `${name}, ONNX Runtime with against without fused operators`,
    });
  }
  return meaning;
}
