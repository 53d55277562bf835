import type { TensorData, TensorType, Value } from '@weft/graph';
import type { Component } from './component.js';
import type { ConnectorContext } from './connector.js';
import type { PatchGrid } from './vision-encoder.js';

/** How an arranger wants one picture cut, and what it makes of the pieces: plain data, which placements carry. */
export interface ArrangedPicture {
  /** The frame that the picture is fitted into and cut in, pixels; `null` if it is seen as a whole only. */
  readonly resolution: readonly [height: number, width: number] | null;
  /** Rows and columns of tiles, 0 and 0 if there are none; the whole picture is one view more, the first. */
  readonly tiles: PatchGrid;
  /** Rows and columns of features that are read of the tiles. */
  readonly map: PatchGrid;
  /** Embeddings of the picture in the prompt. */
  readonly tokens: number;
}

/**
 * Puts the connector's rows into the order in which the prompt has them, where tiles one after another are not enough:
 * rows are left out, blended, and joined by learnt ones. It knows nothing of pixels.
 */
export interface Arranger extends Component {
  /** Graph inputs by name, besides the encoder's. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  /**
   * Graph inputs of encoder and arranger from the tensors that the reference implementation takes, views that only
   * fill up a batch left out; `undefined` if there are no pictures among the tensors.
   *
   * @throws InputError if the tensors do not fit each other
   */
  prepare(given: Readonly<Record<string, TensorData>>): Readonly<Record<string, TensorData>> | undefined;
  /**
   * How a picture of this size is cut, where the arranger decides it.
   *
   * @param total pictures of the conversation, on which it may depend
   */
  plan?(size: { readonly width: number; readonly height: number }, total: number): ArrangedPicture;
  /** `[N, D]` of all tiles to `[tokens, D]` of all pictures. */
  arrange(rows: Value, inputs: Readonly<Record<string, Value>>): Value;
}

/** An arranger that waits for the width of its rows and the layout of a tile. */
export type ArrangerFactory = (context: Omit<ConnectorContext, 'visionSize'>) => Arranger;
