import {
  add,
  attend,
  concat,
  constant,
  expand,
  gather,
  linear as linearOp,
  module,
  Parameter,
  repeat,
  reshape,
  slice,
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
  readVisionTransformer,
  splitHeads,
  visionSection,
  visionTransformerLayer,
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

export interface SiglipConfig extends VisionTransformerConfig {
  /** Whether the checkpoint holds the attention pooling of the contrastive model. */
  readonly visionUseHead: boolean;
}

const base = { hiddenSize: 768, intermediateSize: 3072, numHiddenLayers: 12, numAttentionHeads: 12 } as const;
const large = {
  hiddenSize: 1024,
  intermediateSize: 4096,
  numHiddenLayers: 24,
  numAttentionHeads: 16,
} as const;
const so400m = {
  hiddenSize: 1152,
  intermediateSize: 4304,
  numHiddenLayers: 27,
  numAttentionHeads: 16,
} as const;
const common = {
  numChannels: 3,
  hiddenAct: 'gelu_pytorch_tanh',
  layerNormEps: 1e-6,
  visionUseHead: true,
} as const;

/** Published sizes. */
export const siglipPresets = {
  'base-patch16-224': { ...base, ...common, imageSize: 224, patchSize: 16 },
  'base-patch16-384': { ...base, ...common, imageSize: 384, patchSize: 16 },
  'base-patch16-512': { ...base, ...common, imageSize: 512, patchSize: 16 },
  'large-patch16-384': { ...large, ...common, imageSize: 384, patchSize: 16 },
  'so400m-patch14-224': { ...so400m, ...common, imageSize: 224, patchSize: 14 },
  'so400m-patch14-384': { ...so400m, ...common, imageSize: 384, patchSize: 14 },
} as const satisfies Record<string, SiglipConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2303.15343',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/siglip/modeling_siglip.py',
};

export interface SiglipOptions {
  /**
   * States to return, joined along the channels: 0 is the embedding, `i + 1` the output of layer `i`, negative
   * numbers count from the end. Default -1.
   */
  readonly featureLayers?: readonly number[];
  /**
   * Whether the features pass `post_layernorm`, as in PaliGemma and SmolVLM (`last_hidden_state`); LLaVA-like
   * models read `hidden_states`, before it. Default false.
   */
  readonly postNorm?: boolean;
  /**
   * Side of the square input when it differs from the size of the position table, pixels. The positions are then
   * spread over the table (`floor(i * table / grid)`), as Idefics3 does. Default: the config's `imageSize`.
   */
  readonly inputSize?: number;
}

/**
 * SigLIP's vision tower: a ViT without class token, trained with a sigmoid image-text loss.
 *
 * @param config preset name or full configuration
 * @returns encoder with features `[numTiles, floor(inputSize / patchSize)², hiddenSize * featureLayers.length]`
 */
export function siglip(
  config: keyof typeof siglipPresets | SiglipConfig,
  options: SiglipOptions = {},
): VisionEncoder & SiglipPooling {
  const c = resolvePreset<SiglipConfig>('encoder-siglip', siglipPresets, config);
  checkConfig(siglipPart, { ...c, ...options });
  const { featureLayers = [-1], postNorm = false, inputSize = c.imageSize } = options;
  const tableSide = Math.floor(c.imageSize / c.patchSize);
  const side = Math.floor(inputSize / c.patchSize);
  const spread = (i: number) => Math.floor((i * tableSide) / side);
  const positions = Array.from(
    { length: side * side },
    (_, i) => spread(Math.floor(i / side)) * tableSide + spread(i % side),
  );

  return module(
    'SiglipVisionTower',
    {
      embeddings: {
        patch_embedding: patchEmbedding(c, { bias: true }),
        position_embedding: { weight: new Parameter([tableSide * tableSide, c.hiddenSize]) },
      },
      encoder: { layers: repeat(c.numHiddenLayers, () => visionTransformerLayer(c)) },
      post_layernorm: layerNorm(c.hiddenSize, c.layerNormEps),
      head: c.visionUseHead ? poolingHead(c) : null,
    },
    {
      encode: (
        { embeddings, encoder, post_layernorm },
        { pixel_values }: Readonly<Record<string, Value>>,
      ) => {
        const table = embeddings.position_embedding.weight;
        const position = side === tableSide ? table : gather(table, constant(positions, 'int64'));
        const patches = add(embeddings.patch_embedding(pixel_values!), position);
        const states = captureLayers(encoder.layers, patches, featureLayers);
        return {
          hiddenStates: concat(postNorm ? states.map(post_layernorm) : states, 2),
          grid: [side, side] as const,
        };
      },
      pool: ({ post_layernorm, head }, lastState: Value) => {
        const states = post_layernorm(lastState);
        return head ? head(states) : reshape(slice(states, 1, 0, 1), [states.shape[0]!, c.hiddenSize]);
      },
    },
    {
      facts: () => ({
        id: 'encoder-siglip',
        source,
        config: { ...c, featureLayers, postNorm, inputSize },
        hiddenSize: c.hiddenSize * featureLayers.length,
        grid: [side, side] as const,
        pixels: { patchSize: c.patchSize, tileSize: inputSize },
        inputs: {
          pixel_values: { dtype: 'float32' as const, shape: ['tiles', c.numChannels, inputSize, inputSize] },
        },
      }),
    },
  );
}

