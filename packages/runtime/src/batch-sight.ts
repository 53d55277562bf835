import { givenSight, type GivenPicture, type PlacedRow } from '@weft/feeds';
import type { TensorData } from '@weft/graph';
import { senseOf, type Model } from '@weft/spec';
import type { EmbedPiece, Engine } from './engine.js';

/** A batch of ids as forward inputs give it. */
export interface BatchIds {
  readonly batch: number;
  readonly length: number;
  readonly inputIds: BigInt64Array;
  readonly mask: BigInt64Array;
}

/** The rows of a batch without their padding. */
export const rowsOf = ({ batch, length, inputIds, mask }: BatchIds): PlacedRow[] =>
  Array.from({ length: batch }, (_, row) => {
    const all = Array.from({ length }, (_, column) => column);
    const columns = all.filter((column) => mask[row * length + column] === 1n);
    return { ids: columns.map((column) => Number(inputIds[row * length + column]!)), columns };
  });

/** What a batch sees by cross-attention, and which part of it stands among its tokens. */
export interface BatchSight {
  /** Pictures that the engine holds for it, in the order of the connector's rows. */
  readonly pictures: readonly number[];
  /** The embeddings at the tokens of pictures, row by row; empty if none stand among tokens. */
  readonly pieces: readonly EmbedPiece[];
  /** Of each row the pictures that its cross-attention sees; empty if no row sees any. */
  readonly seenPictures: readonly (readonly number[])[];
  /** `[B, L, tiles]`: 1 where a token sees a tile, 0 where not, -1 where its row has no such tile. */
  readonly seenMask: BigInt64Array;
}

/**
 * Encodes the pictures of forward inputs for cross-attention.
 *
 * @param rows pictures of each row of the batch
 * @param given `cross_attention_mask` `[B, L, I, T]`: what tokens see; the model's rule says it unless given
 * @throws InputError if the inputs do not fit each other
 */
export async function crossSight(
  engine: Engine,
  model: Model,
  rows: readonly (readonly GivenPicture[])[],
  ids: BatchIds,
  given: TensorData | undefined,
): Promise<BatchSight> {
  const cross = senseOf(model, 'image')!.cross!;
  const none = { seenPictures: [], seenMask: new BigInt64Array(0) };
  const pictures: number[] = [];
  const pieces: EmbedPiece[] = [];
  const seenPictures: number[][] = [];
  for (const row of rows) {
    const seen: number[] = [];
    for (const { inputs: run, placement } of row) {
      const [picture] = await engine.see([{ runs: [run], share: placement.cross }], true);
      pictures.push(picture!.id);
      for (const tile of placement.cross?.placed ?? [])
        pieces.push({
          picture: picture!.id,
          from: tile * cross.tokensPerTile,
          count: cross.tokensPerTile,
        });
      if (picture!.tiles > 0) seen.push(picture!.id);
    }
    seenPictures.push(seen);
  }
  if (seenPictures.every((seen) => seen.length === 0)) return { pictures, pieces, ...none };
  const { data: seenMask } = givenSight(model, rows, rowsOf(ids), ids.length, given);
  return { pictures, pieces, seenPictures, seenMask };
}
