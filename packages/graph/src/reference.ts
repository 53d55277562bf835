import { blockedScore, joinBlocks, withBias, withBlocks } from './blocking.js';
import { cacheBias, fromCache } from './cached-attention.js';
import { addDims, multiplyDims, type Dim } from './dim.js';
import type { Graph, RewriteRule } from './graph.js';
import { rewrite } from './graph.js';
import type { ConvAttributes, SemanticOp } from './op-table.js';
import * as o from './ops.js';
import { attend, linear, softmax } from './semantic.js';
import type { Node, Value } from './value.js';

const numberOf = (dim: Dim | undefined): number => Number(dim);

/**
 * The meaning of every semantic operation, in primitives. Targets replace some by fused operators; those must
 * agree with this table. A missing rule does not compile.
 */
export const reference: {
  readonly [O in SemanticOp]: (node: Node<O>, inputs: readonly Value[]) => readonly Value[];
} = {
  Linear: (_, [x, weight, bias]) => {
    const rows =
      x!.rank === 2 ? x! : o.reshape(x!, [multiplyDims(...x!.shape.slice(0, -1)), x!.shape.at(-1)!]);
    const y = o.matmul(rows, weight!, { transposeB: true });
    return [o.reshape(bias ? o.add(y, bias) : y, [...x!.shape.slice(0, -1), weight!.shape[0]!])];
  },
  GroupedLinear: ({ attributes: { layout } }, [x, groups, ...weights]) => {
    const group = o.reshape(groups!, [groups!.shape[0]!, 1]);
    const own = weights.map((weight, i) =>
      o.where(o.equal(group, i), o.matmul(x!, weight, { transposeB: layout === 'out-in' }), 0),
    );
    return [own.reduce((sum, rows) => o.add(sum, rows))];
  },
  Embedding: (_, [ids, table]) => [o.gather(table!, ids!)],
  RmsNorm: ({ attributes }, [x, weight]) => {
    const variance = o.reduceMean(o.mul(x!, x!), [-1], true);
    return [o.mul(o.mul(x!, o.reciprocal(o.sqrt(o.add(variance, attributes.eps)))), weight!)];
  },
  LayerNorm: ({ attributes }, [x, weight, bias]) => {
    const centred = o.sub(x!, o.reduceMean(x!, [-1], true));
    const variance = o.reduceMean(o.mul(centred, centred), [-1], true);
    const normed = o.mul(centred, o.reciprocal(o.sqrt(o.add(variance, attributes.eps))));
    return [o.add(o.mul(normed, weight!), bias!)];
  },
  Rope: ({ attributes: { interleaved } }, [x, cos, sin]) => {
    const half = numberOf(cos!.shape[2]);
    const [batch, length, heads, size] = x!.shape;
    // The two channels of a pair are neighbours, or R/2 apart.
    const axis = interleaved ? 4 : 3;
    const pairs = o.reshape(o.slice(x!, 3, 0, 2 * half), [
      batch!,
      length!,
      heads!,
      ...(interleaved ? [half, 2] : [2, half]),
    ]);
    const [c, s] = [cos!, sin!].map((t) =>
      o.reshape(t, [batch!, length!, 1, ...(interleaved ? [half, 1] : [1, half])]),
    );
    const [first, second] = [o.slice(pairs, axis, 0, 1), o.slice(pairs, axis, 1, 2)];
    const turned = o.concat(
      [o.sub(o.mul(first, c!), o.mul(second, s!)), o.add(o.mul(second, c!), o.mul(first, s!))],
      axis,
    );
    const rotated = o.reshape(turned, [batch!, length!, heads!, 2 * half]);
    return [numberOf(size) > 2 * half ? o.concat([rotated, o.slice(x!, 3, 2 * half, size!)], 3) : rotated];
  },
  Attention: ({ attributes }, [q, k, v, bias]) => {
    const { mask, scale, window } = attributes;
    const [batch, length, heads, headDim] = q!.shape;
    const [, keys, keyHeads] = k!.shape;
    const valueDim = v!.shape[3]!;
    const group = numberOf(heads) / numberOf(keyHeads);
    // Query heads of one key head are stacked along the length, so keys are never repeated.
    const stacked = [batch!, keyHeads!, multiplyDims(group, length!), headDim!];
    const split = [batch!, keyHeads!, group, length!, keys!];
    const queries = o.reshape(
      o.transpose(o.reshape(q!, [batch!, length!, keyHeads!, group, headDim!]), [0, 2, 3, 1, 4]),
      stacked,
    );
    let scores = o.matmul(queries, o.transpose(k!, [0, 2, 1, 3]), { transposeB: true, alpha: scale });
    const causal = mask === 'causal' ? causalBias(length!, keys!, q!, window) : undefined;
    const own = bias && splitHeads(bias, numberOf(keyHeads), group);
    const term = own ? (causal ? joinBlocks(causal, own) : withBlocks(own)) : causal;
    if (term) scores = withBias(o.reshape(scores, split), term);
    const weights = o.reshape(softmax(scores), [...stacked.slice(0, 3), keys!]);
    const context = o.reshape(o.matmul(weights, o.transpose(v!, [0, 2, 1, 3])), [
      batch!,
      keyHeads!,
      group,
      length!,
      valueDim,
    ]);
    return [o.reshape(o.transpose(context, [0, 3, 1, 2, 4]), [batch!, length!, heads!, valueDim])];
  },
  // All keys in one line, and attention to them that the mask of the cache restricts.
  CachedAttention: ({ attributes }, [q, k, v, pastKeys, pastValues, attentionMask, bias]) => {
    const { scale, layout } = attributes;
    const [keys, values] = [
      o.concat([fromCache(pastKeys!, layout), k!], 1),
      o.concat([fromCache(pastValues!, layout), v!], 1),
    ];
    const visible = cacheBias(attentionMask!, q!.shape[1]!, attributes);
    return [attend(q!, keys, values, { scale, bias: bias ? joinBlocks(visible, bias) : visible })];
  },
  HeldAttention: ({ attributes: { scale, layout } }, [q, keys, values, bias]) => [
    attend(q!, fromCache(keys!, layout), fromCache(values!, layout), { scale, bias }),
  ],
  PatchEmbed: ({ attributes: { patchSize: p } }, [pixels, weight, bias]) => {
    const [tiles, channels, height, width] = pixels!.shape;
    const [rows, columns] = [Math.floor(numberOf(height) / p), Math.floor(numberOf(width) / p)];
    const whole = o.slice(o.slice(pixels!, 2, 0, rows * p), 3, 0, columns * p);
    const cut = o.transpose(o.reshape(whole, [tiles!, channels!, rows, p, columns, p]), [0, 2, 4, 1, 3, 5]);
    const patches = o.reshape(cut, [tiles!, rows * columns, numberOf(channels) * p * p]);
    return [linear(patches, o.reshape(weight!, [weight!.shape[0]!, numberOf(channels) * p * p]), bias)];
  },
  Conv: ({ attributes, outputs }, [x, weight, bias]) => {
    const { groups } = attributes;
    const [tiles, out, rows, columns] = o.dimsOf(outputs[0]!, 4);
    const perGroup = numberOf(weight!.shape[1]);
    const products = convWindows(x!, weight!, attributes, [rows, columns]).map(({ row, column, window }) => {
      const kernel = o.slice(o.slice(weight!, 2, row, row + 1), 3, column, column + 1);
      const inputs = o.reshape(window, [tiles, groups, perGroup, multiplyDims(rows, columns)]);
      return o.matmul(o.reshape(kernel, [groups, numberOf(out) / groups, perGroup]), inputs);
    });
    const sum = o.reshape(
      products.reduce((all, product) => o.add(all, product)),
      outputs[0]!.shape,
    );
    return [bias ? o.add(sum, o.reshape(bias, [out, 1, 1])) : sum];
  },
  Gelu: ({ attributes }, [x]) => {
    if (attributes.approximation === 'none')
      return [o.mul(o.mul(x!, 0.5), o.add(o.erf(o.mul(x!, Math.SQRT1_2)), 1))];
    const inner = o.mul(o.add(x!, o.mul(o.mul(o.mul(x!, x!), x!), 0.044715)), Math.sqrt(2 / Math.PI));
    return [o.mul(o.mul(x!, 0.5), o.add(o.tanh(inner), 1))];
  },
  QuickGelu: (_, [x]) => [o.mul(x!, o.sigmoid(o.mul(x!, 1.702)))],
  Silu: (_, [x]) => [o.mul(x!, o.sigmoid(x!))],
  Relu2: (_, [x]) => {
    const positive = o.relu(x!);
    return [o.mul(positive, positive)];
  },
  Softmax: (_, [x]) => {
    const shifted = o.exp(o.sub(x!, o.reduceMax(x!, [-1], true)));
    return [o.div(shifted, o.reduceSum(shifted, [-1], true))];
  },
  CrossEntropy: (_, [logits, targets]) => {
    const largest = o.reduceMax(logits!, [-1], true);
    const total = o.add(
      o.log(o.reduceSum(o.exp(o.sub(logits!, largest)), [-1])),
      o.reshape(largest, targets!.shape),
    );
    const picked = o.reduceSum(o.mul(logits!, oneHot(targets!, logits!.shape[1]!, logits!)), [-1]);
    return [o.where(o.less(targets!, 0), 0, o.sub(total, picked))];
  },
  PlaceAtToken: ({ attributes }, [hiddenStates, positions, rows]) => {
    const [batch, length, size] = hiddenStates!.shape;
    const flat = o.reshape(hiddenStates!, [multiplyDims(batch!, length!), size!]);
    return [o.reshape(o.scatterRows(flat, positions!, rows!, attributes.mode), hiddenStates!.shape)];
  },
};

