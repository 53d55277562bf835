import { givenSight, picturesByRow, type PlacedRow, type Tensors } from '@weft/feeds';
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
 * Encodes the pictures of forward inputs for cross-attention. What tokens see says
 * `cross_attention_mask` `[B, L, I, T]`, or the model's rule.
 *
 * @throws InputError if the inputs do not fit each other
 */
export async function crossSight(
  engine: Engine,
  model: Model,
  inputs: Tensors,
  ids: BatchIds,
): Promise<BatchSight> {
  const cross = senseOf(model, 'image')!.cross!;
  const rows = picturesByRow(model, inputs, ids.batch);
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
  const given = inputs['cross_attention_mask'];
  const { data: seenMask } = givenSight(model, rows, rowsOf(ids), ids.length, given);
  return { pictures, pieces, seenPictures, seenMask };
}
