export { dequantizeGguf, ggufBlock } from './gguf-blocks.js';
export { cacheFolder, quantizedFile, writeQuantized } from '#backend';
export type {
  CachedFile,
  CacheOptions,
  QuantizedFile,
  WriteOptions,
  WriteQuantized,
} from './backend/write-quantized.js';
export {
  blocksIn,
  storedBytes,
  tensorsOf,
  type Keeping,
  type MatrixBlocks,
  type PublishedSource,
  type QuantizedTensor,
  type QuantizeJob,
  type StoredBytes,
} from './job.js';
export {
  publishedFormat,
  type PublishedFormat,
  type PublishedJoin,
  type StoredTensor,
} from './published-format.js';
export { roundRows, type RoundedRows } from './round.js';
export {
  describeScheme,
  schemeOf,
  schemes,
  type Scheme,
  type SchemeName,
  type WeightDtype,
} from './scheme.js';
export { exactBlocks, exactForm } from './exact-blocks.js';
export {
  groupedCodes,
  readPublished,
  type GroupedCodes,
  type PublishedForm,
  type PublishedMatrix,
  type PublishedPiece,
} from './published.js';
