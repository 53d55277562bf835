import type { Graph } from '@weft/graph';
import { targets } from '@weft/onnx';
import { assertClose } from './compare.js';
import { interpret } from './interpret.js';
import { runOnnx } from './run.js';
import type { Tensor, Tensors } from './tensor.js';

/**
 * Checks that ONNX Runtime computes what the graph means: lowered for each target, against the interpreter, and
 * with fused operators against without them.
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
  const results = new Map<string, Record<string, Tensor>>();
  for (const target of Object.values(targets))
    results.set(target.name, await runOnnx(graph, feeds, parameters, { target }));
  for (const [name, expected] of Object.entries(meaning)) {
    for (const [target, result] of results)
      assertClose(result[name]!, expected, {
        tolerance,
        what: `${name}, ONNX Runtime (${target}) against the interpreter`,
      });
    assertClose(results.get('cpu')![name]!, results.get('reference')![name]!, {
      tolerance,
      what: `${name}, ONNX Runtime with against without fused operators`,
    });
  }
  return meaning;
}
