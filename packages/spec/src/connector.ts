import type { Value } from '@weft/graph';
import type { Component } from './component.js';
import type { ImageFeatures, PatchGrid } from './vision-encoder.js';

/** Turns features into embeddings that the backbone reads. */
export interface Connector extends Component {
  /** Image embeddings of all tiles in order, `[numTokens, textSize]`. */
  connect(features: ImageFeatures): Value;
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
