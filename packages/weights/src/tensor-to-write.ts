import type { SafetensorsDtype } from './dtypes.js';

/** One tensor to be written. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /**
   * The bytes in little-endian order, or a function that delivers them when their turn comes, so that only one
   * tensor is in memory at a time.
   */
  readonly data: Uint8Array | (() => Promise<Uint8Array>);
}
