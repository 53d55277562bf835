import { configReader, type Json } from '@weft/spec';
import { readActivation } from './activation.js';
import type { VisionTransformerConfig } from './vision-transformer.js';

/**
 * Reads the sizes of a plain vision transformer from a vision section of `config.json`.
 *
 * @param defaults of the reference's configuration class
 * @throws ConfigError naming the field that cannot be read
 */
export function readVisionTransformer(
  section: Json,
  defaults: VisionTransformerConfig,
): VisionTransformerConfig {
  const read = configReader(section, 'vision_config');
  return {
    hiddenSize: read.number('hidden_size', defaults.hiddenSize),
    intermediateSize: read.number('intermediate_size', defaults.intermediateSize),
    numHiddenLayers: read.number('num_hidden_layers', defaults.numHiddenLayers),
    numAttentionHeads: read.number('num_attention_heads', defaults.numAttentionHeads),
    numChannels: read.number('num_channels', defaults.numChannels),
    imageSize: read.number('image_size', defaults.imageSize),
    patchSize: read.number('patch_size', defaults.patchSize),
    hiddenAct: readActivation(read, defaults.hiddenAct),
    layerNormEps: read.number('layer_norm_eps', defaults.layerNormEps),
  };
}

/** The fields that `readVisionTransformer` reads. */
export const visionSection = (c: VisionTransformerConfig): Json => ({
  hidden_size: c.hiddenSize,
  intermediate_size: c.intermediateSize,
  num_hidden_layers: c.numHiddenLayers,
  num_attention_heads: c.numAttentionHeads,
  num_channels: c.numChannels,
  image_size: c.imageSize,
  patch_size: c.patchSize,
  hidden_act: c.hiddenAct,
  layer_norm_eps: c.layerNormEps,
});

/** Whether only the last layer's features are taken: what a vision section means, which has no place for layers. */
export const isLastLayer = (featureLayers: readonly number[] = [-1]): boolean =>
  featureLayers.length === 1 && featureLayers[0] === -1;
