export { ariaRecipe } from './aria.js';
export {
  compareFusions,
  type FusionAnswer,
  type FusionCase,
  type FusionQuestion,
} from './compare-fusions.js';
export {
  compose,
  textModel,
  type Composition,
  type CrossComposition,
  type PartPaths,
  type TileTags,
} from './compose.js';
export {
  countOperations,
  heldValues,
  type CountOptions,
  type OperationCount,
  type Sizes,
} from './count-operations.js';
export { fuyuRecipe } from './fuyu.js';
export { textGraph, trainingGraph, visionGraph } from './graphs.js';
export { idefics3Recipe } from './idefics3.js';
export { initialValues, initialWeights } from './initialize.js';
export { internvlChatRecipe, internvlRecipe } from './internvl.js';
export { janusRecipe } from './janus.js';
export {
  canvasTiles,
  planCanvas,
  readCanvasTiles,
  type CanvasPlan,
  type CanvasTilesConfig,
} from './processors/canvas-tiles.js';
export { cornerTiles, readCornerTiles, type CornerTilesConfig } from './processors/corner-tiles.js';
export {
  countTiles,
  dynamicTiles,
  planTiles,
  readDynamicTiles,
  type DynamicTilesConfig,
  type TileGrid,
} from './processors/dynamic-tiles.js';
export { planCrops, type CropPlan, type OverlapCropsConfig } from './processors/crop-plan.js';
export { overlapCrops, readOverlapCrops, type CropTokens } from './processors/overlap-crops.js';
export {
  paddedTiles,
  planPadded,
  readPaddedTiles,
  type PaddedPlan,
  type PaddedTilesConfig,
} from './processors/padded-tiles.js';
export { patchCuts, readPatchCuts, type PatchCutsConfig } from './processors/patch-cuts.js';
export { llavaNextRecipe } from './llava-next.js';
export { llavaRecipe } from './llava.js';
export { mapModel, withTree } from './map-model.js';
export { mllamaNames, mllamaRecipe } from './mllama.js';
export { mm15Recipe } from './mm15.js';
export { molmoNames, molmoRecipe, molmoTemplate, readMolmoTower } from './molmo.js';
export { nvlmRecipe } from './nvlm.js';
export { mropePositions, type MropeConfig, type VideoAdvance } from './mrope.js';
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
  readJanusProcessor,
  readSiglipProcessor,
  singleTile,
  type SingleTileConfig,
} from './processors/single-tile.js';
export { readSplitTiles, splitTiles, type SplitTilesConfig } from './processors/split-tiles.js';
export { qwen2VlNames, qwen2VlRecipe } from './qwen2-vl.js';
export { presetModel, presetNames } from './presets.js';
export { modelOf, type Recipe, type RecipeFiles } from './recipes.js';
export { backboneOf, textRecipe } from './text.js';
export { tileVisibility, type TileVisibility } from './tile-visibility.js';
export {
  configOf,
  llavaConfigOf,
  processorKindOf,
  processorOf,
  weftRecipe,
  type ConfigFacts,
  type ProcessorKind,
} from './weft-config.js';
