import { constant, matmul, reshape, type Value } from '@weft/graph';
import type { PatchGrid } from '@weft/spec';

/**
 * Shares of the rows of a grid in its pooled rows, `[to, from]`: row `i` is the mean of the rows from `floor(i from / to)`
 * to before `ceil((i + 1) from / to)`, as PyTorch's adaptive pooling. Windows overlap where `to` does not divide `from`.
 */
export function poolingShares(from: number, to: number): number[][] {
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [Math.floor((i * from) / to), Math.ceil(((i + 1) * from) / to)];
    return Array.from({ length: from }, (_share, j) => (j >= start && j < end ? 1 / (end - start) : 0));
  });
}

/** Adaptive average pooling of rows and columns: `[T, rows, columns, C]` to `[T, to, to, C]`. */
export function adaptiveAveragePool(x: Value, [rows, columns]: PatchGrid, to: number): Value {
  const [tiles, , , size] = x.shape as readonly [number, number, number, number];
  const shares = (from: number): Value =>
    constant(Float32Array.from(poolingShares(from, to).flat()), x.dtype, [to, from]);
  const down = matmul(shares(rows), reshape(x, [tiles, rows, columns * size]));
  const across = matmul(shares(columns), reshape(down, [tiles, to, columns, size]));
  return reshape(across, [tiles, to, to, size]);
}
