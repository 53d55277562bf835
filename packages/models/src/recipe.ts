import type { Json, Model } from '@weft/spec';

/** Other files of the checkpoint that a recipe reads. */
export interface RecipeFiles {
  /** `preprocessor_config.json`, or the image part of `processor_config.json`. */
  readonly preprocessor?: Json;
  /** `video_preprocessor_config.json`, or the video part of `processor_config.json`; the preprocessor unless given. */
  readonly videoPreprocessor?: Json;
  /** Choices that no file of the checkpoint states, by the names that the recipe gives them. */
  readonly options?: Json;
}

/** A function from a `config.json`, and other files of the checkpoint, to the model that they describe. */
export type Recipe = (config: Json, files?: RecipeFiles) => Model;
