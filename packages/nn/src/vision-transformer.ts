import {
  add,
  attend,
  linear as linearOp,
  module,
  Parameter,
  patchEmbed,
  reshape,
  transpose,
  type AnyModule,
  type Value,
} from '@weft/graph';
import { mergeHeads, splitHeads } from './heads.js';
import { linear } from './linear.js';
import { mlp, type MlpConfig } from './mlp.js';
import { layerNorm } from './norm.js';

/** Sizes of a plain vision transformer; names as in `config.json`. */
export interface VisionTransformerConfig extends MlpConfig {
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numChannels: number;
  /** Side of the square input, pixels. */
  readonly imageSize: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  readonly layerNormEps: number;
}

/**
 * How the weight of a patch projection is stored: as that of a `convolution`, `[D, C, p, p]`, or as a `matrix` over rows,
 * columns and channels, `[D, p * p * C]`.
 */
export type PatchWeight = 'convolution' | 'matrix';

/** Patch projection; a convolution whose stride is its kernel. `[T, C, S, S]` to `[T, P, D]`. */
export function patchEmbedding(
  { hiddenSize, numChannels, patchSize }: VisionTransformerConfig,
  { bias, weight = 'convolution' }: { readonly bias: boolean; readonly weight?: PatchWeight },
): AnyModule & ((pixels: Value) => Value) {
  const isMatrix = weight === 'matrix';
  const kernel = isMatrix ? [patchSize * patchSize * numChannels] : [numChannels, patchSize, patchSize];
  return module(
    'PatchEmbedding',
    {
      weight: new Parameter([hiddenSize, ...kernel]),
      bias: bias ? new Parameter([hiddenSize], { kind: 'zeros' }) : null,
    },
    (m, pixels: Value) => {
      const rows = isMatrix && reshape(m.weight, [hiddenSize, patchSize, patchSize, numChannels]);
      return patchEmbed(pixels, rows ? transpose(rows, [0, 3, 1, 2]) : m.weight, m.bias);
    },
  );
}

/**
 * Projection of patches that are already cut: `[…, C * p * p]` to `[…, D]`, by the weight of the convolution that the
 * checkpoint holds.
 *
 * @param kernel sizes of a patch, channels first; `[3, 16, 16]`, or with time `[3, 2, 14, 14]`
 */
export const cutPatchEmbedding = (
  hiddenSize: number,
  kernel: readonly number[],
  { bias = false }: { readonly bias?: boolean } = {},
): AnyModule & ((patches: Value) => Value) =>
  module(
    'CutPatchEmbedding',
    {
      weight: new Parameter([hiddenSize, ...kernel]),
      bias: bias ? new Parameter([hiddenSize], { kind: 'zeros' }) : null,
    },
    (m, patches: Value) => linearOp(patches, reshape(m.weight, [hiddenSize, -1]), m.bias),
  );

/** Pre-norm transformer block without mask, of CLIP and SigLIP: `[T, P, D]` to `[T, P, D]`. */
export const visionTransformerLayer = (c: VisionTransformerConfig): AnyModule & ((x: Value) => Value) =>
  module(
    'VisionTransformerLayer',
    {
      layer_norm1: layerNorm(c.hiddenSize, c.layerNormEps),
      self_attn: visionAttention(c),
      layer_norm2: layerNorm(c.hiddenSize, c.layerNormEps),
      mlp: mlp(c),
    },
    (m, x: Value) => {
      const h = add(x, m.self_attn(m.layer_norm1(x)));
      return add(h, m.mlp(m.layer_norm2(h)));
    },
  );

const visionAttention = (c: VisionTransformerConfig) =>
  module(
    'VisionAttention',
    {
      q_proj: linear(c.hiddenSize, c.hiddenSize),
      k_proj: linear(c.hiddenSize, c.hiddenSize),
      v_proj: linear(c.hiddenSize, c.hiddenSize),
      out_proj: linear(c.hiddenSize, c.hiddenSize),
    },
    (m, x: Value) => {
      const [q, k, v] = [m.q_proj(x), m.k_proj(x), m.v_proj(x)].map((t) =>
        splitHeads(t, c.numAttentionHeads),
      );
      return m.out_proj(mergeHeads(attend(q!, k!, v!)));
    },
  );

/**
 * States of a stack by the numbering of `hidden_states`: 0 is the input, `i + 1` the output of layer `i`,
 * negative numbers count from the end.
 */
export function captureLayers(
  layers: readonly ((x: Value) => Value)[],
  x: Value,
  wanted: readonly number[],
): Value[] {
  const indices = wanted.map((index) => (index < 0 ? layers.length + 1 + index : index));
  const states = [x];
  for (const layer of layers.slice(0, Math.max(...indices))) states.push(layer(states.at(-1)!));
  return indices.map((index) => states[index]!);
}
