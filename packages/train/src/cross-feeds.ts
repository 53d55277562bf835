import { InputError } from '@weft/errors';
import type { CrossSight, ImagePlacement } from '@weft/spec';
import type { Tensor } from 'onnxruntime-common';
import { int64 } from './ort.js';
import type { TrainingExample } from './training-example.js';

/** A picture, and the number of its first tile among all that are encoded. */
interface PlacedPicture extends Pick<ImagePlacement, 'tokens' | 'cross'> {
  readonly first: number;
}

/**
 * What the training graph of a model with cross-attention takes besides pixels: the tiles of each row and which of them
 * each token sees, tags of tiles, and under method H which embeddings stand at the placeholders.
 *
 * @param imagePositions flat places of the image tokens
 * @throws InputError if an example does not say how its pictures were placed, or has none where tokens that see nothing
 *   would attend to those of others
 */
export function crossFeeds(
  examples: readonly TrainingExample[],
  cross: CrossSight,
  imagePositions: readonly number[],
): Record<string, Tensor> {
  const rows = picturesByRow(examples);
  if (cross.unseenAttend && rows.some((row) => row.length === 0))
    throw new InputError({
      message: 'A batch has samples with pictures and samples without.',
      where: 'training',
      hint: "Tokens that see no picture attend to all of them here. Compose or load the model with unseen: 'attention-and-mlp', as its weights were trained, or give every sample a picture.",
    });
  const length = Math.max(...examples.map(({ inputIds }) => inputIds.length));
  const own = rows.map((row) =>
    row.flatMap(({ first, cross: share }) => share!.tiles.map((tile) => first + tile)),
  );
  // An empty axis would be no batch that ONNX Runtime could multiply.
  const seen = Math.max(1, ...own.map((tiles) => tiles.length));
  const filled = <T>(values: readonly T[], filler: T): T[] =>
    Array.from({ length: seen }, (_, i) => values[i] ?? filler);

  const mask = new Array<number>(rows.length * length * seen).fill(-1);
  for (const [row, pictures] of rows.entries()) {
    const { inputIds } = examples[row]!;
    const visible = cross.visible(inputIds, pictures);
    const width = own[row]!.length;
    for (let column = 0; column < length; column++)
      for (let tile = 0; tile < width; tile++)
        mask[(row * length + column) * seen + tile] =
          column < inputIds.length ? visible[column * width + tile]! : 0;
  }
  const placed = rows.flat().flatMap(({ first, cross: share }) => share!.placed.map((tile) => first + tile));
  const { tokensPerTile, tagTokens } = cross;
  const imageRows = placed.flatMap((tile) =>
    Array.from({ length: tokensPerTile }, (_, i) => tile * tokensPerTile + i),
  );
  const noTag = Array.from({ length: tagTokens }, () => 0);
  const tags = rows.map((row) => row.flatMap(({ cross: share }) => share!.tags ?? []));
  return {
    vision_tiles: int64(
      own.flatMap((tiles) => filled(tiles, 0)),
      [rows.length, seen],
    ),
    cross_attention_mask: int64(mask, [rows.length, length, seen]),
    ...(tagTokens > 0
      ? {
          tile_tags: int64(
            tags.flatMap((row) => filled(row, noTag).flat()),
            [rows.length, seen, tagTokens],
          ),
        }
      : {}),
    ...(placed.length > 0
      ? {
          image_positions: int64(imagePositions, [imagePositions.length]),
          image_rows: int64(imageRows, [imageRows.length]),
        }
      : {}),
  };
}

function picturesByRow(examples: readonly TrainingExample[]): PlacedPicture[][] {
  let first = 0;
  return examples.map(({ images, placements = [] }, row) => {
    if (images && (placements.length === 0 || placements.some(({ cross }) => !cross)))
      throw new InputError({
        message: `Sample ${row} of the batch does not say what cross-attention sees of its pictures.`,
        hint: 'Give it the placements that the processor returns with their tensors.',
      });
    return placements.map(({ tokens, cross }) => {
      const picture = { tokens, cross, first };
      first += 1 + Math.max(...cross!.tiles, ...cross!.placed);
      return picture;
    });
  });
}
