import { dataTypes } from '../model-proto.js';
import type { Emitter } from '../emitter.js';
import type { EmitRule, Target } from '../target.js';
import { gatherRows, matMulNBits, nBits } from './blocks.js';
import { cpuCachedAttention } from './cpu-cached-attention.js';
import { fused, microsoft, servesFused } from './fused.js';
import type { Dim } from '@weft/graph';

export interface CpuOptions {
  /**
   * How exactly products over weights in blocks are computed. 4: activations are rounded to 8 bits in each block, at the
   * speed of the processor's instructions for 8 bits; 0: in float32, for comparisons: there is no fast kernel of 8 bits.
   */
  readonly accuracyLevel?: 0 | 4;
}

/** ONNX Runtime's execution provider for processors; WebAssembly has the same operators. */
export function cpuTarget({ accuracyLevel = 4 }: CpuOptions = {}): Target {
  return {
    name: 'cpu',
    executionProviders: ['cpu'],
    lowering: { ...fused, MatMul: matMul, ...weighted(accuracyLevel) },
    serves: servesFused,
    expansions: cpuCachedAttention,
    stores: { Linear: nBits, GroupedLinear: nBits, Embedding: nBits },
    cacheLayout: 'time-major',
  };
}

const matMul: EmitRule<'MatMul'> = (e, { attributes: { transposeA, transposeB, alpha } }, [a, b]) => {
  if (!transposeA && !transposeB && alpha === 1) return [e.node('MatMul', [a!, b!])];
  const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha: { float: alpha } };
  return [e.node('FusedMatMul', [a!, b!], flags, microsoft)];
};

/**
 * A matrix whose rank ONNX Runtime does not know before it runs. Its memory planner compares the shape of every result
 * with those of all results before it, which takes half a minute for the thousands of pieces that experts get; it
 * passes over those without a rank.
 */
function withoutRank(e: Emitter, name: string, rows: Dim, size: Dim): string {
  const two = e.shared(`two by ${rows}`, () =>
    e.node('Add', [e.node('Mul', [e.dim(rows), e.ints([0])]), e.ints([2])]),
  );
  return e.node('Reshape', [name, e.node('Slice', [e.shape([rows, size]), e.ints([0]), two])]);
}

/** Products with weights, which may be stored in blocks, and rows of tables. */
const weighted = (
  accuracyLevel: 0 | 4,
): { readonly [O in 'Linear' | 'GroupedLinear' | 'Embedding']: EmitRule<O> } => ({
  // A weight is prepacked straight from the checkpoint's `[out, in]`: no transposed copy.
  Linear: (e, node, [x, weight, bias]) => {
    const blocks = e.blocksFor(node, node.inputs[1]!);
    const y = blocks
      ? matMulNBits(e, x!, blocks, accuracyLevel)
      : e.node('FusedMatMul', [x!, weight!], { transB: 1 }, microsoft);
    return [bias ? e.node('Add', [y, bias]) : y];
  },
  // Rows are put in the order of their groups and cut there, so that each matrix meets its own rows only.
  GroupedLinear: (e, node, [x, groups, ...weights]) => {
    const { attributes, inputs: values } = node;
    const [rows, size] = values[0]!.shape;
    const count = weights.length;
    const orderOf = (name: string) =>
      e.shared(
        `order of ${name}`,
        () => e.nodeOf('TopK', [name, e.dim(rows!)], { axis: 0, largest: 0 }, { outputs: 2 })[1]!,
      );
    const counts = e.shared(`sizes of ${count} groups ${groups}`, () => {
      const member = e.node('Equal', [e.reshape(groups!, [rows!], [rows!, 1]), e.ints([...weights.keys()])]);
      return e.node('ReduceSum', [e.node('Cast', [member], { to: dataTypes.int64 }), e.ints([0])], {
        keepdims: 0,
      });
    });
    const pieces = e.shared(`${x} in ${count} groups ${groups}`, () => {
      const sorted = e.node('Gather', [x!, orderOf(groups!)], { axis: 0 });
      return e.nodeOf(
        'Split',
        [withoutRank(e, sorted, rows!, size!), counts],
        { axis: 0 },
        { outputs: count },
      );
    });
    const flags = { transB: attributes.layout === 'out-in' ? 1 : 0 };
    const products = pieces.map((piece, i) => {
      const blocks = e.blocksFor(node, values[i + 2]!);
      return blocks
        ? matMulNBits(e, piece, blocks, accuracyLevel)
        : e.node('FusedMatMul', [piece, weights[i]!], flags, microsoft);
    });
    return [
      e.node('Gather', [e.node('Concat', products, { axis: 0 }), orderOf(orderOf(groups!))], { axis: 0 }),
    ];
  },
  Embedding: (e, node, [ids, table]) => {
    const blocks = e.blocksFor(node, node.inputs[1]!);
    return [
      blocks
        ? gatherRows(e, ids!, blocks, node.inputs[0]!.rank)
        : e.node('Gather', [table!, ids!], { axis: 0 }),
    ];
  },
});

export const cpu = cpuTarget();
