export { ariaRecipe } from './aria.js';
export {
  compareFusions,
  type FusionAnswer,
  type FusionCase,
  type FusionQuestion,
} from './compare-fusions.js';
export { compose, textModel, type Composition, type PartPaths, type VideoComposition } from './compose.js';
export {
  countOperations,
  heldValues,
  type CountOptions,
  type OperationCount,
  type Sizes,
} from './count-operations.js';
export type { CrossComposition, TileTags } from './cross-sight.js';
export { fuyuRecipe } from './fuyu.js';
export { textGraph, trainingGraph, visionGraph } from './graphs.js';
export { idefics3Recipe } from './idefics3.js';
export { initialValues, initialWeights } from './initialize.js';
export { internvlChatRecipe, internvlRecipe } from './internvl.js';
export { janusRecipe } from './janus.js';
export { llavaNextRecipe } from './llava-next.js';
export { llavaRecipe } from './llava.js';
export { mapModel, withTree } from './map-model.js';
export { mllamaNames, mllamaRecipe } from './mllama.js';
export { mm15Recipe } from './mm15.js';
export { molmoNames, molmoRecipe, molmoTemplate, readMolmoTower } from './molmo.js';
export { nvlmRecipe } from './nvlm.js';
export {
  presetBackbone,
  presetConnector,
  presetConnectorNames,
  presetEncoder,
  presetEncoderNames,
} from './part-presets.js';
export { partOf, type PartInCheckpoint, type PartName } from './part-of.js';
export { configOfParams, pixtralNativeRecipe } from './pixtral-native.js';
export { pixtralRecipe } from './pixtral.js';
export { qwen2VlNames, qwen2VlRecipe } from './qwen2-vl.js';
export { presetModel, presetNames } from './presets.js';
export { modelOf, type Recipe, type RecipeFiles } from './recipes.js';
export { backboneOf, textRecipe } from './text.js';
export { tileVisibility, type TileVisibility } from './tile-visibility.js';
export { configOf, llavaConfigOf, readProcessor, weftRecipe, type ConfigFacts } from './weft-config.js';
