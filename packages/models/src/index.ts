export { compose, textModel, type Composition, type PartPaths } from './compose.js';
export { textGraph, trainingGraph, visionGraph } from './graphs.js';
export { idefics3Recipe } from './idefics3.js';
export { initialValues, initialWeights } from './initialize.js';
export { llavaRecipe } from './llava.js';
export { readClipProcessor, readSiglipProcessor, singleTile, type SingleTileConfig } from './processors/single-tile.js';
export { readSplitTiles, splitTiles, type SplitTilesConfig } from './processors/split-tiles.js';
export { modelOf, type Recipe, type RecipeFiles } from './recipes.js';
export { backboneOf, textRecipe } from './text.js';
