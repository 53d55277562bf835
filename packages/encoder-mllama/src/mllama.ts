import { ConfigError } from '@weft/errors';
import { ShapeError } from '@weft/errors';
import {
  add,
  attend,
  cast,
  concat,
  constant,
  currentPath,
  dimsOf,
  expand,
  gather,
  matmul,
  module,
  mostNegative,
  mul,
  multiplyDims,
  pad,
  Parameter,
  printShape,
  repeat,
  reshape,
  sameShape,
  slice,
  sub,
  tanh,
  type AnyModule,
  type Shape,
  type Value,
} from '@weft/graph';
import {
  captureLayers,
  layerNorm,
  linear,
  mergeHeads,
  mlp,
  patchEmbedding,
  readActivation,
  splitHeads,
  type ActivationName,
} from '@weft/nn';
import {
  checkConfig,
  configReader,
  resolvePreset,
  type Json,
  type PartDefinition,
  type Source,
  type VisionEncoder,
} from '@weft/spec';
import { prepareRuns } from './prepare.js';

/** Vision tower of Llama 3.2 Vision. */
export interface MllamaVisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Layers before the norm in the middle. */
  readonly numHiddenLayers: number;
  /** Gated layers after it. */
  readonly numGlobalLayers: number;
  readonly numAttentionHeads: number;
  readonly numChannels: number;
  /** Side of a tile, pixels. */
  readonly imageSize: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  readonly maxNumTiles: number;
  /** Arrangements of tiles, `[rows, columns]`; the id of one is its place in the list, counted from 1. */
  readonly supportedAspectRatios: readonly (readonly [rows: number, columns: number])[];
  /** Layers whose states join the last one along the channels. */
  readonly intermediateLayersIndices: readonly number[];
  readonly hiddenAct: ActivationName;
  readonly normEps: number;
}

export interface MllamaVisionOptions {
  /**
   * Which state of an intermediate layer is meant: the one `before` the layer runs, as the published checkpoints were
   * trained, or the one `after` it, as transformers 5.18 takes it. Default `before`.
   */
  readonly capture?: 'before' | 'after';
}

/** Published sizes; the 11B and the 90B model have the same tower. */
export const mllamaVisionPresets = {
  'llama-3.2-vision': {
    hiddenSize: 1280,
    intermediateSize: 5120,
    numHiddenLayers: 32,
    numGlobalLayers: 8,
    numAttentionHeads: 16,
    numChannels: 3,
    imageSize: 560,
    patchSize: 14,
    maxNumTiles: 4,
    supportedAspectRatios: [
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 1],
      [2, 2],
      [3, 1],
      [4, 1],
    ],
    intermediateLayersIndices: [3, 7, 15, 23, 30],
    hiddenAct: 'gelu',
    normEps: 1e-5,
  },
} as const satisfies Record<string, MllamaVisionConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2407.21783',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/mllama/modeling_mllama.py',
};

/** The reference leaves the norms around the first stack at PyTorch's default. */
const outerEps = 1e-5;

/** The tokens of a tile are filled up with zeros to a multiple of this. */
const alignment = 8;

/**
 * The vision tower of Llama 3.2 Vision. A picture comes as tiles that see one another; tables by aspect ratio tell
 * them apart. A second, gated stack follows the first, and states of intermediate layers join the result.
 *
 * Zeros fill up the tiles of a picture to `maxNumTiles` and the tokens of a tile to a multiple of 8. As in the
 * reference, only pairs of two such fillers do not see each other: real tokens see them.
 *
 * One run of its graph takes any number of pictures: `pixel_values` `[pictures, maxNumTiles, channels, side, side]`,
 * `aspect_ratio_ids` `[pictures]`, `aspect_ratio_mask` `[pictures, maxNumTiles]`, 1 for tiles that exist. `prepare`
 * makes one run for each picture of the reference's tensors.
 *
 * @param config preset name or full configuration
 * @returns encoder with features `[pictures * maxNumTiles, (imageSize / patchSize)² + 1, hiddenSize * (1 + number of
 *   intermediate layers)]`, the class token first
 */
