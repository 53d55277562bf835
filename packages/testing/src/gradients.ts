import { differentiate, gradientName } from '@weft/autodiff';
import { makeGraph, type Graph } from '@weft/graph';
import { targets } from '@weft/onnx';
import { assertClose, largestOf } from './compare.js';
import { interpreter } from './interpret.js';
import { randomNumbers } from './random.js';
import { runOnnx } from './run.js';
import { toTensor, type Tensor, type Tensors } from './tensor.js';

export interface GradientCheck {
  /** Elements of each tensor that are compared with finite differences. */
  readonly entries?: number;
  readonly seed?: number;
  /** Distance of the finite differences. */
  readonly step?: number;
}

/**
 * Checks the gradients of a graph twice: in double precision against finite differences (1e-6), and in ONNX Runtime,
 * with and without fused operators, against those in double precision (1e-4). Differences are shares of the largest
 * element of a gradient, or of a small part of the largest of all gradients where one vanishes by symmetry (the bias
 * of attention keys).
 *
 * @param loss name of a scalar output
 * @param wanted paths of parameters and names of float inputs
 * @returns the gradients by path, in double precision
 * @throws Error that names the path and the worst element
 */
export async function checkGradients(
  graph: Graph,
  loss: string,
  wanted: readonly string[],
  feeds: Tensors,
  parameters: Tensors = {},
  { entries = 3, seed = 1, step = 3e-4 }: GradientCheck = {},
): Promise<Record<string, Tensor>> {
  const whole = differentiate(makeGraph({ [loss]: graph.outputs[loss]! }), loss, wanted);
  const exact = interpreter(whole)(feeds, parameters);
  const gradients = Object.fromEntries(wanted.map((path) => [path, exact[gradientName(path)]!]));
  const largest = Math.max(...Object.values(gradients).map(largestOf));
  if (largest === 0)
    throw new Error(`All gradients of ${wanted.join(', ')} are zero: the check would prove nothing.`);

  const evaluate = interpreter(makeGraph({ [loss]: graph.outputs[loss]! }));
  const next = randomNumbers(seed);
  for (const path of wanted) {
    const group = path in parameters ? parameters : feeds;
    const base = toTensor(group[path]!);
    const gradient = gradients[path]!;
    const scale = Math.max(largestOf(gradient), 1e-3 * largest);
    for (let i = 0; i < Math.min(entries, base.data.length); i++) {
      const at = entries >= base.data.length ? i : Math.floor(next() * base.data.length);
      const lossAt = (offset: number): number => {
        const moved = { shape: base.shape, data: base.data.slice() };
        moved.data[at]! += offset;
        const changed = { ...group, [path]: moved };
        return (group === parameters ? evaluate(feeds, changed) : evaluate(changed, parameters))[loss]!
          .data[0]!;
      };
      // Four points: the error falls with the fourth power of the step, so the step can stay far above rounding.
      const slope =
        (8 * (lossAt(step) - lossAt(-step)) - (lossAt(2 * step) - lossAt(-2 * step))) / (12 * step);
      const what = `gradient of ${path} at element ${at} against finite differences`;
      assertClose(
        { shape: [], data: [gradient.data[at]!] },
        { shape: [], data: [slope] },
        { tolerance: 1e-6, scale, what },
      );
    }
  }

  for (const target of [targets.cpu, targets.reference]) {
    const results = await runOnnx(whole, feeds, parameters, { target });
    for (const path of wanted) {
      const scale = Math.max(largestOf(gradients[path]!), 1e-2 * largest);
      assertClose(results[gradientName(path)]!, gradients[path]!, {
        tolerance: 1e-4,
        scale,
        what: `gradient of ${path} in ONNX Runtime (${target.name})`,
      });
    }
  }
  return gradients;
}
