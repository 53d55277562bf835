import type { TensorData, TensorType, Value } from '@weft/graph';
import type { Component } from './component.js';
import type { ImageFeatures, PatchGrid, VisualLayout } from './vision-encoder.js';

/** Turns features into embeddings that the backbone reads. */
export interface Connector extends Component {
  /** Graph inputs by name, besides the encoder's; none unless given. */
  readonly inputs?: Readonly<Record<string, TensorType>> | undefined;
  /**
   * Image embeddings of all tiles in order, `[numTokens, textSize]`.
   *
   * @param inputs the connector's own graph inputs
   */
  connect(features: ImageFeatures, inputs?: Readonly<Record<string, Value>>): Value;
  /** Its own graph inputs for a run of an encoder of free resolution; those with none have no such function. */
  prepare?(layout: VisualLayout): Readonly<Record<string, TensorData>>;
  /**
   * Tokens that one tile takes up in the prompt; agrees with `connect`.
   *
   * @throws ShapeError if the grid does not fit the connector
   */
  countTokens(grid: PatchGrid): number;
}

/** What a composition tells a connector: widths and layout of the two sides. */
export interface ConnectorContext {
  readonly visionSize: number;
  readonly textSize: number;
  readonly grid: PatchGrid | null;
}

/** A connector that waits for its widths, so that a recipe cannot state them wrongly. */
export type ConnectorFactory = (context: ConnectorContext) => Connector;
