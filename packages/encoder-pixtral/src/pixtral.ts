import { add, attend, concat, module, repeat, rope, type AnyModule, type Value } from '@weft/graph';
import {
  captureLayers,
  cutPatchEmbedding,
  gatedMlp,
  isLastLayer,
  linear,
  mergeHeads,
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

export interface PixtralVisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numChannels: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  /** Longest side of a picture, pixels; the processor shrinks larger ones to it. */
  readonly imageSize: number;
  readonly hiddenAct: ActivationName;
  readonly ropeTheta: number;
}

/** Published sizes. */
export const pixtralVisionPresets = {
  'pixtral-12b': {
    hiddenSize: 1024,
    intermediateSize: 4096,
    numHiddenLayers: 24,
    numAttentionHeads: 16,
    numChannels: 3,
    patchSize: 16,
    imageSize: 1024,
    hiddenAct: 'silu',
    ropeTheta: 10000,
  },
} as const satisfies Record<string, PixtralVisionConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2410.07073',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/pixtral/modeling_pixtral.py',
};

/** The reference has it in its code, not in its configuration. */
const eps = 1e-5;

export interface PixtralVisionOptions {
  /**
   * States to return, joined along the channels: 0 is the embedding, `i + 1` the output of layer `i`, negative
   * numbers count from the end. Default -1.
   */
  readonly featureLayers?: readonly number[];
  /** Whether neighbouring channels turn together (`2j`, `2j + 1`), as in Mistral's own checkpoints. Default false. */
  readonly ropeInterleaved?: boolean;
}

/**
 * Pixtral's vision tower: a transformer for pictures of any size, with rotary positions by row and column, no class
 * token and no last norm.
 *
 * One run of its graph takes pictures of one size: `patches` `[tiles, patches, channels * size²]` and `positions`
 * `[2, patches]`. `prepare` makes them of the reference's padded batch, one run for each picture.
 *
 * @param config preset name or full configuration
 * @returns encoder with features `[tiles, patches, hiddenSize * featureLayers.length]`
 */
export function pixtralVision(
  config: keyof typeof pixtralVisionPresets | PixtralVisionConfig,
  options: PixtralVisionOptions = {},
): VisionEncoder {
  const c = resolvePreset<PixtralVisionConfig>('encoder-pixtral', pixtralVisionPresets, config);
  checkConfig(pixtralVisionPart, { ...c, ...options });
  const { featureLayers = [-1], ropeInterleaved = false } = options;
  const kernel = [c.numChannels, c.patchSize, c.patchSize];
  return module(
    'PixtralVisionTower',
    {
      patch_conv: cutPatchEmbedding(c.hiddenSize, kernel),
      ln_pre: rmsNorm(c.hiddenSize, eps),
      transformer: { layers: repeat(c.numHiddenLayers, () => visionLayer(c, ropeInterleaved)) },
    },
    {
      encode: (
        { patch_conv, ln_pre, transformer },
        { patches, positions }: Readonly<Record<string, Value>>,
      ) => {
        const x = ln_pre(patch_conv(patches!));
        const angles = anglesOf(x, positions!, c);
        const layers = transformer.layers.map((layer) => (states: Value) => layer(states, angles));
        return { hiddenStates: concat(captureLayers(layers, x, featureLayers), 2), grid: null };
      },
    },
    {
      facts: () => ({
        id: 'encoder-pixtral',
        source,
        config: { ...c, featureLayers, ropeInterleaved } as Json,
        ropeInterleaved,
        hiddenSize: c.hiddenSize * featureLayers.length,
        grid: null,
        pixels: { patchSize: c.patchSize },
        inputs: {
          patches: {
            dtype: 'float32' as const,
            shape: ['tiles', 'patches', c.numChannels * c.patchSize ** 2],
          },
          positions: { dtype: 'int64' as const, shape: [2, 'patches'] },
        },
        prepare: (given: Parameters<NonNullable<VisionEncoder['prepare']>>[0]) =>
          prepareRuns(given, c.numChannels, c.patchSize),
      }),
    },
  ) as unknown as VisionEncoder;
}

/** Of a head's frequencies, those with even numbers turn with the row, the others with the column. */
function anglesOf(x: Value, positions: Value, c: PixtralVisionConfig): RotaryAngles {
  const all = ropeFrequencies({ ropeTheta: c.ropeTheta, rotaryDim: c.hiddenSize / c.numAttentionHeads });
  const [rows, columns] = [0, 1].map((rest) => all.filter((_, i) => i % 2 === rest)) as [
    Float32Array,
    Float32Array,
  ];
  return patchRotary(positions, x.shape[0]!, { rows, columns });
}

