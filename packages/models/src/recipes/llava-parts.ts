import { ConfigError } from '@weft/errors';
import type { Json, VisionEncoder } from '@weft/spec';
import { findDefinition, type PartSources } from '../parts.js';

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
export async function visionTower(
  section: Json,
  featureLayers: readonly number[],
  strategy: string,
  sources: PartSources = {},
): Promise<VisionEncoder> {
  const type = String(section['model_type'] ?? 'clip_vision_model');
  if (type === 'clip_vision_model') {
    const { create, read } = await findDefinition('encoder', type, sources);
    return create({ ...read!(section), featureLayers, classToken: strategy === 'full' ? 'keep' : 'drop' });
  }
  if (type === 'siglip_vision_model') {
    if (strategy !== 'full')
      throw new ConfigError({
        message: `config.json: vision_feature_select_strategy '${strategy}' would drop a real patch: SigLIP has no class token.`,
        hint: "Set it to 'full'.",
      });
    const { create, read } = await findDefinition('encoder', type, sources);
    return create({ ...read!(section), featureLayers });
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
