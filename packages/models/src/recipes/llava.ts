import { unifiedFusion } from '@weft/fusion-unified';
import { mlpConnector } from '@weft/connector-mlp';
import { singleTile, singleTilePart } from '@weft/processors';
import { readActivation } from '@weft/nn';
import { configReader, type Json, type Model } from '@weft/spec';
import { compose } from '../compose.js';
import { sectionOf, textSection } from '../part-sizes.js';
import { imageSection, requireImageToken } from '../processor-files.js';
import { canonicalName, requireLlavaTokens, storedTower, tiedHead, visionTower } from './llava-parts.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';

/**
 * LLaVA-1.5 (Liu et al. 2023): CLIP sees, two linear layers translate, Vicuna answers. The same recipe serves
 * every pairing that `LlavaForConditionalGeneration` writes, such as SigLIP with Qwen2.
 *
 *   image ──► CLIP ViT-L/14 ──► MLP ──┐
 *                                     ├─► Vicuna ──► text
 *   prompt ─────────────► embeddings ─┘   (image embeddings replace <image> tokens)
 */
async function readLlava(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  // The class of transformers holds Pixtral as well.
  if (read.section('vision_config')['model_type'] === 'pixtral')
    return (await import('./pixtral.js')).pixtralRecipe.read(config, files);
  const strategy = read.string('vision_feature_select_strategy', 'default');
  const layer = read.raw('vision_feature_layer') ?? -2;
  const featureLayers = Array.isArray(layer) ? (layer as number[]) : [Number(layer)];
  const encoder = await visionTower(read.section('vision_config'), featureLayers, strategy, files);
  const { backbone, names } = await readBackbone(read.section('text_config'), tiedHead(config), files);
  const side = encoder.pixels.tileSize!;
  const pictures = singleTilePart.read!(
    // Nothing says how pictures are prepared where only the model itself is asked for.
    imageSection(
      config,
      files.preprocessor ? files : { ...files, preprocessor: { size: side, crop_size: side } },
      {
        classes: tileClasses,
        processors: ['LlavaProcessor'],
      },
    ),
  );
  requireLlavaTokens(files, encoder);
  requireImageToken(files, '<image>');

  return compose({
    name: 'llava',
    source: {
      paper: 'https://arxiv.org/abs/2310.03744',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/llava/modeling_llava.py',
    },
    encoder,
    connector: mlpConnector({
      hiddenAct: readActivation(read, 'gelu', 'projector_hidden_act'),
      bias: read.boolean('multimodal_projector_bias', true),
    }),
    backbone,
    fusion: unifiedFusion(),
    imageTokenId: read.number('image_token_index', Number(read.raw('image_token_id') ?? 32000)),
    processor: singleTile(pictures),
    paths: { encoder: 'vision_tower.vision_model' },
    checkpoint: { ...names, ...storedTower(encoder), rename: canonicalName },
    config,
  });
}

/** Classes that make one tile of a picture; Janus's frame it. */
const tileClasses = [
  'LlavaImageProcessor',
  'CLIPImageProcessor',
  'BitImageProcessor',
  'SiglipImageProcessor',
  'ViTImageProcessor',
  'BlipImageProcessor',
  'DeiTImageProcessor',
] as const;

/** LLaVA-1.5: the tokenizer gains `<image>` and `<pad>`, and the table is rounded up to 32064 rows. */
const llava15 = (backbone: string) => async (): Promise<PresetFiles> => ({
  config: {
    model_type: 'llava',
    vision_config: await sectionOf('encoder', 'encoder-clip', 'large-patch14-336'),
    text_config: { ...(await textSection('backbone-llama', backbone)), vocab_size: 32064 },
    image_token_index: 32000,
    vision_feature_layer: -2,
    vision_feature_select_strategy: 'default',
    projector_hidden_act: 'gelu',
  },
  preprocessor: { size: { shortest_edge: 336 }, crop_size: { height: 336, width: 336 }, resample: 3 },
});

export const llavaRecipe: RecipeDefinition = {
  name: 'llava',
  types: ['llava'],
  presets: { 'llava-1.5-7b': llava15('llama-2-7b'), 'llava-1.5-13b': llava15('llama-2-13b') },
  read: readLlava,
};
