import type { TensorEntry } from '@weft/weights';
import type { MatrixBlocks, QuantizedTensor, QuantizeJob } from '../job.js';

export interface WriteOptions {
  /** Most threads; the processors unless given. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Share of the work that is done, 0 to 1. */
  readonly progress?: ((share: number) => void) | undefined;
  /** Strings for the header of the file. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * Rounds matrices of files and writes them into one safetensors file, a few rows at a time, so that no matrix is ever in
 * memory as a whole. The file has its name only when all of it is on the disk.
 *
 * @returns what rounding cost, in the order of the jobs
 * @throws WeightError for a matrix with numbers that are not finite
 * @throws UnsupportedError in browsers
 */
export type WriteQuantized = (
  path: string,
  jobs: readonly QuantizeJob[],
  options?: WriteOptions,
) => Promise<readonly QuantizedTensor[]>;

export interface CacheOptions extends Omit<WriteOptions, 'metadata'> {
  /** Folder of the cache; that of `cacheFolder()` unless given. */
  readonly cache?: string | undefined;
}

/** Matrices in blocks in a file of the cache. */
export interface CachedFile {
  /** Absolute path. */
  readonly path: string;
  /** Whether it was there before. */
  readonly isCached: boolean;
  /** What rounding cost, in the order of the jobs. */
  readonly tensors: readonly QuantizedTensor[];
  /** Where the parts of each matrix lie, by the name of the job. */
  readonly blocks: ReadonlyMap<string, MatrixBlocks | TensorEntry>;
}

/**
 * The file of the cache that holds matrices in blocks; it is written if it is missing. Its name is a hash of the content of
 * the sources, their places in it and the schemes, so that it is never taken for another and any process can use it.
 *
 * @throws WeightError for a matrix with numbers that are not finite
 * @throws UnsupportedError in browsers
 */
export type QuantizedFile = (jobs: readonly QuantizeJob[], options?: CacheOptions) => Promise<CachedFile>;