type VisionLayer = AnyModule & ((x: Value, angles: RotaryAngles) => Value);

const visionLayer = (c: PixtralVisionConfig, interleaved: boolean): VisionLayer =>
  module(
    'PixtralVisionLayer',
    {
      attention_norm: rmsNorm(c.hiddenSize, eps),
      attention: visionAttention(c, interleaved),
      ffn_norm: rmsNorm(c.hiddenSize, eps),
      feed_forward: gatedMlp(c),
    },
    (m, x: Value, angles: RotaryAngles) => {
      const h = add(x, m.attention(m.attention_norm(x), angles));
      return add(h, m.feed_forward(m.ffn_norm(h)));
    },
  );

const visionAttention = (c: PixtralVisionConfig, interleaved: boolean): VisionLayer => {
  const projection = () => linear(c.hiddenSize, c.hiddenSize, { bias: false });
  return module(
    'PixtralVisionAttention',
    { q_proj: projection(), k_proj: projection(), v_proj: projection(), o_proj: projection() },
    (m, x: Value, { cos, sin }: RotaryAngles) => {
      const [q, k, v] = [m.q_proj(x), m.k_proj(x), m.v_proj(x)].map((t) =>
        splitHeads(t, c.numAttentionHeads),
      );
      const turn = (t: Value): Value => rope(t, cos, sin, { interleaved });
      return m.o_proj(mergeHeads(attend(turn(q!), turn(k!), v!)));
    },
  );
};

/** Reads the vision section of a `config.json` of model type `pixtral`; class defaults are those of transformers. */
export function readPixtralVisionConfig(section: Json): PixtralVisionConfig {
  const read = configReader(section, 'vision_config');
  const rope = (read.raw('rope_parameters') ?? {}) as Json;
  return {
    hiddenSize: read.number('hidden_size', 1024),
    intermediateSize: read.number('intermediate_size', 4096),
    numHiddenLayers: read.number('num_hidden_layers', 24),
    numAttentionHeads: read.number('num_attention_heads', 16),
    numChannels: read.number('num_channels', 3),
    patchSize: read.number('patch_size', 16),
    imageSize: read.number('image_size', 1024),
    hiddenAct: readActivation(read, 'gelu'),
    ropeTheta: configReader(rope, 'vision_config.rope_parameters').number(
      'rope_theta',
      Number(read.raw('rope_theta') ?? 10000),
    ),
  };
}

/** The vision section of a `config.json`, or `undefined` for a tower that is read in another way than `PixtralVisionModel`. */
export function pixtralVisionSection(c: PixtralVisionConfig & PixtralVisionOptions): Json | undefined {
  if (!isLastLayer(c.featureLayers) || c.ropeInterleaved) return undefined;
  return {
    model_type: 'pixtral',
    hidden_size: c.hiddenSize,
    intermediate_size: c.intermediateSize,
    num_hidden_layers: c.numHiddenLayers,
    num_attention_heads: c.numAttentionHeads,
    head_dim: c.hiddenSize / c.numAttentionHeads,
    num_channels: c.numChannels,
    patch_size: c.patchSize,
    image_size: c.imageSize,
    hidden_act: c.hiddenAct,
    rope_parameters: { rope_type: 'axial', rope_theta: c.ropeTheta },
  };
}

/** Pixtral's vision tower, by its name. */
export const pixtralVisionPart: PartDefinition<'encoder', PixtralVisionConfig & PixtralVisionOptions> = {
  id: 'encoder-pixtral',
  kind: 'encoder',
  create: (config) => pixtralVision(config, config),
  fields: {
    hiddenSize: 'count',
    intermediateSize: 'count',
    numHiddenLayers: 'layers',
    numAttentionHeads: 'count',
    numChannels: 'count',
    patchSize: 'count',
    imageSize: 'count',
    hiddenAct: 'activation',
    ropeTheta: 'positive',
    featureLayers: { optional: { list: 'whole' } },
    ropeInterleaved: { optional: 'flag' },
  },
  presets: pixtralVisionPresets,
  source,
  types: ['pixtral'],
  read: readPixtralVisionConfig,
  write: pixtralVisionSection,
};
