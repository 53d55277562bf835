import type { Json, Model } from '@weft/spec';
import type { PartSources } from './parts.js';

/** A name that a file states, and where. */
export interface StatedName {
  readonly name: string;
  readonly place: string;
}

/** Where in a checkpoint's folder the sections stand that a recipe reads, and what stands beside them. Plain data. */
export interface ProcessorOrigin {
  /** File, with the key of the section if it is a part of it, of `preprocessor`; `null` if the folder has none. */
  readonly image: string | null;
  /** The same of `videoPreprocessor`. */
  readonly video: string | null;
  /** `processor_config.json` without the sections of pictures and videos; `null` if the folder has no such file. */
  readonly processor: Json | null;
  /** The class that transformers makes of the folder's files, where one names it. */
  readonly processorClass?: StatedName;
  /** The token that stands for a picture in prompts, where a file names it. */
  readonly imageToken?: StatedName;
}

/** What a recipe reads beside `config.json`. */
export interface RecipeFiles extends PartSources {
  /** The image part of `processor_config.json`, or `preprocessor_config.json`. */
  readonly preprocessor?: Json | undefined;
  /** The video part of `processor_config.json`, or `video_preprocessor_config.json`; the preprocessor unless given. */
  readonly videoPreprocessor?: Json | undefined;
  /** Where these stand, if they are the files of a folder; its files are then compared with each other. */
  readonly origin?: ProcessorOrigin | undefined;
  /** Choices that no file of the checkpoint states, by the names that the recipe gives them. */
  readonly options?: Json | undefined;
}

/** A published size: its `config.json` and the processor's. */
export interface PresetFiles {
  readonly config: Json;
  readonly preprocessor?: Json;
}

/**
 * A recipe as its file states it: which `config.json` files it reads, and how a model becomes of them. A recipe is
 * imported when one of its names is met, and its parts with it.
 */
export interface RecipeDefinition {
  /** For example `llava`: also the last segment of the path it is imported from. */
  readonly name: string;
  /** Values of `model_type`. */
  readonly types: readonly string[];
  /** Published sizes by name; their parts are imported to know theirs. */
  readonly presets: Readonly<Record<string, () => Promise<PresetFiles>>>;
  /**
   * @throws ConfigError for a `config.json` that cannot be read, or if a part is not installed
   */
  read(config: Json, files?: RecipeFiles): Model | Promise<Model>;
}

/** What is known of a recipe before it is imported: a line of the catalog. */
export interface RecipeEntry {
  readonly name: string;
  readonly types: readonly string[];
  /** Names of the published sizes. */
  readonly presets: readonly string[];
  /** Packages of the parts that every one of its models has. */
  readonly packages: readonly string[];
  load(): Promise<RecipeDefinition>;
}
