import { multiplyDims, type Value } from '@weft/graph';
import type { Emitter } from '../emitter.js';
import type { Target } from '../target.js';
import { gatherRows, matMulNBits, nBits } from './blocks.js';
import { fused, servesFused } from './fused.js';

/**
 * ONNX Runtime's execution provider for WebGPU. It lacks `FusedMatMul`: linear layers are `Gemm`, and other transposed
 * products are written out. Keys of earlier tokens lie head by head, so that they are multiplied where they lie.
 */
export const webgpu: Target = {
  name: 'webgpu',
  executionProviders: ['webgpu'],
  lowering: {
    ...fused,
    Linear: (e, node, names) => [linear(e, node.inputs, names, e.blocksFor(node, node.inputs[1]!))],
    Embedding: (e, node, [ids, table]) => {
      const blocks = e.blocksFor(node, node.inputs[1]!);
      return [
        blocks
          ? gatherRows(e, ids!, blocks, node.inputs[0]!.rank)
          : e.node('Gather', [table!, ids!], { axis: 0 }),
      ];
    },
  },
  serves: servesFused,
  expansions: () => ({}),
  // Its look-up wants one byte of zero points for each scale, which packed ones of 4 bits are not.
  stores: { Linear: nBits, Embedding: { ...nBits, zeroPoints: false } },
  cacheLayout: 'head-major',
};

/** `Gemm` takes rows of two axes only. */
function linear(
  e: Emitter,
  [x, weight]: readonly Value[],
  [name, weightName, bias]: readonly string[],
  blocks: ReturnType<Emitter['blocksFor']>,
): string {
  if (blocks) {
    const y = matMulNBits(e, name!, blocks, 4);
    return bias ? e.node('Add', [y, bias]) : y;
  }
  const [size, out] = [x!.shape.at(-1)!, weight!.shape[0]!];
  const count = multiplyDims(...x!.shape.slice(0, -1));
  const rows = e.reshape(name!, x!.shape, [count, size]);
  const y = e.node('Gemm', [rows, weightName!, ...(bias ? [bias] : [])], { transB: 1 });
  return e.reshape(y, [count, out], [...x!.shape.slice(0, -1), out]);
}
