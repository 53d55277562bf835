import { ConfigError } from '@weft/errors';
import {
  add,
  attend,
  constant,
  expand,
  gather,
  less,
  maximum,
  module,
  mostNegative,
  multiplyDims,
  repeat,
  reshape,
  rope,
  slice,
  where,
  type AnyModule,
  type Value,
} from '@weft/graph';
import {
  cutPatchEmbedding,
  gatedMlp,
  layerNorm,
  linear,
  mergeHeads,
  mlp,
  patchRotary,
  readActivation,
  rmsNorm,
  ropeFrequencies,
  splitHeads,
  type ActivationName,
  type RotaryAngles,
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

/** Vision transformer of Qwen2-VL or Qwen2.5-VL. */
export interface Qwen2VisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numChannels: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  /** Frames of a patch; a picture is repeated this many times. */
  readonly temporalPatchSize: number;
  /** Side of the blocks of patches that follow one another, and that the connector merges. */
  readonly spatialMergeSize: number;
  readonly hiddenAct: ActivationName;
  readonly ropeTheta: number;
  /** `layer` and `plain` in Qwen2-VL, `rms` and `gated` in Qwen2.5-VL. */
  readonly norm: 'layer' | 'rms';
  readonly mlp: 'plain' | 'gated';
  /** Side of the attention windows, pixels; `null` where every layer sees the whole frame. */
  readonly windowSize: number | null;
  /** Layers that see the whole frame in spite of windows. */
  readonly fullAttentionLayers: readonly number[];
}

const common = {
  hiddenSize: 1280,
  numHiddenLayers: 32,
  numAttentionHeads: 16,
  numChannels: 3,
  patchSize: 14,
  temporalPatchSize: 2,
  spatialMergeSize: 2,
  ropeTheta: 10000,
} as const;

/** The towers of the two generations; all published sizes share them. */
export const qwen2VisionPresets = {
  'qwen2-vl': {
    ...common,
    intermediateSize: 5120,
    hiddenAct: 'quick_gelu',
    norm: 'layer',
    mlp: 'plain',
    windowSize: null,
    fullAttentionLayers: [],
  },
  'qwen2.5-vl': {
    ...common,
    intermediateSize: 3420,
    hiddenAct: 'silu',
    norm: 'rms',
    mlp: 'gated',
    windowSize: 112,
    fullAttentionLayers: [7, 15, 23, 31],
  },
} as const satisfies Record<string, Qwen2VisionConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2409.12191',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/qwen2_vl/modeling_qwen2_vl.py',
};

/** The reference has it in its code, not in its configuration. */
const eps = 1e-6;

/** Which patches see one another. */
interface Neighbourhood extends RotaryAngles {
  /** Channels of patches `[F, P, C]` by neighbourhood, `[N, S, C]`. */
  readonly divide: (x: Value) => Value;
  readonly join: (x: Value) => Value;
  /** `[N, 1, S, S]`, for neighbourhoods that have empty slots. */
  readonly bias?: Value;
}

/**
 * Qwen2-VL's vision tower: a transformer for pictures of any size and for videos, with rotary positions by row and
 * column. Two frames make one patch; frames do not see one another. In Qwen2.5-VL most layers see windows only.
 *
 * One run of its graph takes one picture or video: `patches` `[frames, patches, channels * time * size²]`, block
 * after block, and `positions` `[2, patches]`; with windows also the patches of each (`windows` `[windows, slots]`,
 * -1 for none) and the slot of each patch (`window_slots`). `prepare` makes them of the reference's tensors.
 *
 * @param config preset name or full configuration
 * @throws ConfigError if a window is smaller than a block, or heads do not divide the width
 * @returns encoder with features `[frames, patches, hiddenSize]` in blocks of `spatialMergeSize²`
 */
