import { linearConnector } from '@weft/connector-linear';
import { rawPatches } from '@weft/encoder-patch';
import { unifiedFusion } from '@weft/fusion-unified';
import { patchCuts, readPatchCuts } from '@weft/processors';
import { configReader, type Json, type Model } from '@weft/spec';
import { compose } from './compose.js';
import { llavaName, tiedHead } from './llava.js';
import type { RecipeFiles } from './recipes.js';
import { backboneOf, textNames } from './text.js';

/**
 * Fuyu (Bavishi et al. 2023): no encoder at all. Raw patches pass one linear layer, a newline token says where a row
 * ends, Persimmon answers.
 *
 *   image ──► patches ──► linear ──► rows with |NEWLINE| ──┐
 *                                                          ├─► Persimmon ──► text
 *   prompt ───────────────────────────────► embeddings ────┘
 */
export function fuyuRecipe(config: Json, { preprocessor = {} }: RecipeFiles = {}): Model {
  const read = configReader(config, 'config');
  const patchSize = read.number('patch_size', 30);
  // Older files hold the fields of the text model at the top only.
  const text = read.section('text_config', { ...config, model_type: 'persimmon' });
  const rope = 'rope_parameters' in text || 'rope_theta' in text ? {} : { rope_theta: 25000 };
  const backbone = backboneOf({ model_type: 'persimmon', ...rope, ...text }, tiedHead(config));
  return compose({
    name: 'fuyu',
    source: {
      paper: 'https://www.adept.ai/blog/fuyu-8b',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/fuyu/modeling_fuyu.py',
    },
    encoder: rawPatches({ patchSize, numChannels: read.number('num_channels', 3), imageSize: null }),
    connector: linearConnector(),
    backbone,
    fusion: unifiedFusion(),
    imageTokenId: read.number('image_token_id', 71011),
    placeholder: '|SPEAKER|',
    prompt: { form: { before: '<s>', after: '<0x04>', mostImages: 1 } },
    processor: patchCuts(readPatchCuts(preprocessor)),
    paths: { connector: 'vision_embed_tokens' },
    checkpoint: {
      ...textNames(backbone),
      rename: (name) => llavaName(name).replace(/^model\.(?=vision_embed_tokens\.)/, ''),
    },
    config,
  });
}
