import { ConfigError } from '@weft/errors';
import {
  add,
  attend,
  concat,
  expand,
  module,
  mul,
  Parameter,
  repeat,
  silu,
  slice,
  type AnyModule,
  type Value,
} from '@weft/graph';
import {
  captureLayers,
  isLastLayer,
  layerNorm,
  linear,
  mergeHeads,
  mlp,
  patchEmbedding,
  readActivation,
  splitHeads,
  type VisionTransformerConfig,
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
import { resizeTable } from './resize-table.js';

/** Sizes of DINOv2; names as in `config.json`. */
export interface DinoConfig extends Omit<VisionTransformerConfig, 'intermediateSize'> {
  /** Width of the feed-forward network, in widths of the model. */
  readonly mlpRatio: number;
  /** Whether it is gated, as in the giant; it then has about two thirds of the width, and SiLU for its activation. */
  readonly useSwigluFfn: boolean;
  /** Biases of q, k and v. */
  readonly qkvBias: boolean;
  /** Learnt tokens between the class token and the patches, where the model keeps what belongs to no patch. */
  readonly numRegisterTokens: number;
  /** Whether the checkpoint holds the vector that masked patches had in training. */
  readonly useMaskToken: boolean;
  /** Whether the table of positions is smoothed when it is made smaller, as in the models with registers. */
  readonly antialias: boolean;
}

const plain = {
  mlpRatio: 4,
  useSwigluFfn: false,
  numChannels: 3,
  imageSize: 518,
  patchSize: 14,
  hiddenAct: 'gelu',
  layerNormEps: 1e-6,
  qkvBias: true,
  numRegisterTokens: 0,
  useMaskToken: true,
  antialias: false,
} as const;
const withRegisters = { ...plain, numRegisterTokens: 4, antialias: true } as const;
const small = { hiddenSize: 384, numHiddenLayers: 12, numAttentionHeads: 6 } as const;
const base = { hiddenSize: 768, numHiddenLayers: 12, numAttentionHeads: 12 } as const;
const large = { hiddenSize: 1024, numHiddenLayers: 24, numAttentionHeads: 16 } as const;
const giant = { hiddenSize: 1536, numHiddenLayers: 40, numAttentionHeads: 24, useSwigluFfn: true } as const;

/** Published sizes. */
export const dinoPresets = {
  'v2-small': { ...plain, ...small },
  'v2-base': { ...plain, ...base },
  'v2-large': { ...plain, ...large },
  'v2-giant': { ...plain, ...giant },
  'v2-with-registers-small': { ...withRegisters, ...small },
  'v2-with-registers-base': { ...withRegisters, ...base },
  'v2-with-registers-large': { ...withRegisters, ...large },
  'v2-with-registers-giant': { ...withRegisters, ...giant },
} as const satisfies Record<string, DinoConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2304.07193',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/dinov2/modeling_dinov2.py',
};

export interface DinoOptions {
  /**
   * States to return, joined along the channels: 0 is the embedding, `i + 1` the output of layer `i`, negative
   * numbers count from the end. Default -1.
   */
  readonly featureLayers?: readonly number[];
  /** Whether the class token's state comes before those of the patches. Default `drop`. */
  readonly classToken?: 'drop' | 'keep';
  /**
   * Whether the features pass `layernorm`, as DINOv2 is used alone (`last_hidden_state`); LLaVA-like models read
   * `hidden_states`, before it. Default false.
   */
  readonly postNorm?: boolean;
  /**
   * Side of the square input when it differs from the size of the position table, pixels. The table is then resized to
   * its grid of patches by bicubic interpolation. Default: the config's `imageSize`.
   */
  readonly inputSize?: number;
}

/**
 * DINOv2 (Oquab et al. 2023): a vision transformer that learnt from pictures alone, without captions. Learnt factors
 * weigh every channel of what a layer adds. Register tokens (Darcet et al. 2023), where there are any, take part in
 * attention and are left out of the features.
 *
 * `embeddings.mask_token` stood for hidden patches in training; no feature passes it.
 *
 * @param config preset name or full configuration
 * @returns encoder with features `[numTiles, floor(inputSize / patchSize)², hiddenSize * featureLayers.length]`; with
 *   the class token kept, one row of `floor(inputSize / patchSize)² + 1`
 */
