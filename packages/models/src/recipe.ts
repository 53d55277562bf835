import type { Json, Model } from '@weft/spec';
import type { PartSources } from './parts.js';

/** What a recipe reads beside `config.json`. */
export interface RecipeFiles extends PartSources {
  /** `preprocessor_config.json`, or the image part of `processor_config.json`. */
  readonly preprocessor?: Json | undefined;
  /** `video_preprocessor_config.json`, or the video part of `processor_config.json`; the preprocessor unless given. */
  readonly videoPreprocessor?: Json | undefined;
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