export function mllamaVision(
  config: keyof typeof mllamaVisionPresets | MllamaVisionConfig,
  { capture = 'before' }: MllamaVisionOptions = {},
): VisionEncoder {
  const c = resolvePreset<MllamaVisionConfig>('encoder-mllama', mllamaVisionPresets, config);
  checkConfig(mllamaVisionPart, { ...c, capture });
  const beyond = c.intermediateLayersIndices.find((index) => index >= c.numHiddenLayers);
  if (beyond !== undefined)
    throw new ConfigError({
      message: `encoder-mllama: intermediateLayersIndices has layer ${beyond}, but there are ${c.numHiddenLayers}.`,
      hint: 'Layers count from 0.',
    });
  const { hiddenSize, maxNumTiles: tiles } = c;
  const tokens = Math.floor(c.imageSize / c.patchSize) ** 2 + 1;
  const padded = Math.ceil(tokens / alignment) * alignment;
  const layer = (isGated: boolean) => visionLayer(c, isGated);
  const types = {
    pixel_values: {
      dtype: 'float32' as const,
      shape: ['pictures', tiles, c.numChannels, c.imageSize, c.imageSize],
    },
    aspect_ratio_ids: { dtype: 'int64' as const, shape: ['pictures'] },
    aspect_ratio_mask: { dtype: 'int64' as const, shape: ['pictures', tiles] },
  };

  return module(
    'MllamaVisionTower',
    {
      class_embedding: new Parameter([hiddenSize]),
      patch_embedding: patchEmbedding({ ...c, layerNormEps: c.normEps }, { bias: false }),
      gated_positional_embedding: positionTable(c, tokens),
      pre_tile_positional_embedding: tileTable(c),
      post_tile_positional_embedding: tileTable(c),
      layernorm_pre: layerNorm(hiddenSize, outerEps),
      layernorm_post: layerNorm(hiddenSize, outerEps),
      transformer: { layers: repeat(c.numHiddenLayers, () => layer(false)) },
      global_transformer: { layers: repeat(c.numGlobalLayers, () => layer(true)) },
    },
    {
      encode: (m, inputs: Readonly<Record<string, Value>>) => {
        const [pixels, ids, mask] = [
          inputs['pixel_values']!,
          inputs['aspect_ratio_ids']!,
          inputs['aspect_ratio_mask']!,
        ];
        const pictures = pixels.shape[0]!;
        for (const [name, { shape }] of Object.entries(types))
          requireShape(name, inputs[name]!, [pictures, ...shape.slice(1)]);
        const split = (x: Value, length: number, size = hiddenSize): Value =>
          reshape(x, [pictures, tiles, length, size]);
        const join = (x: Value): Value => reshape(x, [pictures, tiles * padded, hiddenSize]);

        const patches = m.patch_embedding(reshape(pixels, [-1, ...pixels.shape.slice(2)]));
        const placed = m.pre_tile_positional_embedding(split(patches, tokens - 1), ids);
        const classRow = expand(reshape(m.class_embedding, [1, 1, 1, hiddenSize]), [
          pictures,
          tiles,
          1,
          hiddenSize,
        ]);
        const embedded = m.layernorm_pre(m.gated_positional_embedding(concat([classRow, placed], 2), ids));
        const bias = fillerBias(mask, [tokens, padded]);

        const stack = m.transformer.layers.map((run) => (x: Value) => run(x, bias));
        const captured = c.intermediateLayersIndices.map((index) =>
          capture === 'before' ? index : index + 1,
        );
        const states = captureLayers(stack, join(pad(embedded, 2, 0, padded - tokens)), [...captured, -1]);
        const middle = m.post_tile_positional_embedding(split(m.layernorm_post(states.at(-1)!), padded), ids);
        const last = m.global_transformer.layers.reduce((x, run) => run(x, bias), join(middle));

        // Of one feature all captured states come one after another.
        const columns = states.slice(0, -1).map((state) => reshape(state, [...state.shape, 1]));
        const joined =
          columns.length > 0
            ? concat(
                [last, reshape(concat(columns, 3), [pictures, tiles * padded, hiddenSize * columns.length])],
                2,
              )
            : last;
        const size = hiddenSize * (1 + columns.length);
        const kept = slice(split(joined, padded, size), 2, 0, tokens);
        return { hiddenStates: reshape(kept, [-1, tokens, size]), grid: [1, tokens] as const };
      },
    },
    {
      facts: () => ({
        id: 'encoder-mllama',
        source,
        config: { ...c, capture },
        hiddenSize: hiddenSize * (1 + c.intermediateLayersIndices.length),
        grid: [1, tokens] as const,
        pixels: {
          patchSize: c.patchSize,
          tileSize: c.imageSize,
          maxTiles: tiles,
          canvases: c.supportedAspectRatios,
        },
        inputs: types,
        prepare: (given: Parameters<NonNullable<VisionEncoder['prepare']>>[0]) =>
          prepareRuns(given, c, tokens),
      }),
    },
  );
}

