import { ConfigError } from '@weft/errors';
import type { CheckpointNames, Json, VisionEncoder } from '@weft/spec';
import { findDefinition, type PartSources } from '../parts.js';
import type { RecipeFiles } from '../recipe.js';

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
 * The vision tower of a LLaVA-like checkpoint: any encoder that reads a section of this model type, sees tiles of one size
 * and lets its layers be chosen.
 *
 * @param strategy `full` keeps the class token, `default` drops it
 * @throws ConfigError if there is no such tower, or it has no class token to drop
 */
export async function visionTower(
  section: Json,
  featureLayers: readonly number[],
  strategy: string,
  sources: PartSources = {},
): Promise<VisionEncoder> {
  const type = String(section['model_type'] ?? 'clip_vision_model');
  const { create, read } = await findDefinition('encoder', type, sources);
  const config = read?.(section);
  const usual = config && create(config);
  if (!usual?.grid || !('featureLayers' in usual.config))
    throw new ConfigError({
      message: `config.json: a vision tower of model_type '${type}' does not see tiles of one size by layers of choice, as LLaVA needs it.`,
      hint: 'Compose it by hand.',
    });
  if ('classToken' in usual.config)
    return create({ ...config, featureLayers, classToken: strategy === 'full' ? 'keep' : 'drop' });
  if (strategy !== 'full')
    throw new ConfigError({
      message: `config.json: vision_feature_select_strategy '${strategy}' would drop a real patch: ${usual.id} has no class token.`,
      hint: "Set it to 'full'.",
    });
  return create({ ...config, featureLayers });
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

/**
 * Compares what `processor_config.json` makes of one tile with what the tower does: transformers counts the patches of a
 * side by `patch_size`, adds `num_additional_image_tokens`, and takes one off where the class token is dropped.
 *
 * @throws ConfigError naming both files if the numbers differ
 */
export function requireLlavaTokens({ origin }: RecipeFiles, { grid, pixels }: VisionEncoder): void {
  const processor = origin?.processor ?? {};
  const patchSize = processor['patch_size'] ?? undefined;
  if (patchSize === undefined || !grid) return;
  const [added, strategy] = [
    processor['num_additional_image_tokens'] ?? 0,
    processor['vision_feature_select_strategy'] ?? null,
  ];
  const side = Math.floor(pixels.tileSize! / Number(patchSize));
  const tokens = side * side + Number(added) - (strategy === 'default' ? 1 : 0);
  if (side === grid[0] && tokens === grid[0] * grid[1]) return;
  throw new ConfigError({
    message: `processor_config.json: patch_size ${JSON.stringify(patchSize)}, num_additional_image_tokens ${JSON.stringify(added)} and vision_feature_select_strategy ${JSON.stringify(strategy)} make ${tokens} tokens of a tile, but by config.json it has ${grid[0]} x ${grid[1]}.`,
    hint: 'Both files must come from one checkpoint.',
  });
}

/**
 * Where files hold a tower's tensors: CLIP's and SigLIP's have a segment that the classes of other towers do not, and
 * transformers reads those without it only.
 */
export const storedTower = ({ id }: VisionEncoder): Pick<CheckpointNames, 'stored'> =>
  ['encoder-clip', 'encoder-siglip'].includes(id)
    ? {}
    : { stored: (name) => ({ name: name.replace(/^vision_tower\.vision_model\./, 'vision_tower.') }) };
