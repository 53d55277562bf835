import {
  blockedScore,
  blockingBias,
  multiplyDims,
  type Node,
  type SemanticOp,
  type Value,
} from '@weft/graph';
import { primitives } from '../primitives.js';
import type { Emitter } from '../emitter.js';
import type { EmitRule, NodeToServe } from '../target.js';

export const microsoft = 'com.microsoft';

type FusedOp =
  | 'Embedding'
  | 'RmsNorm'
  | 'LayerNorm'
  | 'Rope'
  | 'Attention'
  | 'Conv'
  | 'Gelu'
  | 'QuickGelu'
  | 'Silu'
  | 'Softmax';

/** Fused operators that the execution providers for processors and for WebGPU have alike. */
export const fused: { readonly [O in FusedOp & SemanticOp]: EmitRule<O> } = {
  Embedding: (e, _, [ids, table]) => [e.node('Gather', [table!, ids!], { axis: 0 })],
  RmsNorm: (e, { attributes }, inputs) => [
    e.node('SimplifiedLayerNormalization', inputs, {
      axis: -1,
      epsilon: { float: attributes.eps },
      stash_type: 1,
    }),
  ],
  LayerNorm: (e, { attributes }, inputs) => [
    e.node('LayerNormalization', inputs, { axis: -1, epsilon: { float: attributes.eps }, stash_type: 1 }),
  ],
  Rope: (e, { inputs: [x, cos], attributes: { interleaved } }, [name, ...angles]) => {
    const [batch, length, heads, size] = x!.shape;
    const half = cos!.shape[2]!;
    const rows = multiplyDims(batch!, length!);
    // The operator looks rows up by position; ours are listed in order, so position is the row's own number.
    const positions = e.shared(`row numbers ${batch},${length}`, () =>
      e.reshape(
        primitives.Iota(e, { attributes: { size: rows } } as Node<'Iota'>, [])[0]!,
        [rows],
        [batch!, length!],
      ),
    );
    const tables = angles.map((angle) => e.reshape(angle, cos!.shape, [rows, half]));
    const flat = [batch!, length!, multiplyDims(heads!, size!)];
    const partial = Number(half) * 2 < Number(size) ? Number(half) * 2 : 0;
    const rotated = e.node(
      'RotaryEmbedding',
      [e.reshape(name!, x!.shape, flat), positions, ...tables],
      { interleaved: interleaved ? 1 : 0, num_heads: Number(heads), rotary_embedding_dim: partial },
      microsoft,
    );
    return [e.reshape(rotated, flat, x!.shape)];
  },
  Attention: (e, node, names) => {
    const [q, k, v, bias] = node.inputs as readonly Value[];
    const heads = Number(q!.shape[2]);
    const merged = (value: Value, name: string) => {
      const [batch, length, n, size] = value.shape;
      return e.reshape(name, value.shape, [batch!, length!, multiplyDims(n!, size!)]);
    };
    const inputs = [q!, k!, v!].map((value, i) => merged(value, names[i]!));
    if (bias) {
      const shape = [...Array.from({ length: 4 - bias.rank }, () => 1), ...bias.shape];
      inputs.push('', '', e.reshape(blocked(e, names[3]!), bias.shape, shape));
    }
    const { mask, scale } = node.attributes;
    const attributes = {
      num_heads: heads,
      scale: { float: scale },
      unidirectional: mask === 'causal' ? 1 : 0,
    };
    const context = e.node('MultiHeadAttention', inputs, attributes, microsoft);
    const [batch, length, , size] = node.outputs[0]!.shape;
    return [e.reshape(context, [batch!, length!, multiplyDims(heads, size!)], node.outputs[0]!.shape)];
  },
  Conv: (e, { attributes: { strides, padding, groups }, inputs: [, weight] }, inputs) => [
    e.node('Conv', inputs, {
      kernel_shape: weight!.shape.slice(2).map(Number),
      strides,
      pads: padding,
      group: groups,
    }),
  ],
  Gelu: (e, { attributes }, inputs) => [e.node('Gelu', inputs, { approximate: attributes.approximation })],
  QuickGelu: (e, _, inputs) => [e.node('QuickGelu', inputs, { alpha: { float: 1.702 } }, microsoft)],
  Silu: (e, _, inputs) => [e.node('QuickGelu', inputs, { alpha: { float: 1 } }, microsoft)],
  Softmax: (e, _, inputs) => [e.node('Softmax', inputs, { axis: -1 })],
};

/** A bias whose blocking numbers are all the score of a blocked key: the operator gives NaN where a row holds -Infinity only. */
const blocked = (e: Emitter, name: string): string =>
  e.shared(`blocks of ${name}`, () => {
    const isBlocking = e.node('LessOrEqual', [name, e.number(blockingBias('float32'), 'float32')]);
    return e.node('Where', [isBlocking, e.number(blockedScore('float32'), 'float32'), name]);
  });

/** Whether the fused operators serve a node; all but attention serve any. */
export const servesFused = (node: NodeToServe): boolean =>
  node.op !== 'Attention' || servesAttention(node as NodeToServe<'Attention'>);

function servesAttention({ inputs, attributes }: NodeToServe<'Attention'>): boolean {
  const [q, k, , bias] = inputs;
  const [, length, heads, size] = q!.shape;
  const [, keys, keyHeads, keySize] = k!.shape;
  // The operator aligns the first query with the first key, and broadcasts a bias over batch and heads only.
  const aligned = attributes.mask === 'none' || length === keys;
  const wholeBias = !bias || (bias.shape.at(-2) === length && bias.shape.at(-1) === keys);
  // Causal masks and biases are added up there, and scores in float16 are not swallowed by what blocks them.
  const isBlockedOnce = !bias || (attributes.mask === 'none' && bias.dtype === 'float32');
  return (
    attributes.cache === 'none' &&
    attributes.window === undefined &&
    heads === keyHeads &&
    size === keySize &&
    aligned &&
    wholeBias &&
    isBlockedOnce
  );
}
