import { ConfigError } from '@weft/errors';
import { inFile } from '@weft/processors';
import type { Json } from '@weft/spec';
import type { RecipeFiles } from './recipe.js';

/** Classes of transformers that a model's pictures may be prepared by, and its prompts. */
export interface ProcessorClasses {
  /** Image processors that make the model's inputs, the first where no file of a folder is read. */
  readonly classes: readonly [string, ...string[]];
  /** The one where no file names it: that of the model type in transformers; the first of `classes` unless given. */
  readonly usual?: string;
  /** Classes of whole processors that treat prompts as the recipe does; any unless given. */
  readonly processors?: readonly string[];
}

/**
 * What classes take for their sizes. Readers leave a size that is not stated to the encoder; transformers does not, so that
 * a file without it makes tiles that the model refuses unless they happen to be the encoder's.
 */
const classSizes: Readonly<Record<string, Json>> = {
  AriaImageProcessor: { max_image_size: 980, min_image_size: 336 },
  FuyuImageProcessor: { patch_size: { height: 30, width: 30 } },
  GotOcr2ImageProcessor: { size: { height: 384, width: 384 } },
  Idefics3ImageProcessor: { max_image_size: { longest_edge: 364 } },
  JanusImageProcessor: { size: { height: 384, width: 384 } },
  LlavaNextImageProcessor: {
    size: { shortest_edge: 224 },
    crop_size: { height: 224, width: 224 },
    image_grid_pinpoints: [
      [336, 672],
      [672, 336],
      [672, 672],
      [1008, 336],
      [336, 1008],
    ],
  },
  LlavaOnevisionImageProcessor: {
    size: { height: 384, width: 384 },
    image_grid_pinpoints: [1, 2, 3, 4, 5, 6].flatMap((rows) =>
      [1, 2, 3, 4, 5, 6].map((columns) => [384 * rows, 384 * columns]),
    ),
  },
  MllamaImageProcessor: { size: { height: 224, width: 224 }, max_image_tiles: 4 },
  PixtralImageProcessor: { size: { longest_edge: 1024 } },
  Qwen2VLImageProcessor: { patch_size: 14, temporal_patch_size: 2, merge_size: 2 },
  SmolVLMImageProcessor: { max_image_size: { longest_edge: 364 } },
};

const modelType = (config: Json): string => String(config['model_type']);

/** What a place is called in messages; a preset's files have none. */
const imagePlace = ({ origin }: RecipeFiles): string => origin?.image ?? 'preprocessor_config.json';

/**
 * The class that prepares pictures, as `AutoImageProcessor` of transformers 5.18 finds it: `image_processor_type`, else
 * `feature_extractor_type` with another ending, else `image_processor_type` of `config.json`, else that of the model type.
 * `Fast` and `Pil` name the same class for other libraries.
 */
export function imageTypeOf(config: Json, preprocessor: Json, usual: string, place: string): string {
  const said = (section: Json, key: string, where: string): string | undefined => {
    const value = section[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string') return value;
    throw new ConfigError({
      message: `${where}: ${key} is ${JSON.stringify(value)}, expected the name of a class.`,
    });
  };
  const type =
    said(preprocessor, 'image_processor_type', place) ??
    said(preprocessor, 'feature_extractor_type', place)?.replace('FeatureExtractor', 'ImageProcessor') ??
    said(config, 'image_processor_type', 'config.json') ??
    usual;
  return type.replace(/(Fast|Pil)$/, '');
}

/**
 * The section that says how pictures are prepared, under the name of its class, with the class's own sizes where the file
 * of a folder leaves them out.
 *
 * @throws ConfigError naming both files if the folder has no such section, or names a class that is not the model's
 */
export function imageSection(config: Json, files: RecipeFiles, expected: ProcessorClasses): Json {
  const { preprocessor = {}, origin, notice } = files;
  const { classes: known, usual = known[0], processors } = expected;
  if (origin && origin.image === null)
    throw new ConfigError({
      message: `Nothing says how pictures are prepared: config.json is of a ${modelType(config)}, but the folder has no image_processor in processor_config.json, and no preprocessor_config.json.`,
      hint: 'Download the checkpoint again, with all its JSON files.',
    });
  const place = imagePlace(files);
  const type = imageTypeOf(config, preprocessor, origin ? usual : known[0], place);
  if (!known.includes(type))
    throw new ConfigError({
      message: `${place}: the class of the image processor is ${type}, but config.json is of a ${modelType(config)}, whose pictures ${known.join(' or ')} prepares.`,
      hint: 'Both files must come from one checkpoint.',
    });
  const named = origin?.processorClass;
  if (named && processors && !processors.includes(named.name))
    throw new ConfigError({
      message: `${named.place}: processor_class is ${named.name}, but config.json is of a ${modelType(config)}, which ${processors.join(' or ')} serves.`,
      hint: 'Both files must come from one checkpoint.',
    });
  const sized = origin && classSizes[type] ? { ...classSizes[type], ...preprocessor } : preprocessor;
  return inFile({ ...sized, image_processor_type: type }, { place, notice });
}

/** The section that says how videos are prepared. */
export const videoSection = ({ videoPreprocessor, preprocessor = {}, origin, notice }: RecipeFiles): Json =>
  inFile(videoPreprocessor ?? preprocessor, {
    place: origin?.video ?? 'video_preprocessor_config.json',
    // What the file of pictures says is told when it is read for them.
    notice: origin && origin.video !== origin.image ? notice : undefined,
  });

/** A field of `processor_config.json`, and what the model makes it. */
export interface ProcessorField {
  readonly key: string;
  /** By `config.json`. */
  readonly model: unknown;
  /** What the processor's class takes where no file says it; leaving it out is left to the model unless given. */
  readonly usual?: unknown;
}

/**
 * Compares what `processor_config.json` says of prompts with the model: transformers counts a picture's tokens by the one,
 * and embeds them by the other.
 *
 * @throws ConfigError naming both files if they differ
 */
export function requireProcessor({ origin }: RecipeFiles, fields: readonly ProcessorField[]): void {
  // A folder without the file was written before there was one, or by somebody who left it out: the model says it all.
  if (!origin?.processor) return;
  for (const { key, model, usual } of fields) {
    const found = origin.processor[key] ?? undefined;
    const value = found ?? usual;
    if (value === undefined || JSON.stringify(value) === JSON.stringify(model)) continue;
    throw new ConfigError({
      message: `processor_config.json: ${key} is ${JSON.stringify(value)}${found === undefined ? ', as nothing else is said' : ''}, but by config.json it is ${JSON.stringify(model)}.`,
      hint: 'Both files must come from one checkpoint.',
    });
  }
}

/**
 * Compares the token that stands for a picture with the model's.
 *
 * @throws ConfigError naming both files if they differ
 */
export function requireImageToken({ origin }: RecipeFiles, placeholder: string): void {
  const found = origin?.imageToken;
  if (found && found.name !== placeholder)
    throw new ConfigError({
      message: `${found.place}: image_token is '${found.name}', but the recipe of config.json's model_type puts pictures in the place of '${placeholder}'.`,
      hint: 'Both files must come from one checkpoint.',
    });
}
