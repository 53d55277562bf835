import { ConfigError } from '@weft/errors';
import { configOfParams } from '@weft/models';
import type { Json } from '@weft/spec';
import { files } from '@weft/weights';
import { parsePythonJson } from './python-json.js';

/** The JSON files of a Hugging Face folder that say what the model is. */
export interface CheckpointFiles {
  /** Absolute path or URL. */
  readonly folder: string;
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
 */
export async function readCheckpointFiles(folder: string): Promise<CheckpointFiles> {
  const path = files.resolve(folder);
  const kind = await files.kindOf(path).catch(() => undefined);
  if (kind !== 'folder')
    throw new ConfigError({
      message: 'There is no such folder.',
      where: path,
      hint: 'Pass the folder of a Hugging Face checkpoint: config.json, *.safetensors, tokenizer.json.',
    });
  const params = await readJsonObject(files.join(path, 'params.json'));
  const config =
    (await readJsonObject(files.join(path, 'config.json'))) ?? (params && configOfParams(params));
  if (!config)
    throw new ConfigError({
      message: 'The folder has no config.json.',
      where: path,
      hint: 'Pass the folder of a Hugging Face checkpoint; its files must be complete.',
    });
  const own = await readJsonObject(files.join(path, 'preprocessor_config.json'));
  const processor = await readJsonObject(files.join(path, 'processor_config.json'));
  const generation = await readJsonObject(files.join(path, 'generation_config.json'), parsePythonJson);
  const preprocessor = own ?? ((processor?.['image_processor'] ?? {}) as Json);
  const video = (processor?.['video_processor'] ??
    (await readJsonObject(files.join(path, 'video_preprocessor_config.json')))) as Json | undefined;
  return {
    folder: path,
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
  parse: (text: string) => unknown = JSON.parse,
): Promise<Json | undefined> {
  let text: string;
  try {
    text = await files.readText(path);
  } catch (cause) {
    if (files.isMissing(cause)) return undefined;
    throw new ConfigError({
      message: `The file cannot be read: ${(cause as Error).message}.`,
      where: path,
      cause,
    });
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new ConfigError({
      message: `The file is not valid JSON: ${(cause as Error).message}.`,
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
