import type { Value } from '@weft/graph';
import type { Backbone, VisionContext } from './backbone.js';
import type { Source } from './component.js';

/** Image embeddings that stand among the tokens. */
export interface PlacedEmbeds {
  /** int64 `[N]`: flat places (row times L plus column), in order. */
  readonly positions: Value;
  /** `[N, D]`. */
  readonly embeds: Value;
}

/** Tiles that cross-attention layers attend to. */
export interface SeenTiles {
  /** Embeddings of all tiles, `[M, P, D]`. */
  readonly embeds: Value;
  /** int64 `[B, U]`: the tiles of each row, by number. */
  readonly tiles: Value;
  /**
   * int64 `[B, L, U]`: 1 where a token sees a tile, 0 where not, -1 where the row has no such tile, which not even a
   * token that sees none attends to.
   */
  readonly mask: Value;
  /** Embeddings of the tag that stands before each tile, `[B, U, G, D]`. */
  readonly tags?: Value | undefined;
}

/** Text on its way into the decoder. */
export interface TextInputs {
  /** Token embeddings `[B, L, D]`, placeholders included. */
  readonly hiddenStates: Value;
  /** Of methods A and H. */
  readonly placed?: PlacedEmbeds | undefined;
  /** Of methods B and H. */
  readonly seen?: SeenTiles | undefined;
}

export interface FusedInputs {
  /** `[B, L, D]`. */
  readonly hiddenStates: Value;
  /** For cross-attention layers; absent under unified embedding. */
  readonly vision?: VisionContext | undefined;
}

/** A backbone as a fusion leaves it. */
export interface AttachedBackbone {
  readonly backbone: Backbone;
  /** Numbers of the layers in `backbone.layers` that the fusion added; none if it is as it was. */
  readonly added: readonly number[];
}

/** Decides where image embeddings enter the backbone. */
export interface Fusion {
  readonly id: string;
  readonly source: Source;
  readonly config: Readonly<Record<string, unknown>>;
  /** Package that defines it, where that is not one of Weft's: saved compositions name it. */
  readonly package?: string | undefined;
  /** Method of the survey: A unified embedding decoder, B cross-attention, H both. */
  readonly method: 'A' | 'B' | 'H';
  /**
   * Which of the pictures before a token its cross-attention sees: those of the `last` group, pictures with no text
   * between them, or `all`. Absent under method A.
   */
  readonly visibility?: 'last' | 'all' | undefined;
  /**
   * What stays out of a token that sees no picture: `attention-and-mlp`, so that the layers leave it as it is, or the
   * `mlp` only, so that its attention goes to all pictures, those that come after it as well. Absent under method A.
   */
  readonly unseen?: 'attention-and-mlp' | 'mlp' | undefined;
  /** The backbone unchanged, or with layers added. Called once, when a model is composed. */
  attach(backbone: Backbone): AttachedBackbone;
  /** The decoder's inputs from text and images. */
  join(text: TextInputs): FusedInputs;
}
