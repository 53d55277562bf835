import type { TensorData } from '@weft/graph';
import type { RecipeFiles } from '@weft/models';
import type { CrossShare, Json } from '@weft/spec';
import type { Visual } from './visuals.js';

/** Keys or values of one attention layer that the cache keeps. */
export interface CacheSlot {
  /** Graph input with the earlier tokens, `[past, batch, heads, size]`. */
  readonly past: string;
  /** Graph output with the new tokens, `[sequence, batch, heads, size]`. */
  readonly present: string;
  readonly heads: number;
  readonly size: number;
}

/** All that an engine needs: plain data, so that it can be sent to a worker thread. */
export interface EngineSetup {
  /** `config.json`, from which the image processor is made. */
  readonly config: Json;
  readonly files: Omit<RecipeFiles, 'parts' | 'importPackage'>;
  /** Folder to which the weights' locations in the graphs are relative. */
  readonly weightFolder: string;
  /** The language model; without its cross-attention layers if it has any. */
  readonly text: { readonly bytes: Uint8Array; readonly cache: readonly CacheSlot[] };
  /** With the width of the image embeddings, and whether some stand among the tokens. */
  readonly vision: {
    readonly bytes: Uint8Array;
    readonly hiddenSize: number;
    readonly isPlaced: boolean;
  } | null;
  /** The language model with its cross-attention layers, if it has any. */
  readonly cross: CrossSetup | null;
  /** Threads of ONNX Runtime; its default, the physical cores, when undefined. */
  readonly threads: number | undefined;
}

/** A language model whose cross-attention layers see pictures. */
export interface CrossSetup {
  readonly bytes: Uint8Array;
  /** Inputs with the keys and values of pictures; outputs of the graph of pictures. */
  readonly slots: readonly { readonly name: string; readonly heads: number; readonly size: number }[];
  /** Keys of a tile, its tag included. */
  readonly keysPerTile: number;
}

/** Keys and values of a picture that an engine holds for cross-attention layers. */
export interface PictureHandle {
  readonly id: number;
  readonly tiles: number;
}

/** One run of the text graph over `batch` rows of `length` new tokens each. */
export interface TextStep {
  readonly length: number;
  /** `[batch, length]`, as is `mask`. */
  readonly inputIds: BigInt64Array;
  /** `[batch, length]`, or `[axes, batch, length]` where the model has a rule for positions. */
  readonly positionIds: BigInt64Array;
  /** 1 for tokens that count, 0 for padding. */
  readonly mask: BigInt64Array;
  /** Flat positions (row times length plus column) whose logits are wanted. */
  readonly logitPositions: BigInt64Array;
  /** Flat positions that image embeddings take, `[N]`. */
  readonly imagePositions: BigInt64Array;
  /** `[N, D]`. */
  readonly imageEmbeds: Float32Array;
  /** Of each row the pictures that its cross-attention may see, by handle; none if all rows are without pictures. */
  readonly seenKeys: readonly (readonly number[])[];
  /**
   * `[batch, length, tiles of the row that has most]`: 1 where a token sees a tile, 0 where not, -1 where its row has no
   * such tile.
   */
  readonly seenMask: BigInt64Array;
}

/** A picture or a video as the language model sees it. */
export interface EncodedImage {
  /** `[tokens, D]`: those that stand among the tokens, or all if none do. */
  readonly embeds: Float32Array;
  /** What the engine holds of it for cross-attention layers, until it is told to forget it. */
  readonly keys?: PictureHandle | undefined;
  /** ms. */
  readonly preprocess: number;
  /** ms. */
  readonly encode: number;
}

/**
 * Runs the graphs of one model and keeps its key/value caches. Calls run one after another, in order. Arrays that are
 * passed in belong to the engine afterwards; arrays that come back belong to the caller.
 */
export interface Engine {
  /**
   * A picture or a video through its processor, encoder and connector.
   *
   * @param total pictures of the conversation
   */
  encode(visual: Visual, total: number): Promise<EncodedImage>;
  /**
   * Inputs of the encoder's graph as they are, through encoder and connector: all embeddings `[tokens, D]`.
   *
   * @param share what cross-attention layers see of the picture; without it no keys are held
   */
  encodeTensors(
    inputs: Readonly<Record<string, TensorData>>,
    share?: CrossShare,
  ): Promise<Pick<EncodedImage, 'embeds' | 'keys'>>;
  /** Forgets keys of pictures. */
  forget(keys: readonly number[]): Promise<void>;
  /** A new cache for `batch` rows; returns its number. */
  open(batch: number): Promise<number>;
  /** Appends tokens to a cache; returns the logits `[M, V]` at the positions asked for. */
  run(cache: number, step: TextStep): Promise<Float32Array>;
  /** Replaces the rows of a cache by the named ones, in that order; rows may repeat. */
  select(cache: number, rows: readonly number[]): Promise<void>;
  /** Forgets all tokens of a cache after the first `length`. */
  truncate(cache: number, length: number): Promise<void>;
  release(cache: number): Promise<void>;
  /** Waits for what is under way, then frees everything. */
  close(): Promise<void>;
}
