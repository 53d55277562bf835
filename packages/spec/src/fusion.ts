import type { Value } from '@weft/graph';
import type { Backbone } from './backbone.js';
import type { Source } from './component.js';

/** Text on its way into the decoder. */
export interface TextInputs {
  /** Token embeddings `[B, L, D]`, placeholders included. */
  readonly hiddenStates: Value;
  /** int64 `[N]`: flat places (row times L plus column) of the image embeddings, in order. */
  readonly imagePositions: Value;
}

export interface FusedInputs {
  /** `[B, L, D]`. */
  readonly hiddenStates: Value;
  /** Image embeddings for cross-attention layers; absent under unified embedding. */
  readonly visionStates?: Value | undefined;
}

/** Decides where image embeddings enter the backbone. */
export interface Fusion {
  readonly id: string;
  readonly source: Source;
  readonly config: Readonly<Record<string, unknown>>;
  /** Method of the survey: A unified embedding decoder, B cross-attention, H both. */
  readonly method: 'A' | 'B' | 'H';
  /** The backbone unchanged, or with layers added. Called once, when a model is composed. */
  attach(backbone: Backbone): Backbone;
  /** @param imageEmbeds `[N, D]` */
  join(text: TextInputs, imageEmbeds: Value): FusedInputs;
}
