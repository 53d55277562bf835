import { unifiedFusion } from '@weft/fusion-unified';
import { clip, readClipConfig } from '@weft/encoder-clip';
import { readSiglipConfig, siglip } from '@weft/encoder-siglip';
import { mlpConnector } from '@weft/connector-mlp';
import { ConfigError } from '@weft/errors';
import { readClipProcessor, readSiglipProcessor, singleTile } from '@weft/processors';
import { readActivation } from '@weft/nn';
import { configReader, type Json, type Model, type VisionEncoder } from '@weft/spec';
import { compose } from './compose.js';
import type { RecipeFiles } from './recipes.js';
import { backboneOf, textNames } from './text.js';

/**
 * LLaVA-1.5 (Liu et al. 2023): CLIP sees, two linear layers translate, Vicuna answers. The same recipe serves
 * every pairing that `LlavaForConditionalGeneration` writes, such as SigLIP with Qwen2.
 *
 *   image ──► CLIP ViT-L/14 ──► MLP ──┐
 *                                     ├─► Vicuna ──► text
 *   prompt ─────────────► embeddings ─┘   (image embeddings replace <image> tokens)
 */
export function llavaRecipe(config: Json, { preprocessor = {} }: RecipeFiles = {}): Model {
  const read = configReader(config, 'config');
  const strategy = read.string('vision_feature_select_strategy', 'default');
  const layer = read.raw('vision_feature_layer') ?? -2;
  const featureLayers = Array.isArray(layer) ? (layer as number[]) : [Number(layer)];
  const encoder = visionTower(read.section('vision_config'), featureLayers, strategy);
  const backbone = backboneOf(read.section('text_config'), tiedHead(config));
  const names = textNames(backbone);
  const isSiglip = encoder.id === 'encoder-siglip';

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
    processor: singleTile((isSiglip ? readSiglipProcessor : readClipProcessor)(preprocessor)),
    paths: { encoder: 'vision_tower.vision_model' },
    checkpoint: {
      ...names,
      rename: canonicalName,
      unused: (name) => (name.endsWith('embeddings.position_ids') ? 'a constant' : names.unused?.(name)),
    },
    config,
  });
}

/**
 * The flag stands at the top in what transformers 5 writes, in the text section before. A head is tied if either says so:
 * transformers 5 ties by the one at the top, whatever the section says.
 */
export const tiedHead = (config: Json): Json => {
  const flag = config['tie_word_embeddings'];
  const isUnsaid = !('tie_word_embeddings' in ((config['text_config'] ?? {}) as Json));
  return flag === true || (flag !== undefined && isUnsaid) ? { tie_word_embeddings: flag } : {};
};

/**
 * The vision tower of a LLaVA-like checkpoint.
 *
 * @param strategy `full` keeps CLIP's class token, `default` drops it
 * @throws ConfigError if the tower is unknown, or has no class token to drop
 */
export function visionTower(
  section: Json,
  featureLayers: readonly number[],
  strategy: string,
): VisionEncoder {
  const type = String(section['model_type'] ?? 'clip_vision_model');
  if (type === 'clip_vision_model') {
    const classToken = strategy === 'full' ? 'keep' : 'drop';
    return clip(readClipConfig(section), { featureLayers, classToken });
  }
  if (type === 'siglip_vision_model') {
    if (strategy !== 'full')
      throw new ConfigError({
        message: `config.json: vision_feature_select_strategy '${strategy}' would drop a real patch: SigLIP has no class token.`,
        hint: "Set it to 'full'.",
      });
    return siglip(readSiglipConfig(section), { featureLayers });
  }
  throw new ConfigError({
    message: `config.json: LLaVA with a vision tower of model_type '${type}' is not known.`,
    hint: 'Known: clip_vision_model, siglip_vision_model.',
  });
}

/** The names of the published checkpoints, from those and from the ones that transformers 4.52 and later use. */
export const llavaName = (name: string): string =>
  name
    .replace(/^model\.(?=vision_tower\.|multi_modal_projector\.|language_model\.|image_newline$)/, '')
    .replace(/^lm_head\./, 'language_model.lm_head.')
    .replace(/^language_model\.(?!model\.|lm_head\.)/, 'language_model.model.');

/** The same, with the segment in CLIP's and SigLIP's towers that transformers 5 leaves out. */
export const canonicalName = (name: string): string =>
  llavaName(name).replace(/^vision_tower\.(?!vision_model\.)/, 'vision_tower.vision_model.');
