import { ConfigError } from '@weft/errors';
import type { Arranger, Connector, CrossSight, Fusion, VisionEncoder } from '@weft/spec';
import { tileVisibility } from './tile-visibility.js';

/** What a fusion by cross-attention needs to know besides its layers. */
export interface CrossComposition {
  /** What one placeholder token stands for under method B: the picture, unless given, or each of its tiles. */
  readonly marks?: 'picture' | 'tile';
  /** Tags of tiles, where there are any. */
  readonly tags?: TileTags;
}

/**
 * Tags that tell tiles apart: in the `text`, before each image token, where a tag sees its own tile only; or among the
 * `keys`, before the embeddings of each tile.
 */
export interface TileTags {
  readonly place: 'text' | 'keys';
  /** Ids of the first tile's tag, the second's and so on; last those of the view of the whole, a single tile's as well. */
  readonly ids: readonly (readonly number[])[];
}

/**
 * How a composition's cross-attention layers see.
 *
 * @throws ConfigError if the encoder's tiles have no fixed grid, an arranger reorders their rows, or tags among the
 * keys have different lengths
 */
export function crossSight(
  {
    name,
    encoder,
    fusion,
    imageTokenId,
    cross = {},
  }: {
    readonly name: string;
    readonly encoder: VisionEncoder;
    readonly fusion: Fusion;
    readonly imageTokenId: number;
    readonly cross?: CrossComposition | undefined;
  },
  connector: Connector,
  arranger: Arranger | undefined,
): CrossSight {
  const obstacle = arranger
    ? `${arranger.id} reorders their rows`
    : `${encoder.id} takes pictures of any size`;
  if (!encoder.grid || arranger)
    throw new ConfigError({
      message: `${fusion.id} attends to tiles of one size, but ${obstacle}.`,
      where: name,
      hint: arranger ? 'Leave the arranger out.' : 'Use an encoder with a fixed grid, or unifiedFusion.',
    });
  const tokensPerTile = connector.countTokens(encoder.grid);
  const { tags } = cross;
  const keyTags = tags?.place === 'keys' ? requireEqualLengths(tags.ids.slice(0, -1), name) : undefined;
  const textTags = tags?.place === 'text' ? tags.ids : undefined;
  return {
    config: { ...cross },
    tokensPerTile,
    tagTokens: keyTags?.[0]?.length ?? 0,
    unseenAttend: fusion.unseen === 'mlp',
    place: placeBy(fusion.method, {
      tokensPerTile,
      marks: cross.marks ?? 'picture',
      maxTiles: encoder.pixels.maxTiles,
      keyTags,
    }),
    visible: tileVisibility({
      imageTokenId,
      visibility: fusion.visibility ?? 'last',
      textTags:
        textTags &&
        ((tiles) =>
          Array.from({ length: tiles }, (_, i) => (i === tiles - 1 ? textTags.at(-1) : textTags[i])!.length)),
    }),
  };
}

/**
 * Tokens and share of a picture. Under method B placeholders mark the picture, or each tile, and all its tiles are seen;
 * where pictures are filled up to a number of tiles, all those have keys. Under H the embeddings of its last tile, the view
 * of the whole, stand at placeholders, and the other tiles are seen.
 */
const placeBy =
  (
    method: Fusion['method'],
    {
      tokensPerTile,
      marks,
      maxTiles,
      keyTags,
    }: {
      readonly tokensPerTile: number;
      readonly marks: 'picture' | 'tile';
      readonly maxTiles: number | undefined;
      readonly keyTags: readonly (readonly number[])[] | undefined;
    },
  ): CrossSight['place'] =>
  (tiles) => {
    const all = Array.from({ length: maxTiles ?? tiles }, (_, i) => i);
    if (method === 'B')
      return {
        tokens: marks === 'tile' ? tiles : 1,
        cross: { tiles: all, seen: tiles, placed: [], ...(keyTags ? { tags: keyTags.slice(0, tiles) } : {}) },
      };
    const own = all.slice(0, tiles);
    return {
      tokens: tokensPerTile,
      cross: {
        tiles: own.slice(0, -1),
        seen: tiles - 1,
        placed: own.slice(-1),
        ...(keyTags ? { tags: keyTags.slice(0, tiles - 1) } : {}),
      },
    };
  };

function requireEqualLengths(
  tags: readonly (readonly number[])[],
  name: string,
): readonly (readonly number[])[] {
  if (tags.every((tag) => tag.length === tags[0]!.length)) return tags;
  throw new ConfigError({
    message: 'The tags of the tiles have different lengths.',
    where: name,
    hint: 'Tags among keys must be equally long; the tokenizers of Qwen2 and Llama make them so.',
  });
}
