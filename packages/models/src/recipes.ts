import { ConfigError } from '@weft/errors';
import type { Json, Model } from '@weft/spec';
import { ariaRecipe } from './aria.js';
import { fuyuRecipe } from './fuyu.js';
import { idefics3Recipe } from './idefics3.js';
import { internvlChatRecipe, internvlRecipe } from './internvl.js';
import { janusRecipe } from './janus.js';
import { llavaNextRecipe } from './llava-next.js';
import { llavaRecipe } from './llava.js';
import { mllamaRecipe } from './mllama.js';
import { mm15Recipe } from './mm15.js';
import { molmoRecipe } from './molmo.js';
import { nvlmRecipe } from './nvlm.js';
import { isPixtral, pixtralRecipe } from './pixtral.js';
import { pixtralNativeRecipe } from './pixtral-native.js';
import { qwen2VlRecipe } from './qwen2-vl.js';
import type { Recipe, RecipeFiles } from './recipe.js';
import { isTextFamily, textFamilies, textRecipe } from './text.js';
import { weftRecipe } from './weft-config.js';

/** Recipes by the `model_type` of `config.json`. */
const recipes: Readonly<Record<string, Recipe>> = {
  llava: (config, files) => (isPixtral(config) ? pixtralRecipe : llavaRecipe)(config, files),
  llava_next: llavaNextRecipe,
  llava_onevision: llavaNextRecipe,
  pixtral_native: pixtralNativeRecipe,
  qwen2_vl: qwen2VlRecipe,
  qwen2_5_vl: qwen2VlRecipe,
  fuyu: fuyuRecipe,
  aria: ariaRecipe,
  janus: janusRecipe,
  multi_modality: janusRecipe,
  mllama: mllamaRecipe,
  internvl: internvlRecipe,
  internvl_chat: internvlChatRecipe,
  mm1_5: mm15Recipe,
  molmo: molmoRecipe,
  NVLM_D: nvlmRecipe,
  nvlm_x: nvlmRecipe,
  nvlm_h: nvlmRecipe,
  idefics3: idefics3Recipe,
  smolvlm: idefics3Recipe,
  weft: weftRecipe,
};

/**
 * The model that a `config.json` describes.
 *
 * @throws ConfigError that lists the known types, if there is no recipe
 */
export function modelOf(config: Json, files: RecipeFiles = {}): Model {
  const type = String(config['model_type'] ?? '');
  const recipe = Object.hasOwn(recipes, type) ? recipes[type] : isTextFamily(type) ? textRecipe : undefined;
  if (!recipe)
    throw new ConfigError({
      message: `There is no recipe for model_type '${type}'.`,
      where: 'config.json',
      hint: `Known: ${[...Object.keys(recipes), ...textFamilies()].join(', ')}.`,
    });
  return recipe(config, files);
}
