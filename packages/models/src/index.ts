export {
  compareFusions,
  type FusionAnswer,
  type FusionCase,
  type FusionQuestion,
} from './compare-fusions.js';
export { mllamaNames, qwen2VlNames } from './checkpoint-names.js';
export { compose, textModel, type Composition, type PartPaths, type VideoComposition } from './compose.js';
export { checkConfigBounds, type HeldTensors } from './config-bounds.js';
export { configOf, weftConfigOf, type ConfigFacts } from './config-of.js';
export { configOfParams } from './config-of-params.js';
export {
  countOperations,
  heldValues,
  type CountOptions,
  type OperationCount,
  type Sizes,
} from './count-operations.js';
export type { CrossComposition, TileTags } from './cross-sight.js';
export { textGraph, trainingGraph, visionGraph, visionLossGraph } from './graphs.js';
export { splitMix32, xoshiro128, type RandomBits } from './random.js';
export { initialValues, initialWeights } from './initialize.js';
export { llavaConfigOf } from './llava-config.js';
export { mapModel, withTree } from './map-model.js';
export { modelSignature } from './model-signature.js';
export { molmoNames, molmoTemplate, molmoTower } from './molmo-files.js';
export { partOf, type PartInCheckpoint, type PartName } from './part-of.js';
export { findDefinition, type FoundDefinition, type PartSources } from './parts.js';
export {
  presetBackbone,
  presetConnector,
  presetConnectorNames,
  presetEncoder,
  presetEncoderNames,
  presetModel,
  presetNames,
} from './presets.js';
export { readProcessor } from './processor-of.js';
export type { PresetFiles, ProcessorOrigin, RecipeDefinition, RecipeFiles, StatedName } from './recipe.js';
export { modelOf } from './recipes.js';
export { backboneOf, readBackbone, textRecipe, type PublishedBackbone } from './text.js';
export { untied } from './untied.js';
export { tileVisibility, type TileVisibility } from './tile-visibility.js';