/** 1 at the target's column, else 0: `[M]` to `[M, V]`; all 0 for targets out of range. */
export const oneHot = (targets: Value, classes: Dim, like: Value): Value =>
  o.cast(o.equal(o.reshape(targets, [...targets.shape, 1]), o.iota(classes)), like.dtype);

/** What one element of a convolution's kernel meets. */
export interface ConvWindow {
  readonly row: number;
  readonly column: number;
  /** `[T, C, rows, columns]` of the result's size. */
  readonly window: Value;
}

/** For each element of the kernel, row by row, the part of the padded picture that it is multiplied with. */
export function convWindows(
  x: Value,
  weight: Value,
  { strides, padding }: ConvAttributes,
  size: readonly [rows: Dim, columns: Dim],
): ConvWindow[] {
  const kernel = weight.shape.slice(2).map(numberOf) as [number, number];
  const padded = ([0, 1] as const).reduce((value, axis) => {
    const [before, after, step] = [padding[axis], padding[axis + 2]!, strides[axis]];
    // Steps become equal blocks, so there must be room for the last one in full.
    const missing =
      step === 1
        ? 0
        : kernel[axis] - 1 + step * numberOf(size[axis]) - numberOf(x.shape[axis + 2]) - before - after;
    return o.pad(value, axis + 2, before, after + Math.max(0, missing));
  }, x);
  const along = (value: Value, axis: 0 | 1, start: number): Value => {
    const [at, step, count] = [axis + 2, strides[axis], size[axis]];
    const part = o.slice(value, at, start, addDims(start, multiplyDims(step, count)));
    if (step === 1) return part;
    const blocks = o.reshape(part, [...part.shape.slice(0, at), count, step, ...part.shape.slice(at + 1)]);
    return o.reshape(o.slice(blocks, at + 1, 0, 1), [
      ...part.shape.slice(0, at),
      count,
      ...part.shape.slice(at + 1),
    ]);
  };
  return Array.from({ length: kernel[0] }, (_, row) => {
    const line = along(padded, 0, row);
    return Array.from({ length: kernel[1] }, (_value, column) => ({
      row,
      column,
      window: along(line, 1, column),
    }));
  }).flat();
}

