import type { TensorData } from '@weft/graph';
import type { Model, VisualLayout } from '@weft/spec';
import { isVisualToken, type PlacedRow } from './places.js';
import { tokensOf } from './runs.js';

/** Positions of a batch as the text graph takes them. */
export interface BatchPositions {
  /** int64 `[B, L]`, or `[axes, B, L]` where the model has a rule for positions; 0 at padding. */
  readonly positionIds: TensorData & { readonly data: BigInt64Array };
  /** Position of each row's next token. */
  readonly next: readonly number[];
}

/**
 * Positions of each row's tokens, padding left out, by the model's rule or by counting from 0.
 *
 * @param length columns of the batch
 * @param layouts of the pictures and videos of all rows, in the order of their tokens
 */
export function batchPositions(
  model: Model,
  rows: readonly PlacedRow[],
  length: number,
  layouts: readonly VisualLayout[],
): BatchPositions {
  const { positions: rule } = model;
  const isVisual = isVisualToken(model);
  const waiting = [...layouts];
  const size = rows.length * length;
  const data = new BigInt64Array((rule?.axes ?? 1) * size);
  const next = rows.map(({ ids, columns }, row) => {
    const own = takeLayouts(model, waiting, ids.filter(isVisual).length);
    const assigned = rule?.assign(ids, own) ?? { axes: [ids.map((_, i) => i)], next: ids.length };
    for (const [axis, values] of assigned.axes.entries())
      for (const [token, value] of values.entries())
        data[axis * size + row * length + columns[token]!] = BigInt(value);
    return assigned.next;
  });
  const shape = [...(rule ? [rule.axes] : []), rows.length, length];
  return { positionIds: { dtype: 'int64', shape, data }, next };
}

/** The first of the layouts that wait, as many as fill the tokens. */
function takeLayouts(model: Model, waiting: VisualLayout[], tokens: number): VisualLayout[] {
  const taken: VisualLayout[] = [];
  for (let left = tokens; left > 0 && waiting.length > 0;) {
    const layout = waiting.shift()!;
    taken.push(layout);
    left -= tokensOf(model, layout);
  }
  return taken;
}