export function qwen2Vision(config: keyof typeof qwen2VisionPresets | Qwen2VisionConfig): VisionEncoder {
  const c = resolvePreset<Qwen2VisionConfig>('encoder-qwen2-vl', qwen2VisionPresets, config);
  checkConfig(qwen2VisionPart, c);
  if (c.hiddenSize % c.numAttentionHeads !== 0)
    throw new ConfigError({
      message: `${c.numAttentionHeads} heads do not divide ${c.hiddenSize} channels.`,
      where: 'encoder-qwen2-vl',
      hint: 'The width (embed_dim, or hidden_size of Qwen2.5-VL) must be a multiple of num_heads.',
    });
  const kernel = [c.numChannels, c.temporalPatchSize, c.patchSize, c.patchSize];
  const patchLength = kernel.reduce((product, size) => product * size);
  const block = c.spatialMergeSize ** 2;
  const patches = multiplyDims(block, 'blocks');
  const types = {
    patches: { dtype: 'float32' as const, shape: ['frames', patches, patchLength] },
    positions: { dtype: 'int64' as const, shape: [2, patches] },
    ...(c.windowSize === null
      ? {}
      : {
          windows: { dtype: 'int64' as const, shape: ['windows', 'slots'] },
          window_slots: { dtype: 'int64' as const, shape: [patches] },
        }),
  };
  const windowSide =
    c.windowSize === null ? null : Math.floor(c.windowSize / (c.patchSize * c.spatialMergeSize));
  if (windowSide === 0)
    throw new ConfigError({
      message: `Windows of ${c.windowSize} pixels are smaller than a block of ${c.spatialMergeSize} x ${c.spatialMergeSize} patches of ${c.patchSize} pixels.`,
      where: 'encoder-qwen2-vl',
      hint: 'Windows need a side of one block at least; null stands for no windows.',
    });

  return module(
    'Qwen2VisionTower',
    {
      patch_embed: { proj: cutPatchEmbedding(c.hiddenSize, kernel) },
      blocks: repeat(c.numHiddenLayers, () => visionBlock(c)),
    },
    {
      encode: ({ patch_embed, blocks }, inputs: Readonly<Record<string, Value>>) => {
        const x = patch_embed.proj(inputs['patches']!);
        const whole = wholeFrames(x, inputs['positions']!, c);
        const windows = inputs['windows'] && divided(whole, x, inputs['windows'], inputs['window_slots']!);
        const hiddenStates = blocks.reduce(
          (states, layer, i) =>
            layer(states, windows && !c.fullAttentionLayers.includes(i) ? windows : whole),
          x,
        );
        return { hiddenStates, grid: null, blockSize: c.spatialMergeSize };
      },
    },
    {
      facts: () => ({
        id: 'encoder-qwen2-vl',
        source,
        config: c as unknown as Json,
        hiddenSize: c.hiddenSize,
        grid: null,
        pixels: {
          patchSize: c.patchSize,
          mergeSize: c.spatialMergeSize,
          temporalPatchSize: c.temporalPatchSize,
        },
        inputs: types,
        prepare: (given: Parameters<NonNullable<VisionEncoder['prepare']>>[0]) =>
          prepareRuns(given, { patchLength, mergeSize: c.spatialMergeSize, windowSide }),
      }),
    },
  ) as unknown as VisionEncoder;
}

/** All patches of a frame see one another. */
function wholeFrames(x: Value, positions: Value, c: Qwen2VisionConfig): Neighbourhood {
  // Rows and columns turn with the same frequencies, each half of the channels.
  const frequencies = ropeFrequencies({
    ropeTheta: c.ropeTheta,
    rotaryDim: c.hiddenSize / c.numAttentionHeads / 2,
  });
  const same = (value: Value): Value => value;
  return {
    ...patchRotary(positions, x.shape[0]!, { rows: frequencies, columns: frequencies }),
    divide: same,
    join: same,
  };
}

/** The patches of a window see one another. */
function divided({ cos, sin }: Neighbourhood, x: Value, windows: Value, slots: Value): Neighbourhood {
  const [frames] = x.shape;
  const [count, length] = windows.shape;
  const all = multiplyDims(frames!, count!);
  const chosen = maximum(windows, 0);
  const divide = (value: Value): Value => reshape(gather(value, chosen, 1), [all, length!, value.shape[2]!]);
  const join = (value: Value): Value =>
    gather(reshape(value, [frames!, multiplyDims(count!, length!), value.shape[2]!]), slots, 1);
  const empty = where(less(windows, 0), constant(mostNegative, 'float32'), constant(0, 'float32'));
  const bias = expand(reshape(empty, [1, count!, 1, 1, length!]), [frames!, count!, 1, length!, length!]);
  return {
    cos: divide(cos),
    sin: divide(sin),
    divide,
    join,
    bias: reshape(bias, [all, 1, length!, length!]),
  };
}

type VisionLayer = AnyModule & ((x: Value, neighbourhood: Neighbourhood) => Value);

const visionBlock = (c: Qwen2VisionConfig): VisionLayer => {
  const norm = c.norm === 'rms' ? rmsNorm : layerNorm;
  return module(
    'Qwen2VisionBlock',
    {
      norm1: norm(c.hiddenSize, eps),
      norm2: norm(c.hiddenSize, eps),
      attn: visionAttention(c),
      mlp: c.mlp === 'gated' ? gatedMlp({ ...c, mlpBias: true }) : mlp(c),
    },
    (m, x: Value, neighbourhood: Neighbourhood) => {
      const h = add(x, m.attn(m.norm1(x), neighbourhood));
      return add(h, m.mlp(m.norm2(h)));
    },
  );
};

const visionAttention = (c: Qwen2VisionConfig): VisionLayer =>
  module(
    'Qwen2VisionAttention',
    { qkv: linear(c.hiddenSize, 3 * c.hiddenSize), proj: linear(c.hiddenSize, c.hiddenSize) },
    (m, x: Value, { cos, sin, divide, join, bias }: Neighbourhood) => {
      const qkv = divide(m.qkv(x));
      const [q, k, v] = [0, 1, 2].map((i) =>
        splitHeads(slice(qkv, 2, i * c.hiddenSize, (i + 1) * c.hiddenSize), c.numAttentionHeads),
      );
      return m.proj(join(mergeHeads(attend(rope(q!, cos, sin), rope(k!, cos, sin), v!, { bias }))));
    },
  );

