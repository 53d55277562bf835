import type { RowSight, TokenRow } from '@weft/feeds';
import type { TensorData } from '@weft/graph';
import type { RecipeFiles } from '@weft/models';
import type { CrossShare, Json } from '@weft/spec';
import type { SequenceId } from './sequence-table.js';
import type { WeightPiece } from './weight-pieces.js';

export type { SequenceId } from './sequence-table.js';

/** Keys or values of one attention layer that the engine keeps. */
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
  /** What the worker makes the preparer of pictures from; without it pictures are prepared in the calling thread. */
  readonly preparer: {
    readonly config: Json;
    readonly files: Omit<RecipeFiles, 'parts' | 'importPackage'>;
  } | null;
  /** Folder to which the weights' locations in the graphs are relative. */
  readonly weightFolder: string;
  /** The language model; without its cross-attention layers if it has any. */
  readonly text: TextSetup;
  readonly vision: VisionSetup | null;
  /** The language model with its cross-attention layers, if it has any. */
  readonly cross: CrossSetup | null;
  /** Bytes of keys and values of prompts' beginnings that are held for other prompts. */
  readonly prefixCacheBytes: number;
  /** Threads of ONNX Runtime; its default, the physical cores, when undefined. */
  readonly threads: number | undefined;
}

/** An ONNX model, and where its weights lie. */
export interface EmittedGraph {
  readonly bytes: Uint8Array;
  /** Weights to give to its session; none where ONNX Runtime maps files. */
  readonly pieces: readonly WeightPiece[];
}

export interface TextSetup extends EmittedGraph {
  readonly cache: readonly CacheSlot[];
  readonly hiddenSize: number;
  /** Numbers that make up a position, where the model has a rule for positions. */
  readonly axes: number | undefined;
  /** Whether it takes the lengths of the texts, on which the frequencies of positions depend. */
  readonly takesLengths: boolean;
  /** Whether a layer attends to the tokens within a distance only. */
  readonly hasWindow: boolean;
}

export interface VisionSetup extends EmittedGraph {
  /** Whether image embeddings stand among the tokens. */
  readonly isPlaced: boolean;
  /** Whether all inputs are lists of tiles, and embeddings follow tile by tile: pictures may then share a run. */
  readonly isTiled: boolean;
}

/** A language model whose cross-attention layers see pictures. */
export interface CrossSetup extends EmittedGraph {
  /** Inputs with the keys and values of pictures; outputs of the graph of pictures. */
  readonly slots: readonly { readonly name: string; readonly heads: number; readonly size: number }[];
  /** Keys of a tile, its tag included. */
  readonly keysPerTile: number;
  /** Tokens of the tag before each tile; 0 without tags. */
  readonly tagTokens: number;
}

/** A picture or a video as the encoder's graph takes it. */
export interface Sight {
  /** Inputs of each run, in the order of their embeddings. */
  readonly runs: readonly Readonly<Record<string, TensorData>>[];
  /** What cross-attention layers see of it; without it no keys are held. */
  readonly share?: CrossShare | undefined;
}

/** A picture or a video whose embeddings and keys an engine holds until it is told to forget them. */
export interface HeldPicture {
  readonly id: number;
  /** Embeddings of all its tiles. */
  readonly tokens: number;
  /** Tiles that cross-attention layers may attend to. */
  readonly tiles: number;
  readonly bytes: number;
}

/** Neighbouring embeddings of a picture that the engine holds. */
export interface EmbedPiece {
  readonly picture: number;
  readonly from: number;
  readonly count: number;
}

/** New tokens of a sequence. */
export interface StepRow extends Omit<TokenRow, 'embeds' | 'seen'> {
  readonly id: SequenceId;
  /** The embeddings at `places`, in order. */
  readonly pieces?: readonly EmbedPiece[] | undefined;
  /** What the tokens see by cross-attention; absent where the model reads them without those layers. */
  readonly seen?: RowPictures | undefined;
}

/** Pictures that a row's cross-attention may see. */
export interface RowPictures extends RowSight {
  /** Their numbers, in the order of their tiles. */
  readonly pictures: readonly number[];
}

/**
 * Runs the graphs of one model over sequences of tokens, whose keys and values it keeps. How sequences lie side by side,
 * the memory they take and the padding between them are its own business. Calls run one after another, in order.
 */
export interface Engine {
  /**
   * Encodes pictures, and holds their embeddings where they stand among tokens, and their keys.
   *
   * @param keep holds the embeddings in any case
   */
  see(sights: readonly Sight[], keep?: boolean): Promise<readonly HeldPicture[]>;
  /** Embeddings `[tokens, D]` of a picture. */
  embeds(picture: number): Promise<Float32Array>;
  /** Forgets pictures. */
  forget(pictures: readonly number[]): Promise<void>;
  /**
   * A new sequence. It begins with what is held of the prompt's blocks, see `blockKeys`.
   *
   * @returns its number, and how many tokens it holds
   */
  open(blocks?: readonly string[]): Promise<OpenedSequence>;
  /** Holds the beginning of a sequence for others, within the budget. @param blocks keys of its first blocks */
  hold(id: SequenceId, blocks: readonly string[]): Promise<void>;
  /** A sequence with the same tokens; neither sees what is appended to the other. */
  fork(id: SequenceId): Promise<SequenceId>;
  /** Forgets all tokens of a sequence after the first `length`. */
  truncate(id: SequenceId, length: number): Promise<void>;
  /** Forgets a sequence. */
  release(id: SequenceId): Promise<void>;
  /**
   * Appends tokens to sequences, all different.
   *
   * @returns for each row the logits `[M, V]` that it asks for
   */
  step(rows: readonly StepRow[]): Promise<readonly Float32Array[]>;
  /** Waits for what is under way, then frees everything. */
  close(): Promise<void>;
}

export interface OpenedSequence {
  readonly id: SequenceId;
  readonly held: number;
}
