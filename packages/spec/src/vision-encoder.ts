import type { TensorData, TensorType, Value } from '@weft/graph';
import type { Component } from './component.js';

/** Rows and columns of feature vectors. */
export type PatchGrid = readonly [rows: number, columns: number];

export interface ImageFeatures {
  /** `[numTiles, numPatches, hiddenSize]`. */
  readonly hiddenStates: Value;
  /** Layout of one tile, row-major; `null` at free resolution. */
  readonly grid: PatchGrid | null;
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
  /** Graph inputs by name. Those that the reference implementation has too bear its names, such as `pixel_values`. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  /**
   * Graph inputs from the tensors that the reference implementation takes, one set for each run of the graph: grids
   * become positions, padded batches are cut to their pictures. Encoders whose graph takes those tensors as they are
   * have none.
   *
   * @throws InputError if the tensors do not fit each other
   */
  prepare?(given: Readonly<Record<string, TensorData>>): readonly Readonly<Record<string, TensorData>>[];
  encode(inputs: Readonly<Record<string, Value>>): ImageFeatures;
}
