export { crossFeeds, type CrossRow } from './cross.js';
export { givenSight, picturesByRow, type GivenPicture } from './given-pictures.js';
export { isVisualToken, visualPlaces, visualTokenIds, type PlacedRow } from './places.js';
export { batchPositions, type BatchPositions } from './positions.js';
export { joinArrays, layOutRows, type RowGrid, type RowShape, type TokenRow } from './rows.js';
export {
  fittedTo,
  inTokenOrder,
  joinRuns,
  sharesRuns,
  sightRuns,
  tokensOf,
  type SightRun,
  type Tensors,
} from './runs.js';
export { requireAllRead, watched, type Watched } from './watched.js';
export { seenMask, type RowSight, type SeeingRow } from './sight.js';
