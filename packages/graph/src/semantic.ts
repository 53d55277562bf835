import { addDims, printShape, sameShape, type Dim } from './dim.js';
import { fail } from './fail.js';
import type { AttentionAttributes, MatrixLayout, SemanticAttributes } from './op-table.js';
import { makeNode, type Value } from './value.js';

/** `x W^T + b`: x `[…, in]`, weight `[out, in]`, bias `[out]` to `[…, out]`. */
export function linear(x: Value, weight: Value, bias?: Value | null): Value {
  const [out, size] = weight.shape;
  if (x.shape.at(-1) !== size)
    fail(
      `linear takes ${size} channels, but x is ${printShape(x.shape)}.`,
      `x comes from ${x.node.path || 'a graph input'}. Is a connector missing?`,
    );
  const shape = [...x.shape.slice(0, -1), out!];
  return makeNode('Linear', {}, bias ? [x, weight, bias] : [x, weight], [{ dtype: x.dtype, shape }])[0]!;
}

/**
 * Each row times the matrix of its own group, as in a mixture of experts: x `[M, in]` to `[M, out]`.
 *
 * @param groups int64 `[M]`, an index into `weights` for each row
 * @param weights one matrix for each group, all `[out, in]`, or `[in, out]` with that layout
 */
export function groupedLinear(
  x: Value,
  groups: Value,
  weights: readonly Value[],
  layout: MatrixLayout = 'out-in',
): Value {
  const [first] = weights;
  const [out, size] = layout === 'out-in' ? (first?.shape ?? []) : (first?.shape.toReversed() ?? []);
  const alike = weights.every(({ shape }) => shape.length === 2 && sameShape(shape, first!.shape));
  if (
    !first ||
    !alike ||
    x.rank !== 2 ||
    x.shape[1] !== size ||
    !sameShape(groups.shape, [x.shape[0]!]) ||
    groups.dtype !== 'int64'
  )
    fail(
      `groupedLinear takes x [M, in], int64 groups [M] and matrices [${layout.replace('-', ', ')}] of one shape, but got ${printShape(x.shape)}, ${groups.dtype} ${printShape(groups.shape)} and ${weights.length} matrices, the first ${first ? printShape(first.shape) : 'missing'}.`,
    );
  return makeNode(
    'GroupedLinear',
    { layout },
    [x, groups, ...weights],
    [{ dtype: x.dtype, shape: [x.shape[0]!, out!] }],
  )[0]!;
}

/** Rows of the table `[V, D]` at int64 ids `[…]`: `[…, D]`. */
export function embedding(ids: Value, table: Value): Value {
  const shape = [...ids.shape, table.shape[1]!];
  return makeNode('Embedding', {}, [ids, table], [{ dtype: table.dtype, shape }])[0]!;
}

/** `x / sqrt(mean(x²) + eps) * weight` over the last axis. */
export function rmsNorm(x: Value, weight: Value, eps: number): Value {
  if (x.shape.at(-1) !== weight.shape[0])
    fail(`rmsNorm of ${printShape(x.shape)} with a weight ${printShape(weight.shape)}.`);
  return makeNode('RmsNorm', { eps }, [x, weight], [x])[0]!;
}

/** `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis. */
export function layerNorm(x: Value, weight: Value, bias: Value, eps: number): Value {
  if (x.shape.at(-1) !== weight.shape[0])
    fail(`layerNorm of ${printShape(x.shape)} with a weight ${printShape(weight.shape)}.`);
  return makeNode('LayerNorm', { eps }, [x, weight, bias], [x])[0]!;
}

/**
 * Rotary embedding over the first R channels of each head; the others pass through.
 *
 * @param x `[B, L, N, H]`
 * @param cos `[B, L, R/2]`
 * @param sin `[B, L, R/2]`
 * @param options `interleaved`: channel `2j` turns with `2j + 1`, as in the native checkpoints of Meta and Mistral;
 * otherwise `j` with `j + R/2`, as in those of transformers
 */
export function rope(
  x: Value,
  cos: Value,
  sin: Value,
  { interleaved = false }: { readonly interleaved?: boolean | undefined } = {},
): Value {
  const half = cos.shape.at(-1);
  const fits =
    cos.rank === 3 &&
    sameShape(cos.shape, sin.shape) &&
    sameShape(cos.shape.slice(0, 2), x.shape.slice(0, 2));
  if (x.rank !== 4 || !fits || typeof half !== 'number' || half * 2 > Number(x.shape[3]))
    fail(
      `rope of ${printShape(x.shape)} with angles ${printShape(cos.shape)} and ${printShape(sin.shape)}, expected [B, L, N, H] and twice [B, L, R/2].`,
    );
  return makeNode('Rope', { interleaved }, [x, cos, sin], [x])[0]!;
}

