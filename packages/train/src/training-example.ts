import type { TensorData } from '@weft/graph';
import type { ImagePlacement } from '@weft/spec';

/** One training sample after tokenising. */
export interface TrainingExample {
  /** Token ids, placeholders expanded. */
  readonly inputIds: readonly number[];
  /** For each token the id itself where it is supervised, else -100; not shifted. */
  readonly labels: readonly number[];
  /** Encoder inputs of the sample's pictures, tiles first; none for text. */
  readonly images: Readonly<Record<string, TensorData>> | null;
  /** How its pictures were placed; for models whose cross-attention layers see them. */
  readonly placements?: readonly ImagePlacement[] | undefined;
}
