import { pixelShuffleConnector } from '@weft/connector-pixel-shuffle';
import { readAnyShapeSiglipConfig, siglip } from '@weft/encoder-siglip';
import { unifiedFusion } from '@weft/fusion-unified';
import { readSplitTiles, splitTiles } from '@weft/processors';
import { configReader, part, type Json, type Model } from '@weft/spec';
import { compose } from '../compose.js';
import { textSection } from '../part-sizes.js';
import { imageSection, requireProcessor } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';

/**
 * Idefics3 and SmolVLM (Laurençon et al. 2024, Marafioti et al. 2025): SigLIP sees tiles and the whole, pixel
 * shuffle joins neighbouring patches, one linear layer translates, a Llama answers.
 *
 *   image ──► tiles + whole ──► SigLIP ──► pixel shuffle ──► linear ──┐
 *                                                                     ├─► Llama ──► text
 *   prompt ─────────────────────────────────────────────► embeddings ─┘
 */
async function readIdefics3(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  // Its class and Aria's have the same sizes where a section leaves them out.
  const vision = readAnyShapeSiglipConfig(read.section('vision_config'));
  const isSmol = config['model_type'] === 'smolvlm';
  const tiles = readSplitTiles(
    imageSection(config, files, {
      // One class under two names.
      classes: ['Idefics3ImageProcessor', 'SmolVLMImageProcessor'],
      processors: isSmol ? ['SmolVLMProcessor', 'Idefics3Processor'] : ['Idefics3Processor'],
    }),
  );
  const encoder = siglip(
    { ...vision, visionUseHead: false },
    { postNorm: true, inputSize: tiles.tileSize ?? vision.imageSize },
  );
  const tieWordEmbeddings = read.boolean('tie_word_embeddings', false);
  const { backbone, names } = await readBackbone(
    read.section('text_config', { rms_norm_eps: 1e-5 }),
    { tie_word_embeddings: tieWordEmbeddings },
    files,
  );

  const connector = pixelShuffleConnector({ scaleFactor: read.number('scale_factor', 2) });
  const model = compose({
    name: read.string('model_type', 'idefics3'),
    source: {
      paper: 'https://arxiv.org/abs/2504.05299',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/idefics3/modeling_idefics3.py',
    },
    encoder,
    connector,
    backbone: backbone.withPaths({ model: 'model.text_model' }) as typeof backbone,
    fusion: unifiedFusion(),
    imageTokenId: read.number('image_token_id', 128257),
    processor: splitTiles(tiles),
    paths: { encoder: 'model.vision_model', connector: 'model.connector', backbone: '' },
    checkpoint: names,
    config,
  });
  requireProcessor(files, [
    { key: 'image_seq_len', model: part(model, 'connector').countTokens(encoder.grid!), usual: 169 },
  ]);
  return model;
}

/** SmolVLM: SigLIP base at 512 pixels and an untied head, unlike SmolLM2 itself. */
const smolvlm = (backbone: string) => async (): Promise<PresetFiles> => ({
  config: {
    model_type: 'idefics3',
    scale_factor: 4,
    image_token_id: 49190,
    tie_word_embeddings: false,
    vision_config: { hidden_size: 768, num_attention_heads: 12, image_size: 512, patch_size: 16 },
    text_config: { ...(await textSection('backbone-llama', backbone)), vocab_size: 49280 },
  },
  preprocessor: { size: { longest_edge: 2048 }, max_image_size: { longest_edge: 512 }, resample: 1 },
});

export const idefics3Recipe: RecipeDefinition = {
  name: 'idefics3',
  types: ['idefics3', 'smolvlm'],
  presets: { 'smolvlm-256m': smolvlm('smollm2-135m'), 'smolvlm-500m': smolvlm('smollm2-360m') },
  read: readIdefics3,
};
