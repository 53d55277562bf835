import type { CrossSight, ImagePlacement, ImageProcessor } from '@weft/spec';

/**
 * A processor made for embeddings among the tokens, for a fusion by cross-attention. Processors that say themselves what
 * is seen stay as they are.
 */
export function processorFor(
  processor: ImageProcessor,
  { place, tokensPerTile }: CrossSight,
  placeholder: string,
): ImageProcessor {
  const convert = (placement: ImagePlacement): ImagePlacement => {
    if (placement.cross) return placement;
    const { tiles } = placement;
    const { tokens, cross } = place(tiles);
    return {
      tiles,
      tokens,
      cross,
      formula: `${tokens} token${tokens === 1 ? '' : 's'}, and ${cross?.seen ?? 0} x ${tokensPerTile} embeddings for cross-attention`,
      prompt: placeholder.repeat(tokens),
    };
  };
  return {
    id: processor.id,
    config: processor.config,
    // Tiles take no places among the tokens, so pictures do not become smaller for each other.
    place: (size, index) => convert(processor.place(size, index)),
    process: (pictures) => {
      const { inputs, images } = processor.process(pictures, 1);
      return { inputs, images: images.map(convert) };
    },
  };
}
