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

/** A tensor that is laid out before its bytes are known. */
export type TensorToFill = Pick<TensorToWrite, 'name' | 'dtype' | 'shape'>;

/** Where the bytes of a tensor belong in its file. */
export interface FilledPlace {
  readonly offset: number;
  readonly byteLength: number;
}

/** A file of the right size in which bytes are zero until they are written. */
export interface FileToFill {
  /** Of the temporary file: open it to write at places of it. */
  readonly path: string;
  /** By the name of the tensor. */
  readonly places: ReadonlyMap<string, FilledPlace>;
}
