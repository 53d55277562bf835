import type { AnyModule, Value } from '@weft/graph';
import type { Component } from './component.js';

/** Sizes of a decoder that others need; names as in `config.json`. */
export interface DecoderShape {
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
}

/** What every layer of a decoder sees beside the hidden states. */
export interface DecoderContext {
  /** Cosines and sines of the rotary embedding, `[B, L, R/2]`. */
  readonly cos: Value;
  readonly sin: Value;
  /** Whether neighbouring channels turn together (`2j`, `2j + 1`), as in native checkpoints; not unless given. */
  readonly interleaved?: boolean | undefined;
  /** Image embeddings for layers that attend to them, `[B, S, D]`; absent under unified embedding. */
  readonly visionStates?: Value | undefined;
}

export type DecoderLayer = AnyModule & ((hiddenStates: Value, context: DecoderContext) => Value);

export interface DecoderInputs {
  /** `[B, L, D]`. */
  readonly hiddenStates: Value;
  /** int64 `[B, L]`, or `[A, B, L]` where positions have A axes. */
  readonly positionIds: Value;
  readonly visionStates?: Value | undefined;
}

/** The language model: token embeddings, a stack of layers, a head. */
export interface Backbone extends Component {
  readonly shape: DecoderShape;
  readonly layers: readonly DecoderLayer[];
  /** The same backbone over another stack; cross-attention fusion uses it. */
  withLayers(layers: readonly DecoderLayer[]): Backbone;
  /** int64 ids `[B, L]` to `[B, L, D]`. */
  embed(inputIds: Value): Value;
  /** `[B, L, D]` to `[B, L, D]`, the final norm included. */
  decode(inputs: DecoderInputs): Value;
  /** `[…, D]` to logits `[…, V]`. */
  head(hiddenStates: Value): Value;
}
