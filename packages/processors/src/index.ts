export { anyresTiles, anyresTilesPart, readAnyresTiles, type AnyresTilesConfig } from './anyres-tiles.js';
export {
  canvasTiles,
  canvasTilesPart,
  planCanvas,
  readCanvasTiles,
  type CanvasPlan,
  type CanvasTilesConfig,
} from './canvas-tiles.js';
export { cornerTiles, cornerTilesPart, readCornerTiles, type CornerTilesConfig } from './corner-tiles.js';
export { planCrops, type CropLayout, type CropPlan } from './crop-plan.js';
export {
  countTiles,
  dynamicTiles,
  dynamicTilesPart,
  planTiles,
  readDynamicTiles,
  type DynamicTilesConfig,
  type TileGrid,
  type TileLimits,
} from './dynamic-tiles.js';
export {
  overlapCrops,
  overlapCropsPart,
  readOverlapCrops,
  type CropTokens,
  type OverlapCropsConfig,
} from './overlap-crops.js';
export { packedPatches, packedPatchesPart } from './packed-patches.js';
export { packedVideo, packedVideoPart } from './packed-video.js';
export {
  imageLimits,
  readPackedPatches,
  videoLimits,
  type PackedPatchesConfig,
  type StatedPacking,
} from './packing.js';
export {
  paddedTiles,
  paddedTilesPart,
  planPadded,
  readPaddedTiles,
  type PaddedLimits,
  type PaddedPlan,
  type PaddedTilesConfig,
} from './padded-tiles.js';
export { patchCuts, patchCutsPart, readPatchCuts, type PatchCutsConfig } from './patch-cuts.js';
export { patchRows, patchRowsPart, readPatchRows, type PatchRowsConfig } from './patch-rows.js';
export type { PixelConfig } from './pixel-config.js';
export { plannedImages, type PlanSteps } from './planned.js';
export { fileReader, inFile, placeOf, type FileContext, type FileReader } from './file-fields.js';
export { singleTile, type Resizing, type SingleTileConfig } from './single-tile.js';
export {
  readClipProcessor,
  readJanusProcessor,
  readSiglipProcessor,
  singleTilePart,
} from './single-tile-files.js';
export { smartResize, type PixelLimits } from './smart-resize.js';
export {
  readSplitTiles,
  splitTiles,
  splitTilesPart,
  type SplitTilesConfig,
  type SplitTokens,
} from './split-tiles.js';
export type { TileText } from './tile-text.js';
