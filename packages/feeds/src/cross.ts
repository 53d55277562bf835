import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import type { CrossSight, ImagePlacement } from '@weft/spec';
import type { PlacedRow } from './places.js';
import type { Tensors } from './runs.js';
import { seenMask } from './sight.js';

/** A row of a batch and the pictures of its prompt, none for a text. */
export interface CrossRow extends PlacedRow {
  readonly pictures: readonly Pick<ImagePlacement, 'tokens' | 'cross'>[];
}

/** A picture, and the number of its first tile among all that are encoded. */
interface CountedPicture extends Pick<ImagePlacement, 'tokens' | 'cross'> {
  readonly first: number;
}

/**
 * What a graph of text and pictures takes besides pixels where cross-attention sees the pictures: the tiles of each row
 * and which of them each token sees, tags of tiles, and under method H which embeddings (`image_rows`) stand at the
 * placeholders. Tiles are numbered as they are encoded, picture after picture of all rows.
 *
 * @param length columns of the batch
 * @throws InputError if a picture does not say what is seen of it, or a row has none where tokens that see nothing would
 * attend to those of others
 */
export function crossFeeds(cross: CrossSight, rows: readonly CrossRow[], length: number): Tensors {
  const counted = countTiles(rows);
  if (cross.unseenAttend && counted.some((row) => row.length === 0))
    throw new InputError({
      message: 'A batch has samples with pictures and samples without.',
      where: 'training',
      hint: "Tokens that see no picture attend to all of them here. Compose or load the model with unseen: 'attention-and-mlp', as its weights were trained, or give every sample a picture.",
    });
  const own = counted.map((row) =>
    row.flatMap(({ first, cross: share }) => share!.tiles.map((tile) => first + tile)),
  );
  const mask = seenMask(
    rows.map(({ ids, columns, pictures }, row) => ({
      columns,
      seen: { tiles: own[row]!.length, visible: cross.visible(ids, pictures) },
    })),
    length,
    1,
  );
  const seen = mask.shape[2]!;
  const filled = <T>(values: readonly T[], filler: T): T[] =>
    Array.from({ length: seen }, (_, i) => values[i] ?? filler);
  const { tokensPerTile, tagTokens } = cross;
  const placed = counted
    .flat()
    .flatMap(({ first, cross: share }) => share!.placed.map((tile) => first + tile));
  const imageRows = placed.flatMap((tile) =>
    Array.from({ length: tokensPerTile }, (_, i) => tile * tokensPerTile + i),
  );
  const noTag = Array.from({ length: tagTokens }, () => 0);
  const tags = counted.flatMap((row) =>
    filled(
      row.flatMap(({ cross: share }) => share!.tags ?? []),
      noTag,
    ).flat(),
  );
  return {
    vision_tiles: int64(
      own.flatMap((tiles) => filled(tiles, 0)),
      [rows.length, seen],
    ),
    cross_attention_mask: mask,
    ...(tagTokens > 0 ? { tile_tags: int64(tags, [rows.length, seen, tagTokens]) } : {}),
    ...(placed.length > 0 ? { image_rows: int64(imageRows, [imageRows.length]) } : {}),
  };
}

const int64 = (values: readonly number[], shape: readonly number[]): TensorData => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.from(values, BigInt),
});

function countTiles(rows: readonly CrossRow[]): CountedPicture[][] {
  let first = 0;
  return rows.map(({ pictures }, row) =>
    pictures.map(({ tokens, cross }) => {
      if (!cross)
        throw new InputError({
          message: `Row ${row} of the batch does not say what cross-attention sees of its pictures.`,
          hint: 'Give it the placements that the processor returns with their tensors.',
        });
      const picture = { tokens, cross, first };
      first += 1 + Math.max(...cross.tiles, ...cross.placed);
      return picture;
    }),
  );
}
