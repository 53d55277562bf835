import type { TensorData } from '@weft/graph';
import type { RecipeFiles } from '@weft/models';
import type { Json } from '@weft/spec';
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
  readonly files: RecipeFiles;
  /** Folder to which the weights' locations in the graphs are relative. */
  readonly weightFolder: string;
  readonly text: { readonly bytes: Uint8Array; readonly cache: readonly CacheSlot[] };
  /** With the width of the image embeddings. */
  readonly vision: { readonly bytes: Uint8Array; readonly hiddenSize: number } | null;
  /** Threads of ONNX Runtime; its default, the physical cores, when undefined. */
  readonly threads: number | undefined;
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
}

/** A picture or a video as the language model sees it. */
export interface EncodedImage {
  /** `[tokens, D]`. */
  readonly embeds: Float32Array;
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
  /** A picture or a video through its processor, encoder and connector. */
  encode(visual: Visual): Promise<EncodedImage>;
  /** Inputs of the encoder's graph as they are, through encoder and connector: `[tokens, D]`. */
  encodeTensors(inputs: Readonly<Record<string, TensorData>>): Promise<Float32Array>;
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
