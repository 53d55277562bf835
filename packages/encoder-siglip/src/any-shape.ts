import { add, concat, embedding, module, Parameter, repeat, type Value } from '@weft/graph';
import {
  captureLayers,
  cutPatchEmbedding,
  isLastLayer,
  layerNorm,
  readVisionTransformer,
  visionSection,
  visionTransformerLayer,
} from '@weft/nn';
import { checkConfig, type Json, type PartDefinition, type Source, type VisionEncoder } from '@weft/spec';
import { prepareTiles } from './prepare-tiles.js';
import type { SiglipConfig } from './siglip.js';

/** A SigLIP for pictures of any shape has no pooling head. */
export type AnyShapeSiglipConfig = Omit<SiglipConfig, 'visionUseHead'>;

export interface AnyShapeSiglipOptions {
  /**
   * States to return, joined along the channels: 0 is the embedding, `i + 1` the output of layer `i`, negative
   * numbers count from the end. Default -1. None passes `post_layernorm`.
   */
  readonly featureLayers?: readonly number[];
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2410.05993',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/idefics3/modeling_idefics3.py',
};

/**
 * SigLIP's vision tower for pictures of any shape, as Idefics2 introduced it and Aria has it: a tile need not be full of
 * picture. The rows and columns that are get positions spread over the whole table, and nothing attends to the rest.
 *
 * One run of its graph takes the picture of one tile, without the rest: `patches` `[tiles, patches, channels * size²]`
 * and `patch_positions` `[tiles, patches]`, rows of the position table. `prepare` makes them of the reference's
 * `pixel_values` and `pixel_mask`, one run for each tile; a run's layout counts the patches of the whole tile.
 *
 * @param given may be the configuration of a SigLIP tower, whose pooling head has no place here
 * @returns encoder with features `[tiles, patches, hiddenSize * featureLayers.length]`
 */
export function anyShapeSiglip(
  given: AnyShapeSiglipConfig & Partial<Pick<SiglipConfig, 'visionUseHead'>>,
  options: AnyShapeSiglipOptions = {},
): VisionEncoder {
  const { visionUseHead: _, ...c } = given;
  checkConfig(anyShapeSiglipPart, { ...c, ...options });
  const { featureLayers = [-1] } = options;
  const tableSide = Math.floor(c.imageSize / c.patchSize);
  const kernel = [c.numChannels, c.patchSize, c.patchSize];
  return module(
    'AnyShapeSiglip',
    {
      embeddings: {
        patch_embedding: cutPatchEmbedding(c.hiddenSize, kernel, { bias: true }),
        position_embedding: { weight: new Parameter([tableSide * tableSide, c.hiddenSize]) },
      },
      encoder: { layers: repeat(c.numHiddenLayers, () => visionTransformerLayer(c)) },
      // Checkpoints hold it, although no feature passes it.
      post_layernorm: layerNorm(c.hiddenSize, c.layerNormEps),
    },
    {
      encode: ({ embeddings, encoder }, { patches, patch_positions }: Readonly<Record<string, Value>>) => {
        const position = embedding(patch_positions!, embeddings.position_embedding.weight);
        const x = add(embeddings.patch_embedding(patches!), position);
        return { hiddenStates: concat(captureLayers(encoder.layers, x, featureLayers), 2), grid: null };
      },
    },
    {
      facts: () => ({
        id: 'encoder-siglip-any-shape',
        source,
        config: { ...c, featureLayers } as Json,
        hiddenSize: c.hiddenSize * featureLayers.length,
        grid: null,
        pixels: { patchSize: c.patchSize },
        inputs: {
          patches: {
            dtype: 'float32' as const,
            shape: ['tiles', 'patches', c.numChannels * c.patchSize ** 2],
          },
          patch_positions: { dtype: 'int64' as const, shape: ['tiles', 'patches'] },
        },
        prepare: (given: Parameters<NonNullable<VisionEncoder['prepare']>>[0]) =>
          prepareTiles(given, { channels: c.numChannels, patchSize: c.patchSize, tableSide }),
      }),
    },
  ) as unknown as VisionEncoder;
}

/** Reads the vision section of a `config.json`; class defaults are those of `Idefics3VisionConfig`. */
export const readAnyShapeSiglipConfig = (section: Json): AnyShapeSiglipConfig =>
  readVisionTransformer(section, {
    hiddenSize: 1152,
    intermediateSize: 3072,
    numHiddenLayers: 12,
    numAttentionHeads: 16,
    numChannels: 3,
    imageSize: 224,
    patchSize: 32,
    hiddenAct: 'gelu_pytorch_tanh',
    layerNormEps: 1e-6,
  });

/** The vision section of a `config.json`, or `undefined` if other layers than the last are read. */
export const anyShapeSiglipSection = (c: AnyShapeSiglipConfig & AnyShapeSiglipOptions): Json | undefined =>
  isLastLayer(c.featureLayers) ? { model_type: 'idefics3_vision', ...visionSection(c) } : undefined;

/** SigLIP for pictures of any shape, by its name. */
export const anyShapeSiglipPart: PartDefinition<'encoder', AnyShapeSiglipConfig & AnyShapeSiglipOptions> = {
  id: 'encoder-siglip-any-shape',
  kind: 'encoder',
  create: (config) => anyShapeSiglip(checkConfig(anyShapeSiglipPart, config), config),
  fields: {
    hiddenSize: 'count',
    numHiddenLayers: 'layers',
    numAttentionHeads: 'count',
    intermediateSize: 'count',
    hiddenAct: 'activation',
    numChannels: 'count',
    imageSize: 'count',
    patchSize: 'count',
    layerNormEps: 'positive',
    featureLayers: { optional: { list: 'whole' } },
  },
  presets: {},
  source,
  types: ['idefics3_vision'],
  read: readAnyShapeSiglipConfig,
  write: anyShapeSiglipSection,
};
