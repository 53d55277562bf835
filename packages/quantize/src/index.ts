export { dequantizeGguf, ggufBlock } from './gguf-blocks.js';
export { cacheFolder, quantizedFile, writeQuantized } from '#backend';
export type {
  CachedFile,
  CacheOptions,
  QuantizedFile,
  WriteOptions,
  WriteQuantized,
} from './backend/write-quantized.js';
export { blocksIn, tensorsOf, type MatrixBlocks, type QuantizedTensor, type QuantizeJob } from './job.js';
export { roundRows, type RoundedRows } from './round.js';
export {
  describeScheme,
  schemeOf,
  schemes,
  storedBytes,
  type Scheme,
  type SchemeName,
  type WeightDtype,
} from './scheme.js';
export { exactBlocks } from './exact-blocks.js';
export {
  groupedCodes,
  readPublished,
  type GroupedCodes,
  type PublishedForm,
  type PublishedMatrix,
  type PublishedPiece,
} from './published.js';
