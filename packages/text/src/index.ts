export { createTokenizer, loadTokenizer } from './tokenizer.js';
export type {
  DecodeOptions,
  EncodeOptions,
  IncrementalDecoder,
  Tokenizer,
  TokenizerJson,
  TokenizerOptions,
} from './tokenizer.js';
export type { TextRange } from './literal-text.js';
export type { NormalizerConfig } from './normalizer.js';
export type { PatternConfig } from './pattern/text-pattern.js';
export type { TokenEntry, TokenizerConfig } from './tokenizer-settings.js';
export type { ModelConfig } from './vocabulary-model.js';
export type { PreTokenizerConfig } from './pre-tokenizer.js';
export type { DecoderConfig } from './token-decoder.js';
export { createStreamingDecoder } from './streaming-decoder.js';
export type { StreamingDecoder } from './streaming-decoder.js';
export { createStopMatcher } from './stop-strings.js';
export type { StopMatcher, StopResult } from './stop-strings.js';
export { renderChat } from './chat-template.js';
export { loadChatTemplate, type ChatTemplateOptions } from './chat-template-files.js';
export type { ChatMessage, ContentPart, RenderChatOptions } from './chat-template.js';
export { withRenderThread } from './render-apart.js';
export { encodeSegments } from './chat-segments.js';
export type { Segment } from './chat-segments.js';
export {
  coordinateCodec,
  CoordinateError,
  coordinateFormats,
  findPlaces,
  type CoordinateBox,
  type CoordinateCodec,
  type CoordinateFormat,
  type CoordinatePoint,
  type CoordinateProblem,
  type CoordinateResult,
  type CoordinateSize,
  type FoundPlace,
  type Place,
} from './coordinates.js';
export { findPointings, writePointing, type Pointing } from './pointing.js';
