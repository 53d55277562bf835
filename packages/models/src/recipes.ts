import { ConfigError } from '@weft/errors';
import type { Json, Model } from '@weft/spec';
import { importError, isKnownType, knownTypes, missingPackages, notInstalled } from './parts.js';
import { recipeCatalog } from './recipe-catalog.js';
import type { RecipeDefinition, RecipeEntry, RecipeFiles } from './recipe.js';
import { textRecipe } from './text.js';

/**
 * The model that a `config.json` describes. Its recipe and parts are imported now.
 *
 * @throws ConfigError that lists the known types if there is no recipe, or names the packages of parts that are missing
 */
export async function modelOf(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const type = String(config['model_type'] ?? '');
  const entry = recipeCatalog.find(({ types }) => types.includes(type));
  if (entry) return (await loadRecipe(entry)).read(config, files);
  if (isKnownType('backbone', type, files)) return textRecipe(config, files);
  throw new ConfigError({
    message: `There is no recipe for model_type '${type}'.`,
    where: 'config.json',
    hint: `Known: ${[...recipeCatalog.flatMap(({ types }) => types), ...knownTypes('backbone', files)].join(', ')}.`,
  });
}

/** @throws ConfigError naming the parts that are missing */
export async function loadRecipe(entry: RecipeEntry): Promise<RecipeDefinition> {
  try {
    return await entry.load();
  } catch (error) {
    const what = `recipe '${entry.name}'`;
    const missing = await missingPackages(entry.packages);
    throw missing.length > 0 ? notInstalled(what, missing, error) : importError(what, entry.packages, error);
  }
}
