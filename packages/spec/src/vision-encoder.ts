import type { TensorData, TensorType, Value } from '@weft/graph';
import type { Component } from './component.js';

/** Rows and columns of feature vectors. */
export type PatchGrid = readonly [rows: number, columns: number];

export interface ImageFeatures {
  /** `[numTiles, numPatches, hiddenSize]`. */
  readonly hiddenStates: Value;
  /** Layout of one tile, row-major; `null` at free resolution. */
  readonly grid: PatchGrid | null;
  /**
   * Side of the square blocks of patches that follow one another: block after block by rows, within a block by rows.
   * Patches are row-major if it is absent.
   */
  readonly blockSize?: number | undefined;
}

/** How the features of a picture or a video lie before the connector, at free resolution. */
export interface VisualLayout {
  readonly kind: 'image' | 'video';
  /** Moments that the encoder tells apart; 1 for a picture. */
  readonly frames: number;
  /** Patches. */
  readonly rows: number;
  /** Patches. */
  readonly columns: number;
  /** Time from one moment to the next, s; of videos. */
  readonly interval?: number | undefined;
}

/** One picture or video as the graph of an encoder of free resolution takes it. */
export interface EncoderRun {
  /** Graph inputs by name. */
  readonly inputs: Readonly<Record<string, TensorData>>;
  readonly layout: VisualLayout;
}

/** How an encoder cuts pictures into patches, as far as what prepares its pictures must know. */
export interface PixelLayout {
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  /** Side of the square tiles that it takes, pixels; absent if it takes pictures of other shapes. */
  readonly tileSize?: number | undefined;
  /** Side of the blocks of patches that follow one another; 1 unless given. */
  readonly mergeSize?: number | undefined;
  /** Frames of a patch; 1 unless given. */
  readonly temporalPatchSize?: number | undefined;
  /** Tiles of every picture, those that only fill up included; absent where pictures have as many as they need. */
  readonly maxTiles?: number | undefined;
  /** Arrangements of tiles that it tells apart by their number, counted from 1. */
  readonly canvases?: readonly (readonly [rows: number, columns: number])[] | undefined;
}

/** Turns pixels into feature vectors. */
export interface VisionEncoder extends Component {
  /** Channels of the features. */
  readonly hiddenSize: number;
  /**
   * Layout of one tile's features. `null` at free resolution: pictures then differ in shape, and the graph takes one
   * picture at a time.
   */
  readonly grid: PatchGrid | null;
  /** Its patches and tiles in pixels; processors read them here. */
  readonly pixels: PixelLayout;
  /** Graph inputs by name. Those that the reference implementation has too bear its names, such as `pixel_values`. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  /**
   * Graph inputs from the tensors that the reference implementation takes, one set for each run of the graph: grids
   * become positions, padded batches are cut to their pictures. Pictures come first, then videos; tensors that are not
   * the encoder's are left alone, so there may be no run at all. Encoders whose graph takes the reference's tensors as
   * they are have none.
   *
   * @throws InputError if the tensors do not fit each other
   */
  prepare?(given: Readonly<Record<string, TensorData>>): readonly EncoderRun[];
  encode(inputs: Readonly<Record<string, Value>>): ImageFeatures;
}
