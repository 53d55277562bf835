import type { RowGrid } from '@weft/feeds';
import type { TensorData } from '@weft/graph';
import type { Arrangement } from './sequence-table.js';

/** A zero and then ones: the mask of one sequence is a view of it. */
let pattern = new BigInt64Array(0);

function zeroThenOnes(length: number): BigInt64Array {
  if (pattern.length < length) {
    pattern = new BigInt64Array(2 * length).fill(1n);
    pattern[0] = 0n;
  }
  return pattern.subarray(0, length);
}

/** Which times count, int64 `[batch, past + length]`: of each column the last ones of the past, and its new tokens. */
export function attentionMask(
  { store, pasts }: Arrangement,
  { batch, length, mask }: Pick<RowGrid, 'batch' | 'length' | 'mask'>,
): TensorData {
  const total = store.length + length;
  const shape = [batch, total];
  // A row alone has no padding, but for the first time of the past.
  if (batch === 1 && pasts[0] === store.length - 1)
    return { dtype: 'int64', shape, data: zeroThenOnes(total) };
  const data = new BigInt64Array(batch * total);
  const ones = zeroThenOnes(store.length + 1).subarray(1);
  for (const [column, past] of pasts.entries()) {
    const newest = column * total + store.length;
    data.set(ones.subarray(0, past), newest - past);
    data.set(mask.subarray(column * length, (column + 1) * length), newest);
  }
  return { dtype: 'int64', shape, data };
}
