export { importPackage } from '#backend';
export { loadChatTemplate as findChatTemplate } from '@weft/text';
export { Chat, type ChatOptions, type SendOptions } from './chat.js';
export { maxPositionsOf, readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.js';
export { encodePieces } from './encode-pieces.js';
export type { ForwardInputs, Logits } from './forward.js';
export type { GenerationOptions } from './generation-options.js';
export {
  GenerationStream,
  type FinishReason,
  type GenerationChunk,
  type GenerationResult,
  type Timings,
} from './generation-stream.js';
export { load, type LoadOptions } from './load.js';
export { LoadedModel, type GenerationRequest, type UnusedTensor } from './loaded-model.js';
export { openFolder, openPart, type OpenFolder, type OpenFolderOptions } from './open-folder.js';
export { openSession, type SessionSettings } from './onnx-runtime.js';
export {
  roles,
  type ConversationTools,
  type ForeignPart,
  type Message,
  type MessageFields,
  type MessageInput,
  type MessagePart,
  type Question,
  type QuestionInput,
  type Role,
} from './message.js';
export { partWeights, type PartWeightsOptions } from './part-weights.js';
export { seededRandom, type Random } from './random.js';
export { readEntry } from './read-entry.js';
export { readMessages } from './read-message.js';
export { readPictures } from './read-visuals.js';
export {
  conversationRenderer,
  renderConversation,
  type RenderedPart,
  type Renderer,
} from './conversation.js';
export type { LogitsProcessor, SequenceBias } from './logits-processors.js';
export { verify, type VerifyOptions, type VerifyReport } from './verify.js';
export type { VerifyCheck } from './verify-check.js';
export { checkThreads } from './threads.js';
export type { ImageInput, VideoInput } from './visuals.js';
export type { WeightPiece } from './weight-pieces.js';
export type { Watermarking } from './watermark.js';
export { writeModel, type ModelToWrite, type WeightToWrite } from './write-model.js';
export { smallStorage, type SmallStorage } from './small-storage.js';
export {
  chooseWeights,
  choices,
  smallWeights,
  type ChoiceName,
  type ChosenWeight,
  type DtypeOption,
  type SmallWeight,
  type WeightDtypes,
} from './weight-forms.js';
export { agreementOf, type Agreement } from './compare-forms.js';