/** What both generations read alike from the vision section of a `config.json`. */
function readCommon(section: Json) {
  const read = configReader(section, 'vision_config');
  const rope = (read.raw('rope_parameters') ?? {}) as Json;
  return {
    read,
    shared: {
      numHiddenLayers: read.number('depth', 32),
      numAttentionHeads: read.number('num_heads', 16),
      // Published files say `in_chans`.
      numChannels: read.number('in_channels', Number(read.raw('in_chans') ?? 3)),
      patchSize: read.number('patch_size', 14),
      temporalPatchSize: read.number('temporal_patch_size', 2),
      spatialMergeSize: read.number('spatial_merge_size', 2),
      ropeTheta: configReader(rope, 'vision_config.rope_parameters').number('rope_theta', 10000),
    },
  };
}

/** Reads the vision section of a `config.json` of model type `qwen2_vl`; class defaults are those of transformers. */
export function readQwen2VisionConfig(section: Json): Qwen2VisionConfig {
  const { read, shared } = readCommon(section);
  const hiddenSize = read.number('embed_dim', 1280);
  return {
    ...shared,
    hiddenSize,
    intermediateSize: Math.trunc(hiddenSize * read.number('mlp_ratio', 4)),
    hiddenAct: readActivation(read, 'quick_gelu'),
    norm: 'layer',
    mlp: 'plain',
    windowSize: null,
    fullAttentionLayers: [],
  };
}

/** Reads the vision section of a `config.json` of model type `qwen2_5_vl`; class defaults are those of transformers. */
export function readQwen25VisionConfig(section: Json): Qwen2VisionConfig {
  const { read, shared } = readCommon(section);
  return {
    ...shared,
    hiddenSize: read.number('hidden_size', 3584),
    intermediateSize: read.number('intermediate_size', 3420),
    hiddenAct: readActivation(read, 'silu'),
    norm: 'rms',
    mlp: 'gated',
    windowSize: read.number('window_size', 112),
    fullAttentionLayers: (read.raw('fullatt_block_indexes') ?? [7, 15, 23, 31]) as number[],
  };
}

/**
 * The vision section of a `config.json` of the generation that has these norms, MLPs and windows, or `undefined` if
 * neither has.
 */
export function qwen2VisionSection(c: Qwen2VisionConfig): Json | undefined {
  const shared = {
    depth: c.numHiddenLayers,
    num_heads: c.numAttentionHeads,
    in_channels: c.numChannels,
    patch_size: c.patchSize,
    temporal_patch_size: c.temporalPatchSize,
    spatial_merge_size: c.spatialMergeSize,
    hidden_act: c.hiddenAct,
    rope_parameters: { rope_type: 'axial', rope_theta: c.ropeTheta },
  };
  const { norm, mlp: form, windowSize, fullAttentionLayers, hiddenSize, intermediateSize } = c;
  if (norm === 'rms' && form === 'gated' && windowSize !== null)
    return {
      model_type: 'qwen2_5_vl_vision',
      ...shared,
      hidden_size: hiddenSize,
      intermediate_size: intermediateSize,
      window_size: windowSize,
      fullatt_block_indexes: fullAttentionLayers,
    };
  const isFirst =
    norm === 'layer' && form === 'plain' && windowSize === null && fullAttentionLayers.length === 0;
  // Readers truncate the product, which rounding may leave just below the whole number.
  const ratio = intermediateSize / hiddenSize;
  const isExact = Math.trunc(hiddenSize * ratio) === intermediateSize;
  if (!isFirst) return undefined;
  return {
    model_type: 'qwen2_vl_vision',
    ...shared,
    embed_dim: hiddenSize,
    mlp_ratio: isExact ? ratio : (intermediateSize + 0.5) / hiddenSize,
  };
}

/** The vision towers of Qwen2-VL and Qwen2.5-VL, by their name. */
export const qwen2VisionPart: PartDefinition<'encoder', Qwen2VisionConfig> = {
  id: 'encoder-qwen2-vl',
  kind: 'encoder',
  create: (config) => qwen2Vision(config),
  fields: {
    hiddenSize: 'count',
    intermediateSize: 'count',
    numHiddenLayers: 'layers',
    numAttentionHeads: 'count',
    numChannels: 'count',
    patchSize: 'count',
    temporalPatchSize: 'count',
    spatialMergeSize: 'count',
    hiddenAct: 'activation',
    ropeTheta: 'positive',
    norm: { oneOf: ['layer', 'rms'] },
    mlp: { oneOf: ['plain', 'gated'] },
    windowSize: { nullable: 'count' },
    fullAttentionLayers: { list: 'amount' },
  },
  presets: qwen2VisionPresets,
  source,
  types: ['qwen2_vl_vision', 'qwen2_5_vl_vision'],
  read: (section) =>
    section['model_type'] === 'qwen2_5_vl_vision'
      ? readQwen25VisionConfig(section)
      : readQwen2VisionConfig(section),
  write: qwen2VisionSection,
};
