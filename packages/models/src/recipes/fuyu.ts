import { linearConnector } from '@weft/connector-linear';
import { rawPatches } from '@weft/encoder-patch';
import { unifiedFusion } from '@weft/fusion-unified';
import { patchCuts, readPatchCuts } from '@weft/processors';
import { configReader, type Json, type Model } from '@weft/spec';
import { compose } from '../compose.js';
import { textSection } from '../part-sizes.js';
import { llavaName, tiedHead } from './llava-parts.js';
import { imageSection } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';

/**
 * Fuyu (Bavishi et al. 2023): no encoder at all. Raw patches pass one linear layer, a newline token says where a row
 * ends, Persimmon answers.
 *
 *   image ──► patches ──► linear ──► rows with |NEWLINE| ──┐
 *                                                          ├─► Persimmon ──► text
 *   prompt ───────────────────────────────► embeddings ────┘
 */
async function readFuyu(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const patchSize = read.number('patch_size', 30);
  // Older files hold the fields of the text model at the top only.
  const text = read.section('text_config', { ...config, model_type: 'persimmon' });
  const rope = 'rope_parameters' in text || 'rope_theta' in text ? {} : { rope_theta: 25000 };
  const { backbone, names } = await readBackbone(
    { model_type: 'persimmon', ...rope, ...text },
    tiedHead(config),
    files,
  );
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
    processor: patchCuts(
      readPatchCuts(
        imageSection(config, files, { classes: ['FuyuImageProcessor'], processors: ['FuyuProcessor'] }),
      ),
    ),
    paths: { connector: 'vision_embed_tokens' },
    checkpoint: {
      ...names,
      rename: (name) => llavaName(name).replace(/^model\.(?=vision_embed_tokens\.)/, ''),
    },
    config,
  });
}

/** Fuyu: Persimmon with raw patches of 30 x 30 pixels. */
const fuyu8b = async (): Promise<PresetFiles> => ({
  config: {
    model_type: 'fuyu',
    patch_size: 30,
    text_config: await textSection('backbone-persimmon', 'persimmon-8b'),
    image_token_id: 71011,
  },
  preprocessor: { size: { height: 1080, width: 1920 }, padding_value: 1, resample: 2 },
});

export const fuyuRecipe: RecipeDefinition = {
  name: 'fuyu',
  types: ['fuyu'],
  presets: { 'fuyu-8b': fuyu8b },
  read: readFuyu,
};
