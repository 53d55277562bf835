import type { AnyModule, Parameter, Value } from '@weft/graph';
import type { ActivationName } from './activation.js';
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
  /** Activation of its MLPs, by its name in `config.json`. */
  readonly hiddenAct: ActivationName;
  /** What its norms add to variances. */
  readonly normEps: number;
  /** Tokens that have an embedding, but that the head never predicts; their ids follow the vocabulary. None unless given. */
  readonly extraTokens?: number | undefined;
}

/** What cross-attention layers attend to. */
export interface VisionContext {
  /** Image embeddings of each row, `[B, S, D]`. */
  readonly states: Value;
  /**
   * What is added to the scores, `[B, 1, L, S]`: 0 where a token sees an embedding, else the most negative float. It is
   * 0 everywhere for a token that sees none, so that its softmax exists.
   */
  readonly bias: Value;
  /** 1 for tokens that see any embedding, else 0: `[B, L, 1]`. */
  readonly sees: Value;
}

/** What every layer of a decoder sees besides the hidden states. */
export interface DecoderContext {
  /** Cosines and sines of the rotary embedding, `[B, L, R/2]`. */
  readonly cos: Value;
  readonly sin: Value;
  /** Whether neighbouring channels turn together (`2j`, `2j + 1`), as in native checkpoints; not unless given. */
  readonly interleaved?: boolean | undefined;
  /** For layers that attend to images; absent under unified embedding, and without images. */
  readonly vision?: VisionContext | undefined;
}

export type DecoderLayer = AnyModule & ((hiddenStates: Value, context: DecoderContext) => Value);

export interface DecoderInputs {
  /** `[B, L, D]`. */
  readonly hiddenStates: Value;
  /** int64 `[B, L]`, or `[A, B, L]` where positions have A axes. */
  readonly positionIds: Value;
  /**
   * int64 `[B]`: tokens of each row with those before and after the ones given, for a backbone whose frequencies depend
   * on it; the largest position of the row and one more unless given.
   */
  readonly lengths?: Value | undefined;
  /** For layers that attend to images. Without it they are skipped. */
  readonly vision?: VisionContext | undefined;
}

/** How the frequencies of rotary positions depend on the length of the text. */
export interface FrequencyRule {
  /** Name of the frequencies of a text of so many tokens. Keys that were turned by frequencies of one name fit together. */
  nameFor(length: number): string;
  /**
   * Tokens beyond which a text model reads a growing text anew, all of it by the frequencies of a long one; where it is
   * absent, keys stay as they were turned when they were read.
   */
  readonly readsAnewBeyond?: number | undefined;
}

/** The language model: token embeddings, a stack of layers, a head. */
export interface Backbone extends Component {
  readonly shape: DecoderShape;
  readonly layers: readonly DecoderLayer[];
  /** Tokens of the longest text, where positions are stretched, of those that `max_position_embeddings` says. */
  readonly longestText?: ((most: number) => number) | undefined;
  /** Absent where frequencies are the same for texts of every length. */
  readonly frequencies?: FrequencyRule | undefined;
  /** Parameters with a row for each token: the table of embeddings, and the head where it is not the table. */
  readonly tokenTables: readonly Parameter[];
  /**
   * The same backbone over another stack; cross-attention fusion uses it.
   *
   * @param paths of the layers beside the backbone's norm, two segments each, such as `layers.0`; their place in the
   * stack unless given
   */
  withLayers(layers: readonly DecoderLayer[], paths?: readonly string[]): Backbone;
  /** int64 ids `[B, L]` to `[B, L, D]`. */
  embed(inputIds: Value): Value;
  /** `[B, L, D]` to `[B, L, D]`, the final norm included. */
  decode(inputs: DecoderInputs): Value;
  /** `[…, D]` to logits `[…, V]`. */
  head(hiddenStates: Value): Value;
}