function requireShape(name: string, { shape }: Value, expected: Shape): void {
  if (!sameShape(shape, expected))
    throw new ShapeError({
      message: `${name} is ${printShape(shape)}, expected ${printShape(expected)}.`,
      where: currentPath() || undefined,
    });
}

/**
 * `[pictures, 1, S, S]`, S all tokens of a picture with their fillers: the most negative float where both are fillers.
 *
 * @param mask int64 `[pictures, tiles]`
 */
function fillerBias(mask: Value, [tokens, padded]: readonly [number, number]): Value {
  const [pictures, tiles] = dimsOf(mask, 2);
  const length = multiplyDims(tiles, padded);
  const exists = expand(reshape(cast(mask, 'float32'), [pictures, tiles, 1]), [pictures, tiles, tokens]);
  const filler = reshape(sub(1, pad(exists, 2, 0, padded - tokens)), [pictures, length, 1]);
  const bias = mul(matmul(filler, filler, { transposeB: true }), constant(mostNegative, 'float32'));
  return reshape(bias, [pictures, 1, length, length]);
}

type TableModule = AnyModule & ((x: Value, aspectRatioIds: Value) => Value);

/** Adds a vector for each tile, by aspect ratio: `[pictures, tiles, P, D]`. Row 0 is that of missing pictures. */
const tileTable = ({ supportedAspectRatios, maxNumTiles, hiddenSize }: MllamaVisionConfig): TableModule =>
  module(
    'TileTable',
    {
      embedding: { weight: new Parameter([supportedAspectRatios.length + 1, maxNumTiles * hiddenSize]) },
      gate: gateParameter(),
    },
    ({ embedding, gate }, x: Value, ids: Value) =>
      add(
        x,
        mul(reshape(gather(embedding.weight, ids), [x.shape[0]!, maxNumTiles, 1, hiddenSize]), tanh(gate)),
      ),
  );

/** Adds positions within the tile, and within the picture by aspect ratio; the gate weighs one against the other. */
const positionTable = (
  { supportedAspectRatios, maxNumTiles, hiddenSize }: MllamaVisionConfig,
  tokens: number,
): TableModule =>
  module(
    'PositionTable',
    {
      gate: gateParameter(),
      embedding: new Parameter([tokens, hiddenSize]),
      tile_embedding: {
        weight: new Parameter([supportedAspectRatios.length + 1, maxNumTiles * tokens * hiddenSize]),
      },
    },
    ({ gate, embedding, tile_embedding }, x: Value, ids: Value) => {
      const own = mul(embedding, sub(1, tanh(gate)));
      const byRatio = reshape(gather(tile_embedding.weight, ids), [
        x.shape[0]!,
        maxNumTiles,
        tokens,
        hiddenSize,
      ]);
      return add(add(x, own), mul(byRatio, tanh(gate)));
    },
  );

const gateParameter = (kind: 'zeros' | 'ones' = 'zeros'): Parameter => new Parameter([1], { kind });

type LayerModule = AnyModule & ((x: Value, bias: Value) => Value);

/** Pre-norm layer, `[B, S, D]` to `[B, S, D]`; in the second stack gates weigh what it adds. */
const visionLayer = (c: MllamaVisionConfig, isGated: boolean): LayerModule =>
  module(
    'MllamaVisionLayer',
    {
      self_attn: visionAttention(c),
      mlp: mlp(c),
      input_layernorm: layerNorm(c.hiddenSize, c.normEps),
      post_attention_layernorm: layerNorm(c.hiddenSize, c.normEps),
      gate_attn: isGated ? gateParameter('ones') : null,
      gate_ffn: isGated ? gateParameter('ones') : null,
    },
    (m, x: Value, bias: Value) => {
      const gated = (gate: Value | null, value: Value): Value => (gate ? mul(value, tanh(gate)) : value);
      const h = add(x, gated(m.gate_attn, m.self_attn(m.input_layernorm(x), bias)));
      return add(h, gated(m.gate_ffn, m.mlp(m.post_attention_layernorm(h))));
    },
  );

