import type { CrossSight, Fusion } from '@weft/spec';

export interface TileVisibility {
  readonly imageTokenId: number;
  readonly visibility: NonNullable<Fusion['visibility']>;
  /**
   * Tokens of the tags that stand in the text before the image tokens of a picture of that many tiles; tag and token then
   * stand for one tile and see no other. Image tokens see all tiles of their picture if it is absent.
   */
  readonly textTags?: ((tiles: number) => readonly number[]) | undefined;
}

/**
 * Which tiles each token sees through cross-attention: none before the first picture; then those of the last group of
 * pictures, or of all pictures so far. Pictures are a group if no token stands between them.
 */
export const tileVisibility =
  ({ imageTokenId, visibility, textTags }: TileVisibility): CrossSight['visible'] =>
  (ids, pictures) => {
    const first: number[] = [];
    let total = 0;
    for (const { cross } of pictures) {
      first.push(total);
      total += cross?.tiles.length ?? 0;
    }
    const rows = new Uint8Array(ids.length * total);
    const places = placesOf(
      ids,
      imageTokenId,
      pictures.map(({ tokens }) => tokens),
    );
    let open: number[] = [];
    let starting = 0;
    for (const at of ids.keys()) {
      while (starting < pictures.length && places[starting]![0] === at) {
        const isApart = starting === 0 || places[starting - 1]!.at(-1) !== at - 1;
        open = visibility === 'last' && isApart ? [starting] : [...open, starting];
        starting++;
      }
      for (const picture of open) {
        const from = at * total + first[picture]!;
        rows.fill(1, from, from + (pictures[picture]!.cross?.seen ?? 0));
      }
    }
    for (const [picture, tokens] of textTags ? places.entries() : []) {
      const lengths = textTags!(tokens.length);
      for (const [tile, place] of tokens.entries())
        for (let at = Math.max(0, place - lengths[tile]!); at <= place; at++) {
          rows.fill(0, at * total, (at + 1) * total);
          rows[at * total + first[picture]! + tile] = 1;
        }
    }
    return rows;
  };

/** Places of each picture's image tokens. */
function placesOf(ids: readonly number[], imageTokenId: number, counts: readonly number[]): number[][] {
  const places = counts.map((): number[] => []);
  let picture = 0;
  for (const [at, id] of ids.entries()) {
    if (id !== imageTokenId) continue;
    while (picture < counts.length && places[picture]!.length === counts[picture]) picture++;
    places[picture]?.push(at);
  }
  return places;
}
