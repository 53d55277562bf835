import type { Tensors } from '@weft/feeds';
import type { ImagePlacement } from '@weft/spec';

/** One training sample after tokenising. */
export interface TrainingExample {
  /** Token ids, placeholders expanded. */
  readonly inputIds: readonly number[];
  /** For each token the id itself where it is supervised, else -100; not shifted. */
  readonly labels: readonly number[];
  /** What the processor makes of the sample's pictures, or the tensors that the reference takes; none for text. */
  readonly images: Tensors | null;
  /** How its pictures were placed; for models whose cross-attention layers see them. */
  readonly placements?: readonly ImagePlacement[] | undefined;
}