const visionAttention = (c: MllamaVisionConfig): LayerModule => {
  const projection = () => linear(c.hiddenSize, c.hiddenSize, { bias: false });
  return module(
    'MllamaVisionAttention',
    { q_proj: projection(), k_proj: projection(), v_proj: projection(), o_proj: projection() },
    (m, x: Value, bias: Value) => {
      const [q, k, v] = [m.q_proj(x), m.k_proj(x), m.v_proj(x)].map((t) =>
        splitHeads(t, c.numAttentionHeads),
      );
      return m.o_proj(mergeHeads(attend(q!, k!, v!, { bias })));
    },
  );
};

/** Reads the vision section of a `config.json`; class defaults are those of `MllamaVisionConfig`. */
export function readMllamaVisionConfig(section: Json): MllamaVisionConfig {
  const read = configReader(section, 'vision_config');
  const maxNumTiles = read.number('max_num_tiles', 4);
  return {
    hiddenSize: read.number('hidden_size', 1280),
    intermediateSize: read.number('intermediate_size', 5120),
    numHiddenLayers: read.number('num_hidden_layers', 32),
    numGlobalLayers: read.number('num_global_layers', 8),
    numAttentionHeads: read.number('attention_heads', Number(read.raw('num_attention_heads') ?? 16)),
    numChannels: read.number('num_channels', 3),
    imageSize: read.number('image_size', 448),
    patchSize: read.number('patch_size', 14),
    maxNumTiles,
    supportedAspectRatios: (read.raw('supported_aspect_ratios') ??
      aspectRatiosOf(maxNumTiles)) as MllamaVisionConfig['supportedAspectRatios'],
    intermediateLayersIndices: (read.raw('intermediate_layers_indices') ?? [3, 7, 15, 23, 30]) as number[],
    hiddenAct: readActivation(read, 'gelu'),
    normEps: read.number('norm_eps', 1e-5),
  };
}

/** All arrangements of at most this many tiles, rows in the outer loop, as the reference numbers them. */
export function aspectRatiosOf(maxNumTiles: number): (readonly [rows: number, columns: number])[] {
  const sides = Array.from({ length: maxNumTiles }, (_, i) => i + 1);
  return sides.flatMap((rows) =>
    sides.filter((columns) => rows * columns <= maxNumTiles).map((columns) => [rows, columns] as const),
  );
}

/**
 * The vision section of a `config.json`, which does not say what `capture` says: published models take the states before
 * the layers.
 */
export function mllamaVisionSection(c: MllamaVisionConfig & MllamaVisionOptions): Json | undefined {
  if ((c.capture ?? 'before') !== 'before') return undefined;
  return {
    model_type: 'mllama_vision_model',
    hidden_size: c.hiddenSize,
    intermediate_size: c.intermediateSize,
    num_hidden_layers: c.numHiddenLayers,
    num_global_layers: c.numGlobalLayers,
    attention_heads: c.numAttentionHeads,
    num_channels: c.numChannels,
    image_size: c.imageSize,
    patch_size: c.patchSize,
    max_num_tiles: c.maxNumTiles,
    supported_aspect_ratios: c.supportedAspectRatios,
    intermediate_layers_indices: c.intermediateLayersIndices,
    vision_output_dim: c.hiddenSize * (1 + c.intermediateLayersIndices.length),
    hidden_act: c.hiddenAct,
    norm_eps: c.normEps,
  };
}

/** The vision tower of Llama 3.2 Vision, by its name. */
export const mllamaVisionPart: PartDefinition<'encoder', MllamaVisionConfig & MllamaVisionOptions> = {
  id: 'encoder-mllama',
  kind: 'encoder',
  create: (config) => mllamaVision(checkConfig(mllamaVisionPart, config), config),
  fields: {
    hiddenSize: 'count',
    intermediateSize: 'count',
    numHiddenLayers: 'layers',
    numGlobalLayers: 'layers',
    numAttentionHeads: 'count',
    numChannels: 'count',
    imageSize: 'count',
    patchSize: 'count',
    maxNumTiles: 'count',
    supportedAspectRatios: { list: { list: 'count', length: 2 } },
    intermediateLayersIndices: { list: 'amount' },
    hiddenAct: 'activation',
    normEps: 'positive',
    capture: { optional: { oneOf: ['before', 'after'] } },
  },
  presets: mllamaVisionPresets,
  source,
  types: ['mllama_vision_model'],
  read: readMllamaVisionConfig,
  write: mllamaVisionSection,
};
