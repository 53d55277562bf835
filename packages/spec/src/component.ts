import type { AnyModule } from '@weft/graph';

/** Where an architecture comes from: shown in the docs, checked by the test kit. */
export interface Source {
  /** Address of the paper or report. */
  readonly paper: string;
  /** Reference implementation. */
  readonly code: string;
}

/** What every part says of itself. */
export interface Component extends AnyModule {
  /** Name of the package's idea, for example `encoder-clip`. */
  readonly id: string;
  readonly source: Source;
  /** What the part's factory was told, as data: a composed model is saved and built again from it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Package that defines it, where that is not one of Weft's: saved compositions name it. */
  readonly package?: string | undefined;
  /**
   * Whether its rotary embeddings turn neighbouring channels together (`2j`, `2j + 1`), which weights of queries and keys
   * must be ordered for; not unless given.
   */
  readonly ropeInterleaved?: boolean | undefined;
}
