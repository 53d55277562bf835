import type { FusionAnswer } from '@weft/models';
import type { ImageSize } from './describe-model.js';

/** Values of the options of `weft compare`. */
export interface CompareFlags {
  readonly encoder: string;
  readonly connector?: string;
  readonly backbone: string;
  readonly every: number;
  readonly maxTiles: number;
  readonly image?: readonly ImageSize[];
  readonly promptTokens?: readonly number[];
  readonly json?: boolean;
  readonly svg?: string;
}

/** What `weft compare --json` prints. */
export interface Comparison {
  readonly encoder: string;
  readonly connector: string;
  readonly backbone: string;
  /** Under B and H a cross-attention layer stands before every Nth layer. */
  readonly every: number;
  readonly maxTiles: number;
  /** Of the caches. */
  readonly bytesPerNumber: number;
  readonly methods: readonly FusionAnswer[];
}