/** A bias that broadcasts to `[B, N, L, S]` as one that broadcasts to `[B, K, G, L, S]`. */
export function splitHeads(bias: Value, keyHeads: number, group: number): Value {
  const shape = [...Array.from({ length: 4 - bias.rank }, () => 1), ...bias.shape];
  const [batch, heads, length, keys] = shape;
  return o.reshape(bias, [batch!, heads === 1 ? 1 : keyHeads, heads === 1 ? 1 : group, length!, keys!]);
}

/** `[L, S]`: 0 where a query sees a key, else the most negative float. The last query sees the last key. */
function causalBias(length: Dim, keys: Dim, like: Value, window?: number): Value {
  const offset = o.sub(o.dimSize(keys), o.dimSize(length));
  const query = o.add(o.reshape(o.iota(length), [length, 1]), offset);
  const key = o.iota(keys);
  let visible = o.lessOrEqual(key, query);
  if (window !== undefined) visible = o.and(visible, o.less(o.sub(query, key), window));
  return o.where(visible, o.constant(0, like.dtype), o.constant(blockedScore(like.dtype), like.dtype));
}

/**
 * The graph with semantic operations replaced by their references, all but those in `keep`.
 */
export function decompose(graph: Graph, keep: ReadonlySet<string> = new Set()): Graph {
  const rules = Object.entries(reference).filter(([op]) => !keep.has(op));
  return rewrite(graph, Object.fromEntries(rules) as Record<string, RewriteRule>);
}