/**
 * Softmax attention; K key/value heads serve N query heads, each `N / K` consecutive ones.
 *
 * @param q `[B, L, N, H]`
 * @param k `[B, S, K, H]`
 * @param v `[B, S, K, Hv]`
 * A key is blocked that the mask hides, or whose bias is at most {@link blockingBias}, -Infinity among them. It has no
 * weight beside keys that are open; a query whose keys are all blocked gets the mean of all values, those of hidden keys
 * too, in every target and type. That is what eager attention of transformers gives with its masks of most negative
 * numbers, by which models rely on padding that stays finite.
 *
 * @param options facts of the mathematics; `bias` is added to the scores and broadcasts to `[B, N, L, S]`
 * @returns `[B, L, N, Hv]`
 */
export function attend(
  q: Value,
  k: Value,
  v: Value,
  options: Partial<AttentionAttributes> & { readonly bias?: Value | undefined } = {},
): Value {
  const { bias, ...facts } = options;
  const [n, heads] = [q.shape[2], k.shape[2]];
  const ranks = [q, k, v].every((x) => x.rank === 4);
  if (
    !ranks ||
    q.shape[3] !== k.shape[3] ||
    q.shape[0] !== k.shape[0] ||
    !sameShape(k.shape.slice(0, 3), v.shape.slice(0, 3)) ||
    typeof n !== 'number' ||
    typeof heads !== 'number' ||
    n % heads !== 0
  )
    fail(
      `attend takes q [B, L, N, H], k and v [B, S, K, H] with N a multiple of K, but got ${[q, k, v].map((x) => printShape(x.shape)).join(', ')}.`,
    );
  const attributes: AttentionAttributes = {
    mask: 'none',
    cache: 'none',
    scale: Number(q.shape[3]) ** -0.5,
    ...facts,
  };
  const shape = [...q.shape.slice(0, 3), v.shape[3]!];
  return makeNode('Attention', attributes, bias ? [q, k, v, bias] : [q, k, v], [
    { dtype: q.dtype, shape },
  ])[0]!;
}

/**
 * Cuts pictures into square patches and projects each: pixels `[T, C, height, width]`, weight `[D, C, p, p]`,
 * bias `[D]` to `[T, rows * columns, D]`, row-major. Pixels beyond the last whole patch are ignored.
 */
export function patchEmbed(pixels: Value, weight: Value, bias?: Value | null): Value {
  const [tiles, channels, height, width] = pixels.shape;
  const [size, c, patch] = weight.shape as readonly number[];
  if (pixels.rank !== 4 || channels !== c || typeof height !== 'number' || typeof width !== 'number')
    fail(
      `patchEmbed takes pixels [T, ${c}, height, width] of known size, but got ${printShape(pixels.shape)}.`,
    );
  const patches = Math.floor(height / patch!) * Math.floor(width / patch!);
  const types = [{ dtype: pixels.dtype, shape: [tiles!, patches, size!] }];
  return makeNode(
    'PatchEmbed',
    { patchSize: patch! },
    bias ? [pixels, weight, bias] : [pixels, weight],
    types,
  )[0]!;
}

/** How a convolution steps over a picture; what is left out is neutral. */
export interface ConvOptions {
  /** One number for both axes, or that of rows and that of columns; 1 unless given. */
  readonly stride?: number | readonly [rows: number, columns: number];
  /** One number for all sides, or each side's; 0 unless given. */
  readonly padding?: number | readonly [top: number, left: number, bottom: number, right: number];
  /** 1 unless given. */
  readonly groups?: number;
}

/**
 * Convolution over rows and columns, as `torch.nn.functional.conv2d` without dilation: x `[T, C, height, width]`, weight
 * `[O, C / groups, kh, kw]`, bias `[O]` to `[T, O, (height + padding - kh) / stride + 1, …]`, rounded down. Height and
 * width must be known where the stride is not 1.
 */
