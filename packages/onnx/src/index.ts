export { emitModel, type EmitOptions, type EmittedModel } from './emit.js';
export {
  inference,
  type HeldGraph,
  type HeldSlot,
  type InferenceGraph,
  type InferenceOptions,
} from './inference.js';
export {
  dataTypes,
  serializeModel,
  type ExternalTensor,
  type ModelProto,
  type StorageType,
  type ValueInfo,
} from './model-proto.js';
export { MessageWriter } from './protobuf.js';
export {
  blocksPerRow,
  dequantize,
  isBlocks,
  rowBytes,
  type BlockData,
  type BlockForm,
  type Blocks,
  type Plain,
  type StoredWeight,
} from './stored-weight.js';
export type { BlockSupport, Expansions, Lowering, NodeToServe, Target } from './target.js';
export { cpuTarget, type CpuOptions } from './targets/cpu.js';
export { targets, type TargetName } from './targets/index.js';