export function dino(
  config: keyof typeof dinoPresets | DinoConfig,
  options: DinoOptions = {},
): VisionEncoder {
  const c = resolvePreset<DinoConfig>('encoder-dino', dinoPresets, config);
  checkConfig(dinoPart, { ...c, ...options });
  const { featureLayers = [-1], classToken = 'drop', postNorm = false, inputSize = c.imageSize } = options;
  const tableSide = Math.floor(c.imageSize / c.patchSize);
  const side = Math.floor(inputSize / c.patchSize);
  const patches = side * side;
  const first = 1 + c.numRegisterTokens;
  const grid = classToken === 'keep' ? ([1, patches + 1] as const) : ([side, side] as const);
  const token = (...shape: number[]): Parameter => new Parameter([...shape, c.hiddenSize]);

  return module(
    'DinoVisionTower',
    {
      embeddings: {
        cls_token: token(1, 1),
        mask_token: c.useMaskToken ? token(1) : null,
        register_tokens: c.numRegisterTokens > 0 ? token(1, c.numRegisterTokens) : null,
        position_embeddings: token(1, tableSide * tableSide + 1),
        patch_embeddings: { projection: patchEmbedding(withWidth(c), { bias: true }) },
      },
      encoder: { layer: repeat(c.numHiddenLayers, () => dinoLayer(c)) },
      layernorm: layerNorm(c.hiddenSize, c.layerNormEps),
    },
    {
      encode: ({ embeddings, encoder, layernorm }, { pixel_values }: Readonly<Record<string, Value>>) => {
        const x = embeddings.patch_embeddings.projection(pixel_values!);
        const forEach = (row: Value): Value => expand(row, [x.shape[0]!, ...row.shape.slice(1)]);
        const table = embeddings.position_embeddings;
        const classRow = add(embeddings.cls_token, slice(table, 1, 0, 1));
        const positions = resizeTable(slice(table, 1, 1, table.shape[1]!), {
          from: tableSide,
          to: side,
          antialias: c.antialias,
        });
        // Registers have no position.
        const registers = embeddings.register_tokens ? [forEach(embeddings.register_tokens)] : [];
        const tokens = concat([forEach(classRow), ...registers, add(x, positions)], 1);
        const states = captureLayers(encoder.layer, tokens, featureLayers);
        const all = concat(postNorm ? states.map(layernorm) : states, 2);
        const rows = slice(all, 1, first, first + patches);
        return {
          hiddenStates: classToken === 'keep' ? concat([slice(all, 1, 0, 1), rows], 1) : rows,
          grid,
        };
      },
    },
    {
      facts: () => ({
        id: 'encoder-dino',
        source,
        config: { ...c, featureLayers, classToken, postNorm, inputSize },
        hiddenSize: c.hiddenSize * featureLayers.length,
        grid,
        pixels: { patchSize: c.patchSize, tileSize: inputSize },
        inputs: {
          pixel_values: { dtype: 'float32' as const, shape: ['tiles', c.numChannels, inputSize, inputSize] },
        },
      }),
    },
  );
}

const withWidth = (c: DinoConfig): VisionTransformerConfig => ({
  ...c,
  intermediateSize: Math.trunc(c.hiddenSize * c.mlpRatio),
});

type Layer = AnyModule & ((x: Value) => Value);

/** Pre-norm block, `[T, P, D]` to `[T, P, D]`. */
const dinoLayer = (c: DinoConfig): Layer => {
  const scale = () => ({ lambda1: new Parameter([c.hiddenSize], { kind: 'ones' }) });
  return module(
    'DinoLayer',
    {
      norm1: layerNorm(c.hiddenSize, c.layerNormEps),
      attention: dinoAttention(c),
      layer_scale1: scale(),
      norm2: layerNorm(c.hiddenSize, c.layerNormEps),
      mlp: c.useSwigluFfn ? swiglu(c) : mlp(withWidth(c)),
      layer_scale2: scale(),
    },
    (m, x: Value) => {
      const h = add(x, mul(m.attention(m.norm1(x)), m.layer_scale1.lambda1));
      return add(h, mul(m.mlp(m.norm2(h)), m.layer_scale2.lambda1));
    },
  );
};

const dinoAttention = (c: DinoConfig): Layer => {
  const projection = () => linear(c.hiddenSize, c.hiddenSize, { bias: c.qkvBias });
  return module(
    'DinoAttention',
    {
      attention: { query: projection(), key: projection(), value: projection() },
      output: { dense: linear(c.hiddenSize, c.hiddenSize) },
    },
    ({ attention, output }, x: Value) => {
      const [q, k, v] = [attention.query(x), attention.key(x), attention.value(x)].map((t) =>
        splitHeads(t, c.numAttentionHeads),
      );
      return output.dense(mergeHeads(attend(q!, k!, v!)));
    },
  );
};

/** `out(silu(gate(x)) * up(x))`; gate and up are the halves of one matrix. */
const swiglu = (c: DinoConfig): Layer => {
  // Two thirds of the width, so that three matrices weigh as much as two; rounded up to a multiple of 8.
  const width = Math.ceil(Math.trunc((Math.trunc(c.hiddenSize * c.mlpRatio) * 2) / 3) / 8) * 8;
  return module(
    'DinoSwiglu',
    { weights_in: linear(c.hiddenSize, 2 * width), weights_out: linear(width, c.hiddenSize) },
    (m, x: Value) => {
      const both = m.weights_in(x);
      return m.weights_out(mul(silu(slice(both, 2, 0, width)), slice(both, 2, width, 2 * width)));
    },
  );
};

