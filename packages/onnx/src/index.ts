export { emitModel, type Capability, type EmitOptions, type EmittedModel } from './emit.js';
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
