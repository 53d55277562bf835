import { mlpConnector, type MlpConnectorOptions } from '@weft/connector-mlp';
import {
  pixtralVision,
  readPixtralVisionConfig,
  type PixtralVisionConfig,
  type PixtralVisionOptions,
} from '@weft/encoder-pixtral';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { patchRows, readPatchRows } from '@weft/processors';
import { readActivation } from '@weft/nn';
import { configReader, type Backbone, type CheckpointNames, type Json, type Model } from '@weft/spec';
import { compose } from './compose.js';
import { llavaName, tiedHead } from './llava.js';
import type { RecipeFiles } from './recipes.js';
import { backboneOf, textNames } from './text.js';

/** What the two layouts of Pixtral's checkpoints say alike. */
export interface PixtralParts {
  readonly vision: PixtralVisionConfig;
  readonly visionOptions: PixtralVisionOptions;
  readonly connector: MlpConnectorOptions;
  readonly backbone: Backbone;
  readonly imageTokenId: number;
  readonly checkpoint: CheckpointNames;
  readonly config: Json;
  readonly preprocessor: Json;
}

/**
 * Pixtral (Agrawal et al. 2024): pictures keep their shape, a vision transformer with rotary positions makes one
 * token of each patch, break tokens say where a row ends, Mistral NeMo answers.
 *
 *   image ─► patches ─► ViT (2D-RoPE) ─► MLP ─► rows with [IMG_BREAK], [IMG_END] ─┐
 *                                                                                 ├─► Mistral NeMo ─► text
 *   prompt ─────────────────────────────────────────────────► embeddings ─────────┘
 */
export const composePixtral = ({ vision, visionOptions, preprocessor, ...parts }: PixtralParts): Model =>
  compose({
    ...parts,
    name: 'pixtral',
    source: {
      paper: 'https://arxiv.org/abs/2410.07073',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/pixtral/modeling_pixtral.py',
    },
    encoder: pixtralVision(vision, visionOptions),
    connector: mlpConnector(parts.connector),
    fusion: unifiedFusion(),
    placeholder: '[IMG]',
    processor: patchRows(
      readPatchRows(preprocessor, {
        longestEdge: vision.imageSize,
        rowBreak: '[IMG_BREAK]',
        imageEnd: '[IMG_END]',
      }),
    ),
  });

/** Whether a `config.json` of model type `llava` holds Pixtral's tower. */
export const isPixtral = (config: Json): boolean =>
  ((config['vision_config'] ?? {}) as Json)['model_type'] === 'pixtral';

/** Pixtral as `LlavaForConditionalGeneration` holds it. */
export function pixtralRecipe(config: Json, { preprocessor = {} }: RecipeFiles = {}): Model {
  const read = configReader(config, 'config');
  const layer = read.raw('vision_feature_layer') ?? -2;
  const strategy = read.string('vision_feature_select_strategy', 'default');
  if (strategy !== 'full')
    throw new ConfigError({
      message: `config.json: vision_feature_select_strategy '${strategy}' would drop a real patch: Pixtral has no class token.`,
      hint: "Set it to 'full'.",
    });
  const backbone = backboneOf(read.section('text_config'), tiedHead(config));
  return composePixtral({
    vision: readPixtralVisionConfig(read.section('vision_config')),
    visionOptions: { featureLayers: Array.isArray(layer) ? (layer as number[]) : [Number(layer)] },
    connector: {
      hiddenAct: readActivation(read, 'gelu', 'projector_hidden_act'),
      bias: read.boolean('multimodal_projector_bias', true),
    },
    backbone,
    imageTokenId: read.number('image_token_index', Number(read.raw('image_token_id') ?? 32000)),
    checkpoint: { ...textNames(backbone), rename: llavaName },
    config,
    preprocessor,
  });
}
