import type { TensorType, Value } from '@weft/graph';
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
  /** Layout of one tile's features; `null` at free resolution. */
  readonly grid: PatchGrid | null;
  /** Graph inputs by their checkpoint-world names, `pixel_values` first. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  encode(inputs: Readonly<Record<string, Value>>): ImageFeatures;
}
