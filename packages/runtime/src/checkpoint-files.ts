import { ConfigError, isWeftError, parseJson, reasonOf } from '@weft/errors';
import { configOfParams } from '@weft/models';
import type { Json } from '@weft/spec';
import { files } from '@weft/weights';
import { missingConfig, requireModelFolder } from './folder-kind.js';
import { parsePythonJson } from './python-json.js';

/** The JSON files of a Hugging Face folder that say what the model is. */
export interface CheckpointFiles {
  /** Absolute path or URL. */
  readonly folder: string;
  /** Names of all its files; `undefined` where they cannot be listed, as on a server. */
  readonly names?: readonly string[] | undefined;
  readonly config: Json;
  /** `preprocessor_config.json`, or the image part of `processor_config.json`; empty if there is neither. */
  readonly preprocessor: Json;
  /** `video_preprocessor_config.json`, or the video part of `processor_config.json`; the preprocessor if there is neither. */
  readonly videoPreprocessor: Json;
  /** `generation_config.json`; empty if there is none. */
  readonly generation: Json;
}

/**
 * Reads the configuration of a checkpoint folder.
 *
 * @throws ConfigError if the folder or its `config.json` is missing, or a file is not a JSON object
 * @throws UnsupportedError for a folder with an adapter
 */
export async function readCheckpointFiles(folder: string): Promise<CheckpointFiles> {
  const path = files.resolve(folder);
  const names = await requireModelFolder(folder);
  const params = await readJsonObject(files.join(path, 'params.json'));
  const config =
    (await readJsonObject(files.join(path, 'config.json'))) ?? (params && configOfParams(params));
  if (!config) throw missingConfig(path, names);
  const own = await readJsonObject(files.join(path, 'preprocessor_config.json'));
  const processor = await readJsonObject(files.join(path, 'processor_config.json'));
  const generation = await readJsonObject(files.join(path, 'generation_config.json'), parsePythonJson);
  const preprocessor = own ?? ((processor?.['image_processor'] ?? {}) as Json);
  const video = (processor?.['video_processor'] ??
    (await readJsonObject(files.join(path, 'video_preprocessor_config.json')))) as Json | undefined;
  return {
    folder: path,
    names,
    config,
    preprocessor,
    videoPreprocessor: video ?? preprocessor,
    generation: generation ?? {},
  };
}

/**
 * A file's JSON object, or `undefined` if there is no such file.
 *
 * @param parse reads the text; throws a SyntaxError
 * @throws ConfigError if it holds something else
 */
export async function readJsonObject(
  path: string,
  parse: (text: string) => unknown = parseJson,
): Promise<Json | undefined> {
  let text: string;
  try {
    text = await files.readText(path);
  } catch (cause) {
    if (files.isMissing(cause)) return undefined;
    if (isWeftError(cause)) throw cause;
    throw new ConfigError({
      message: `The file cannot be read: ${reasonOf(cause)}.`,
      where: path,
      cause,
    });
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new ConfigError({
      message: `The file is not valid JSON: ${reasonOf(cause)}.`,
      where: path,
      hint: 'It is damaged or cut off. Download it again.',
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigError({
      message: 'The file does not hold a JSON object.',
      where: path,
      hint: 'Download it again.',
    });
  return value as Json;
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
