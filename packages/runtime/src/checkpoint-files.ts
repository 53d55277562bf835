import type { TakeNotice } from '@weft/errors';
import { configOfParams, type RecipeFiles } from '@weft/models';
import type { Json } from '@weft/spec';
import { files } from '@weft/weights';
import { folderPath, missingConfig, requireModelFolder } from './folder-kind.js';
import { processorFilesOf } from './processor-files.js';
import { parsePythonJson } from './python-json.js';
import { readJsonObject } from './read-json-object.js';

/** The JSON files of a Hugging Face folder that say what the model is. */
export interface CheckpointFiles {
  /** Absolute path or URL. */
  readonly folder: string;
  /** Names of all its files; `undefined` where they cannot be listed, as on a server. */
  readonly names?: readonly string[] | undefined;
  readonly config: Json;
  /** The image part of `processor_config.json`, or `preprocessor_config.json`; empty if there is neither. */
  readonly preprocessor: Json;
  /** The video part of `processor_config.json`, or `video_preprocessor_config.json`; the preprocessor if there is neither. */
  readonly videoPreprocessor: Json;
  /**
   * What a recipe reads beside `config.json`: the preprocessor, that of videos, and where both stand.
   */
  readonly recipe: Pick<RecipeFiles, 'preprocessor' | 'videoPreprocessor' | 'origin'>;
  /** `generation_config.json`; empty if there is none. */
  readonly generation: Json;
}

/**
 * Reads the configuration of a checkpoint folder. Which of several files counts is as transformers 5.18 has it; the guide
 * (`docs/guide/7-files.md`) lists all of it.
 *
 * @param notice takes what a file says that another one's word goes before
 * @throws ConfigError if the folder or its `config.json` is missing, or a file is not a JSON object
 * @throws UnsupportedError for a folder with an adapter
 */
export async function readCheckpointFiles(folder: string, notice?: TakeNotice): Promise<CheckpointFiles> {
  const path = folderPath(folder);
  const names = await requireModelFolder(folder);
  const read = (name: string): Promise<Json | undefined> => readJsonObject(files.join(path, name));
  const own = await read('config.json');
  const params = own ? undefined : await read('params.json');
  const config = own ?? (params && configOfParams(params));
  if (!config) throw missingConfig(path, names);
  const [processor, preprocessor, video, tokenizer, generation] = await Promise.all([
    read('processor_config.json'),
    read('preprocessor_config.json'),
    read('video_preprocessor_config.json'),
    read('tokenizer_config.json'),
    readJsonObject(files.join(path, 'generation_config.json'), parsePythonJson),
  ]);
  const recipe = processorFilesOf({ config, processor, preprocessor, video, tokenizer }, notice);
  return {
    folder: path,
    names,
    config,
    preprocessor: recipe.preprocessor ?? {},
    videoPreprocessor: recipe.videoPreprocessor ?? {},
    recipe,
    generation: generation ?? {},
  };
}

const sectionsOf = (config: Json): Json[] =>
  [config['text_config'], config].filter(
    (section): section is Json => typeof section === 'object' && section !== null,
  );

/** Most tokens that the language model was made for; no limit if the config does not say. */
export function maxPositionsOf(config: Json): number {
  for (const section of sectionsOf(config)) {
    const value = section['max_position_embeddings'];
    if (typeof value === 'number' && value > 0) return value;
  }
  return Infinity;
}
