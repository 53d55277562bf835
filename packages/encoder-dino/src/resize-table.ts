import { constant, matmul, reshape, type Value } from '@weft/graph';

export interface TableSides {
  /** Side of the table. */
  readonly from: number;
  /** Side of the result. */
  readonly to: number;
  /** Whether the filter widens when the table is made smaller. */
  readonly antialias: boolean;
}

/**
 * A square table resized by bicubic interpolation, `[1, from * from, D]` to `[1, to * to, D]`, as
 * `torch.nn.functional.interpolate(mode='bicubic', align_corners=False)` does. The interpolation is linear in the table
 * and treats rows and columns alike, so it is a product with one constant matrix on either axis.
 */
export function resizeTable(table: Value, { from, to, antialias }: TableSides): Value {
  if (from === to) return table;
  const size = Number(table.shape[2]);
  const weights = constant(bicubicWeights({ from, to, antialias }), 'float32', [to, from]);
  const rows = matmul(weights, reshape(table, [from, from * size]));
  return reshape(matmul(weights, reshape(rows, [to, from, size])), [1, to * to, size]);
}

/**
 * How much each of `from` points adds to each of `to` points, `[to, from]` row by row; every row adds up to 1.
 *
 * Without antialiasing PyTorch takes four neighbours and repeats the point at the border; with it, it takes what lies
 * within the filter, weighs the rest anew, and has another kernel.
 */
export function bicubicWeights({ from, to, antialias }: TableSides): Float64Array {
  const scale = from / to;
  const weights = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    const row = weights.subarray(i * from, (i + 1) * from);
    const center = scale * (i + 0.5);
    if (antialias) {
      const stretch = Math.max(scale, 1);
      const start = Math.max(0, Math.trunc(center - 2 * stretch + 0.5));
      const end = Math.min(from, Math.trunc(center + 2 * stretch + 0.5));
      for (let j = start; j < end; j++) row[j] = cubic((j + 0.5 - center) / stretch, -0.5);
      const sum = row.reduce((total, weight) => total + weight, 0);
      for (let j = start; j < end; j++) row[j]! /= sum;
    } else {
      const nearest = Math.floor(center - 0.5);
      for (let j = nearest - 1; j <= nearest + 2; j++)
        row[Math.min(Math.max(j, 0), from - 1)]! += cubic(j + 0.5 - center, -0.75);
    }
  }
  return weights;
}

/** Keys' cubic convolution kernel, 0 from a distance of 2. */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}
