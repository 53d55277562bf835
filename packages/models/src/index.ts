export { compose, textModel, type Composition, type PartPaths } from './compose.js';
export { textGraph, trainingGraph, visionGraph } from './graphs.js';
export { idefics3Recipe } from './idefics3.js';
export { initialValues, initialWeights } from './initialize.js';
export { llavaNextRecipe } from './llava-next.js';
export { llavaRecipe } from './llava.js';
export { mropePositions, type MropeConfig, type VideoAdvance } from './mrope.js';
export { partOf, type PartInCheckpoint, type PartName } from './part-of.js';
export { configOfParams, pixtralNativeRecipe } from './pixtral-native.js';
export { pixtralRecipe } from './pixtral.js';
export { anyresTiles, readAnyresTiles, type AnyresTilesConfig } from './processors/anyres-tiles.js';
export {
  packedPatches,
  packedVideo,
  readPackedPatches,
  smartResize,
  type PackedPatchesConfig,
  type PackedVision,
} from './processors/packed-patches.js';
export {
  patchRows,
  readPatchRows,
  type PatchRowsConfig,
  type PatchRowsVision,
} from './processors/patch-rows.js';
export {
  readClipProcessor,
  readSiglipProcessor,
  singleTile,
  type SingleTileConfig,
} from './processors/single-tile.js';
export { readSplitTiles, splitTiles, type SplitTilesConfig } from './processors/split-tiles.js';
export { qwen2VlRecipe } from './qwen2-vl.js';
export { presetModel, presetNames } from './presets.js';
export { modelOf, type Recipe, type RecipeFiles } from './recipes.js';
export { backboneOf, textRecipe } from './text.js';
export {
  configOf,
  llavaConfigOf,
  processorKindOf,
  processorOf,
  weftRecipe,
  type ConfigFacts,
  type ProcessorKind,
} from './weft-config.js';
