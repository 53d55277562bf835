import type { PatchGrid } from '@weft/spec';
import type { AnyresPlan } from './plan.js';

/** Rows that make up the embeddings of pictures: each is a weighted sum of `taps` rows of a table. */
export interface RowIndex {
  readonly tokens: number;
  readonly taps: number;
  /** `[tokens, taps]`; 0 is the newline, `i + 1` row `i` of the connector. */
  readonly indices: BigInt64Array;
  /** `[tokens, taps]`. */
  readonly weights: Float32Array;
}

/** Rows of the table along one side, and their shares. */
type Taps = readonly (readonly [at: number, weight: number])[];

/**
 * The rows of several pictures, one after another: of each the whole view, then the features of its tiles row by row,
 * each row ended by the newline. One that is seen as a whole only ends with it too.
 *
 * @param grid features of one tile
 */
export function indexRows(plans: readonly AnyresPlan[], grid: PatchGrid): RowIndex {
  const [gridRows, gridColumns] = grid;
  const perTile = gridRows * gridColumns;
  const tokens = plans.reduce((sum, plan) => sum + plan.tokens, 0);
  const taps = plans.some(isShrunk) ? 4 : 1;
  const indices = new BigInt64Array(tokens * taps);
  const weights = new Float32Array(tokens * taps);
  let [token, first] = [0, 1];
  const put = (rows: Taps): void => {
    for (const [tap, [row, weight]] of rows.entries()) {
      indices[token * taps + tap] = BigInt(row);
      weights[token * taps + tap] = weight;
    }
    token++;
  };
  const newline: Taps = [[0, 1]];
  for (const plan of plans) {
    for (let i = 0; i < perTile; i++) put([[first + i, 1]]);
    if (plan.resolution === null) {
      put(newline);
      first += perTile;
      continue;
    }
    const { tiles, kept, map } = plan;
    const rowOf = (y: number, x: number): number => {
      const tile = 1 + Math.floor(y / gridRows) * tiles[1] + Math.floor(x / gridColumns);
      return first + tile * perTile + (y % gridRows) * gridColumns + (x % gridColumns);
    };
    const across = Array.from({ length: map[1] }, (_, x) => tapsOf(x, kept.width, map[1]));
    for (let y = 0; y < map[0]; y++) {
      const down = tapsOf(y, kept.height, map[0]);
      for (const columns of across)
        put(
          down.flatMap(([dy, wy]) =>
            columns.map(([dx, wx]) => [rowOf(kept.top + dy, kept.left + dx), wy * wx] as const),
          ),
        );
      put(newline);
    }
    first += (1 + tiles[0] * tiles[1]) * perTile;
  }
  return { tokens, taps, indices, weights };
}

const isShrunk = ({ kept, map }: AnyresPlan): boolean => map[0] !== kept.height || map[1] !== kept.width;

/** Bilinear resizing along one side without aligned corners, in float32 as torch computes it. */
function tapsOf(to: number, size: number, wanted: number): Taps {
  if (size === wanted) return [[to, 1]];
  const source = Math.max(0, Math.fround(Math.fround(Math.fround(size / wanted) * (to + 0.5)) - 0.5));
  const low = Math.min(Math.floor(source), size - 1);
  const share = Math.fround(source - low);
  return [
    [low, Math.fround(1 - share)],
    [Math.min(low + 1, size - 1), share],
  ];
}
