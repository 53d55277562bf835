import type { CrossSight, ImageProcessor } from '@weft/spec';

/**
 * A processor made for embeddings among the tokens, for a fusion by cross-attention. Processors that say themselves what
 * is seen stay as they are.
 */
export function processorFor(
  processor: ImageProcessor,
  { place, tokensPerTile }: CrossSight,
  placeholder: string,
): ImageProcessor {
  // Tiles take no places among the tokens, so pictures do not become smaller for each other.
  const placed: ImageProcessor['place'] = (size, index) => {
    const placement = processor.place(size, index);
    if (placement.cross) return placement;
    const { tiles, plan } = placement;
    const { tokens, cross } = place(tiles);
    return {
      tiles,
      tokens,
      cross,
      formula: `${tokens} token${tokens === 1 ? '' : 's'}, and ${cross?.seen ?? 0} x ${tokensPerTile} embeddings for cross-attention`,
      prompt: placeholder.repeat(tokens),
      plan,
    };
  };
  return {
    ...processor,
    place: placed,
    process: (pictures, placements = pictures.map((picture, i) => placed(picture, i))) =>
      processor.process(pictures, placements),
  };
}
