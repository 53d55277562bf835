import type { Model } from '@weft/spec';

/** A row of a batch: its tokens without padding, and the column at which each stands. */
export interface PlacedRow {
  readonly ids: readonly number[];
  /** Ascending. */
  readonly columns: readonly number[];
}

/** Ids that pictures and videos take the place of. */
export const visualTokenIds = ({ senses }: Pick<Model, 'senses'>): readonly number[] =>
  senses.map(({ tokenId }) => tokenId);

/** Whether a token is one that a picture or a video takes the place of. */
export function isVisualToken(model: Pick<Model, 'senses'>): (id: number) => boolean {
  const ids = new Set(visualTokenIds(model));
  return (id) => ids.has(id);
}

/**
 * Flat places (row times length plus column) of the tokens of pictures and videos, in order.
 *
 * @param length columns of the batch
 */
export function visualPlaces(
  model: Pick<Model, 'senses'>,
  rows: readonly PlacedRow[],
  length: number,
): number[] {
  const isVisual = isVisualToken(model);
  return rows.flatMap(({ ids, columns }, row) =>
    ids.flatMap((id, token) => (isVisual(id) ? [row * length + columns[token]!] : [])),
  );
}
