import { mlpConnector, type MlpConnectorOptions } from '@weft/connector-mlp';
import { pixtralVision, type PixtralVisionConfig, type PixtralVisionOptions } from '@weft/encoder-pixtral';
import { unifiedFusion } from '@weft/fusion-unified';
import { patchRows, readPatchRows } from '@weft/processors';
import type { Backbone, CheckpointNames, Json, Model } from '@weft/spec';
import { compose } from '../compose.js';

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