/**
 * Reads the `config.json` of a DINOv2 checkpoint, or a vision section of such a type; class defaults are those of
 * `Dinov2Config` or, for model type `dinov2_with_registers`, of `Dinov2WithRegistersConfig`.
 *
 * @throws ConfigError naming the field that is wrong, for pictures that are no squares too
 */
export function readDinoConfig(section: Json): DinoConfig {
  const read = configReader(section, 'vision_config');
  const type = read.string('model_type', 'dinov2');
  if (type !== 'dinov2' && type !== 'dinov2_with_registers')
    throw new ConfigError({
      message: `config.json: vision_config.model_type is "${type}", expected "dinov2" or "dinov2_with_registers".`,
      hint: 'DINO of 2021 and DINOv3 are other architectures.',
    });
  const hasRegisters = type === 'dinov2_with_registers';
  const side = (key: string, fallback: number): number => {
    const value = read.raw(key);
    const isPair = Array.isArray(value) && value.length === 2 && value[0] === value[1];
    return configReader(isPair ? { [key]: value[0] as unknown } : section, 'vision_config').number(
      key,
      fallback,
    );
  };
  return {
    hiddenSize: read.number('hidden_size', 768),
    mlpRatio: read.number('mlp_ratio', 4),
    useSwigluFfn: read.boolean('use_swiglu_ffn', false),
    numHiddenLayers: read.number('num_hidden_layers', 12),
    numAttentionHeads: read.number('num_attention_heads', 12),
    numChannels: read.number('num_channels', 3),
    imageSize: side('image_size', 224),
    patchSize: side('patch_size', hasRegisters ? 16 : 14),
    hiddenAct: readActivation(read, 'gelu'),
    layerNormEps: read.number('layer_norm_eps', 1e-6),
    qkvBias: read.boolean('qkv_bias', true),
    numRegisterTokens: hasRegisters ? read.number('num_register_tokens', 4) : 0,
    useMaskToken: hasRegisters || read.boolean('use_mask_token', true),
    antialias: hasRegisters,
  };
}

/**
 * The `config.json` of a checkpoint, or `undefined` for a tower that is neither `Dinov2Model` nor `Dinov2WithRegistersModel`,
 * or that is read in another way.
 */
export function dinoSection(c: DinoConfig & DinoOptions): Json | undefined {
  const { featureLayers, classToken = 'drop', postNorm = false, inputSize = c.imageSize } = c;
  const isKnown = c.antialias ? c.useMaskToken : c.numRegisterTokens === 0;
  const isPlain =
    isLastLayer(featureLayers) && classToken === 'drop' && !postNorm && inputSize === c.imageSize;
  if (!isKnown || !isPlain) return undefined;
  return {
    model_type: c.antialias ? 'dinov2_with_registers' : 'dinov2',
    hidden_size: c.hiddenSize,
    mlp_ratio: c.mlpRatio,
    use_swiglu_ffn: c.useSwigluFfn,
    num_hidden_layers: c.numHiddenLayers,
    num_attention_heads: c.numAttentionHeads,
    num_channels: c.numChannels,
    image_size: c.imageSize,
    patch_size: c.patchSize,
    hidden_act: c.hiddenAct,
    layer_norm_eps: c.layerNormEps,
    qkv_bias: c.qkvBias,
    ...(c.antialias ? { num_register_tokens: c.numRegisterTokens } : { use_mask_token: c.useMaskToken }),
  };
}

/** DINOv2, by its name. */
export const dinoPart: PartDefinition<'encoder', DinoConfig & DinoOptions> = {
  id: 'encoder-dino',
  kind: 'encoder',
  create: (config) => dino(config, config),
  fields: {
    mlpRatio: 'positive',
    useSwigluFfn: 'flag',
    qkvBias: 'flag',
    numRegisterTokens: 'amount',
    useMaskToken: 'flag',
    antialias: 'flag',
    hiddenSize: 'count',
    numHiddenLayers: 'layers',
    numAttentionHeads: 'count',
    hiddenAct: 'activation',
    numChannels: 'count',
    imageSize: 'count',
    patchSize: 'count',
    layerNormEps: 'positive',
    featureLayers: { optional: { list: 'whole' } },
    classToken: { optional: { oneOf: ['drop', 'keep'] } },
    postNorm: { optional: 'flag' },
    inputSize: { optional: 'count' },
  },
  presets: dinoPresets,
  source,
  types: ['dinov2', 'dinov2_with_registers'],
  read: readDinoConfig,
  write: dinoSection,
};
