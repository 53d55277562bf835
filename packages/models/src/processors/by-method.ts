import type { CrossSight, Fusion, ImagePlacement, ImageProcessor } from '@weft/spec';

/**
 * Tokens and share of a picture for a fusion by cross-attention. Under method B one placeholder marks the picture and
 * all its tiles are seen; under H the embeddings of its last tile, the view of the whole, stand at placeholders, and the
 * other tiles are seen.
 */
export const placeByMethod =
  (method: Fusion['method'], tokensPerTile: number): CrossSight['place'] =>
  (tiles) => {
    const all = Array.from({ length: tiles }, (_, i) => i);
    return method === 'B'
      ? { tokens: 1, cross: { tiles: all, seen: tiles, placed: [] } }
      : {
          tokens: tokensPerTile,
          cross: { tiles: all.slice(0, -1), seen: tiles - 1, placed: all.slice(-1) },
        };
  };

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
    // Tiles take no places among the tokens, so pictures do not become smaller for each other.
    place: (size, index) => convert(processor.place(size, index)),
    process: (pictures) => {
      const { inputs, images } = processor.process(pictures, 1);
      return { inputs, images: images.map(convert) };
    },
  };
}