export function conv(
  x: Value,
  weight: Value,
  bias?: Value | null,
  { stride = 1, padding = 0, groups = 1 }: ConvOptions = {},
): Value {
  const [tiles, channels, ...sides] = x.shape;
  const [out, perGroup, ...kernel] = weight.shape as readonly number[];
  if (
    x.rank !== 4 ||
    weight.rank !== 4 ||
    channels !== perGroup! * groups ||
    out! % groups !== 0 ||
    (bias && !sameShape(bias.shape, [out!]))
  )
    fail(
      `conv in ${groups} group${groups === 1 ? '' : 's'} takes x [T, C, height, width], a weight [O, C / groups, kh, kw] and a bias [O], but got ${[x, weight, ...(bias ? [bias] : [])].map(({ shape }) => printShape(shape)).join(', ')}.`,
    );
  const strides = typeof stride === 'number' ? ([stride, stride] as const) : stride;
  const around = typeof padding === 'number' ? ([padding, padding, padding, padding] as const) : padding;
  const result = sides.map((side, axis): Dim => {
    const room = addDims(side, around[axis]!, around[axis + 2]!, -kernel[axis]!);
    const size = typeof room === 'number' ? Math.floor(room / strides[axis]!) + 1 : addDims(room, 1);
    if (typeof size === 'number' ? size < 1 : strides[axis] !== 1)
      fail(
        `conv of ${printShape(x.shape)} with a kernel of ${kernel.join(' x ')} in steps of ${strides.join(' and ')}.`,
        typeof size === 'number'
          ? 'The kernel is larger than the padded picture.'
          : 'Steps need sides of known size.',
      );
    return size;
  });
  return makeNode('Conv', { strides, padding: around, groups }, bias ? [x, weight, bias] : [x, weight], [
    { dtype: x.dtype, shape: [tiles!, out!, ...result] },
  ])[0]!;
}

/** Gaussian error linear unit; `tanh` is the approximation of GPT-2 and SigLIP. */
export const gelu = (x: Value, approximation: SemanticAttributes['Gelu']['approximation'] = 'none'): Value =>
  makeNode('Gelu', { approximation }, [x], [x])[0]!;
/** `x * sigmoid(1.702 x)`, of OpenAI's CLIP. */
export const quickGelu = (x: Value): Value => makeNode('QuickGelu', {}, [x], [x])[0]!;
/** `x * sigmoid(x)`. */
export const silu = (x: Value): Value => makeNode('Silu', {}, [x], [x])[0]!;
/** `relu(x)²`, of Persimmon. */
export const relu2 = (x: Value): Value => makeNode('Relu2', {}, [x], [x])[0]!;
/** Softmax over the last axis. */
export const softmax = (x: Value): Value => makeNode('Softmax', {}, [x], [x])[0]!;

/**
 * Negative log-likelihoods: logits `[M, V]`, int64 targets `[M]` to `[M]`. Targets of -100 give 0 and no gradient.
 */
export function crossEntropy(logits: Value, targets: Value): Value {
  if (logits.rank !== 2 || targets.rank !== 1 || targets.shape[0] !== logits.shape[0])
    fail(
      `crossEntropy takes logits [M, V] and targets [M], but got ${printShape(logits.shape)} and ${printShape(targets.shape)}.`,
    );
  return makeNode('CrossEntropy', {}, [logits, targets], [{ dtype: logits.dtype, shape: targets.shape }])[0]!;
}

/**
 * Places rows into hidden states, the entry of images into a decoder.
 *
 * @param hiddenStates `[B, L, D]`
 * @param positions int64 `[N]`, flat: row times L plus column
 * @param rows `[N, D]`
 * @param mode `replace` (LLaVA) or `add` (Molmo)
 */
export function placeAtToken(
  hiddenStates: Value,
  positions: Value,
  rows: Value,
  mode: 'replace' | 'add' = 'replace',
): Value {
  const [batch, length, size] = hiddenStates.shape;
  if (
    hiddenStates.rank !== 3 ||
    rows.rank !== 2 ||
    rows.shape[1] !== size ||
    positions.shape[0] !== rows.shape[0]
  )
    fail(
      `placeAtToken of rows ${printShape(rows.shape)} at positions ${printShape(positions.shape)} into [${batch}, ${length}, ${size}]: both need ${size} channels and equal counts.`,
      `The rows come from ${rows.node.path || 'a graph input'}. Is a connector missing?`,
    );
  return makeNode('PlaceAtToken', { mode }, [hiddenStates, positions, rows], [hiddenStates])[0]!;
}