export interface SiglipPooling {
  /** The image embedding of the contrastive model, from the last layer's state: `[T, P, D]` to `[T, D]`. */
  pool(lastState: Value): Value;
}

/** A learnt query attends over the patches; then a residual MLP. */
const poolingHead = (c: SiglipConfig) =>
  module(
    'SiglipPoolingHead',
    {
      probe: new Parameter([1, 1, c.hiddenSize]),
      attention: {
        in_proj_weight: new Parameter([3 * c.hiddenSize, c.hiddenSize]),
        in_proj_bias: new Parameter([3 * c.hiddenSize], { kind: 'zeros' }),
        out_proj: linear(c.hiddenSize, c.hiddenSize),
      },
      layernorm: layerNorm(c.hiddenSize, c.layerNormEps),
      mlp: mlp(c),
    },
    (m, states: Value) => {
      const size = c.hiddenSize;
      const probe = expand(m.probe, [states.shape[0]!, 1, size]);
      const [q, k, v] = [probe, states, states].map((x, i) => {
        const [from, to] = [i * size, (i + 1) * size];
        const projected = linearOp(
          x,
          slice(m.attention.in_proj_weight, 0, from, to),
          slice(m.attention.in_proj_bias, 0, from, to),
        );
        return splitHeads(projected, c.numAttentionHeads);
      });
      const h = m.attention.out_proj(mergeHeads(attend(q!, k!, v!)));
      return reshape(add(h, m.mlp(m.layernorm(h))), [states.shape[0]!, size]);
    },
  );

/** Reads the vision section of a `config.json`; class defaults are those of `SiglipVisionConfig`. */
export const readSiglipConfig = (section: Json): SiglipConfig => ({
  ...readVisionTransformer(section, {
    hiddenSize: 768,
    intermediateSize: 3072,
    numHiddenLayers: 12,
    numAttentionHeads: 12,
    numChannels: 3,
    imageSize: 224,
    patchSize: 16,
    hiddenAct: 'gelu_pytorch_tanh',
    layerNormEps: 1e-6,
  }),
  visionUseHead: configReader(section, 'vision_config').boolean('vision_use_head', true),
});

/** The vision section of a `config.json`, or `undefined` for a tower that is read in another way than `SiglipVisionModel`. */
export function siglipSection(c: SiglipConfig & SiglipOptions): Json | undefined {
  const { featureLayers, postNorm = false, inputSize = c.imageSize } = c;
  if (!isLastLayer(featureLayers) || postNorm || inputSize !== c.imageSize) return undefined;
  return { model_type: 'siglip_vision_model', ...visionSection(c), vision_use_head: c.visionUseHead };
}

/** SigLIP's vision tower, by its name. */
export const siglipPart: PartDefinition<'encoder', SiglipConfig & SiglipOptions> = {
  id: 'encoder-siglip',
  kind: 'encoder',
  create: (config) => siglip(config, config),
  fields: {
    visionUseHead: 'flag',
    numHiddenLayers: 'layers',
    numAttentionHeads: 'count',
    numChannels: 'count',
    imageSize: 'count',
    patchSize: 'count',
    layerNormEps: 'positive',
    hiddenSize: 'count',
    intermediateSize: 'count',
    hiddenAct: 'activation',
    featureLayers: { optional: { list: 'whole' } },
    postNorm: { optional: 'flag' },
    inputSize: { optional: 'count' },
  },
  presets: siglipPresets,
  source,
  types: ['siglip_vision_model', 'siglip'],
  read: readSiglipConfig,
  write: siglipSection,
};
