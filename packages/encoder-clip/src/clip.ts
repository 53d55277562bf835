import { add, concat, expand, module, Parameter, repeat, reshape, slice, type Value } from '@weft/graph';
import {
  captureLayers,
  isLastLayer,
  layerNorm,
  patchEmbedding,
  readVisionTransformer,
  visionSection,
  visionTransformerLayer,
  type PatchWeight,
  type VisionTransformerConfig,
} from '@weft/nn';
import {
  checkConfig,
  resolvePreset,
  type Json,
  type PartDefinition,
  type Source,
  type VisionEncoder,
} from '@weft/spec';

export type ClipConfig = VisionTransformerConfig;

const base = { hiddenSize: 768, intermediateSize: 3072, numHiddenLayers: 12, numAttentionHeads: 12 } as const;
const large = {
  hiddenSize: 1024,
  intermediateSize: 4096,
  numHiddenLayers: 24,
  numAttentionHeads: 16,
} as const;
const huge = {
  hiddenSize: 1280,
  intermediateSize: 5120,
  numHiddenLayers: 32,
  numAttentionHeads: 16,
  numChannels: 3,
  layerNormEps: 1e-5,
  patchSize: 14,
} as const;
const openai = { numChannels: 3, hiddenAct: 'quick_gelu', layerNormEps: 1e-5 } as const;

/** Published sizes. */
export const clipPresets = {
  'base-patch32': { ...base, ...openai, imageSize: 224, patchSize: 32 },
  'base-patch16': { ...base, ...openai, imageSize: 224, patchSize: 16 },
  'large-patch14': { ...large, ...openai, imageSize: 224, patchSize: 14 },
  'large-patch14-336': { ...large, ...openai, imageSize: 336, patchSize: 14 },
  'openclip-huge-patch14': { ...huge, hiddenAct: 'gelu', imageSize: 224 },
  'dfn-huge-patch14-378': { ...huge, hiddenAct: 'quick_gelu', imageSize: 378 },
  'openclip-bigg-patch14': {
    hiddenSize: 1664,
    intermediateSize: 8192,
    numHiddenLayers: 48,
    numAttentionHeads: 16,
    numChannels: 3,
    hiddenAct: 'gelu',
    layerNormEps: 1e-5,
    imageSize: 224,
    patchSize: 14,
  },
} as const satisfies Record<string, ClipConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2103.00020',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/clip/modeling_clip.py',
};

export interface ClipOptions {
  /**
   * States to return, joined along the channels: 0 is the embedding, `i + 1` the output of layer `i`, negative
   * numbers count from the end. LLaVA takes -2. Default -1.
   */
  readonly featureLayers?: readonly number[];
  /** LLaVA drops the class token's state, which is the first. Default `drop`. */
  readonly classToken?: 'drop' | 'keep';
  /** Whether the checkpoint has the norm of the pooled class token, which no feature passes. Default true. */
  readonly postNorm?: boolean;
  /** Form of the patch projection's weight: that of a `convolution`, or Molmo's `matrix`. Default `convolution`. */
  readonly patchWeight?: PatchWeight;
}

/**
 * CLIP's vision tower: a ViT with a class token and a norm before the first layer (`pre_layrnorm`, so spelt in
 * the checkpoints). `post_layernorm` belongs to the pooled class token; patch features never pass it.
 *
 * @param config preset name or full configuration
 * @returns encoder with features `[numTiles, (imageSize / patchSize)², hiddenSize * featureLayers.length]`; with the
 *   class token kept, one row of `(imageSize / patchSize)² + 1`
 */
export function clip(
  config: keyof typeof clipPresets | ClipConfig,
  options: ClipOptions = {},
): VisionEncoder {
  const c = resolvePreset<ClipConfig>('encoder-clip', clipPresets, config);
  checkConfig(clipPart, { ...c, ...options });
  const { featureLayers = [-1], classToken = 'drop', postNorm = true, patchWeight = 'convolution' } = options;
  const side = Math.floor(c.imageSize / c.patchSize);
  const patches = side * side;
  const grid = classToken === 'keep' ? ([1, patches + 1] as const) : ([side, side] as const);

  return module(
    'ClipVisionTower',
    {
      embeddings: {
        class_embedding: new Parameter([c.hiddenSize]),
        patch_embedding: patchEmbedding(c, { bias: false, weight: patchWeight }),
        position_embedding: { weight: new Parameter([patches + 1, c.hiddenSize]) },
      },
      pre_layrnorm: layerNorm(c.hiddenSize, c.layerNormEps),
      encoder: { layers: repeat(c.numHiddenLayers, () => visionTransformerLayer(c)) },
      post_layernorm: postNorm ? layerNorm(c.hiddenSize, c.layerNormEps) : null,
    },
    {
      encode: ({ embeddings, pre_layrnorm, encoder }, { pixel_values }: Readonly<Record<string, Value>>) => {
        const x = embeddings.patch_embedding(pixel_values!);
        const classRow = expand(reshape(embeddings.class_embedding, [1, 1, c.hiddenSize]), [
          x.shape[0]!,
          1,
          c.hiddenSize,
        ]);
        const tokens = add(concat([classRow, x], 1), embeddings.position_embedding.weight);
        const states = concat(captureLayers(encoder.layers, pre_layrnorm(tokens), featureLayers), 2);
        return { hiddenStates: classToken === 'keep' ? states : slice(states, 1, 1, patches + 1), grid };
      },
    },
    {
      facts: () => ({
        id: 'encoder-clip',
        source,
        config: { ...c, featureLayers, classToken, postNorm, patchWeight },
        hiddenSize: c.hiddenSize * featureLayers.length,
        grid,
        pixels: { patchSize: c.patchSize, tileSize: c.imageSize },
        inputs: {
          pixel_values: {
            dtype: 'float32' as const,
            shape: ['tiles', c.numChannels, c.imageSize, c.imageSize],
          },
        },
      }),
    },
  );
}

/** Reads the vision section of a `config.json`; class defaults are those of `CLIPVisionConfig`. */
export const readClipConfig = (section: Json): ClipConfig =>
  readVisionTransformer(section, {
    hiddenSize: 768,
    intermediateSize: 3072,
    numHiddenLayers: 12,
    numAttentionHeads: 12,
    numChannels: 3,
    imageSize: 224,
    patchSize: 32,
    hiddenAct: 'quick_gelu',
    layerNormEps: 1e-5,
  });

/** The vision section of a `config.json`, or `undefined` for a tower that is read in another way than `CLIPVisionModel`. */
export function clipSection(c: ClipConfig & ClipOptions): Json | undefined {
  const { featureLayers, classToken = 'drop', postNorm = true, patchWeight = 'convolution' } = c;
  const isPlain = isLastLayer(featureLayers) && classToken === 'drop' && postNorm;
  if (!isPlain || patchWeight !== 'convolution') return undefined;
  return { model_type: 'clip_vision_model', ...visionSection(c) };
}

/** CLIP's vision tower, by its name. */
export const clipPart: PartDefinition<'encoder', ClipConfig & ClipOptions> = {
  id: 'encoder-clip',
  kind: 'encoder',
  create: (config) => clip(config, config),
  fields: {
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
    classToken: { optional: { oneOf: ['drop', 'keep'] } },
    postNorm: { optional: 'flag' },
    patchWeight: { optional: { oneOf: ['convolution', 'matrix'] } },
  },
  presets: clipPresets,
  source,
  types: ['clip_vision_model', 'clip'],
  read: readClipConfig,
  write: clipSection,
};
