import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { part, senseOf, type CrossSight, type ImagePlacement, type Model } from '@weft/spec';
import { sightRuns } from './encoder-inputs.js';
import type { EmbedPiece, Engine } from './engine.js';

/** A batch of ids as forward inputs give it. */
export interface BatchIds {
  readonly batch: number;
  readonly length: number;
  readonly inputIds: BigInt64Array;
  readonly mask: BigInt64Array;
}

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

type Tensors = Readonly<Record<string, TensorData>>;

/** One picture of the inputs. */
interface Given {
  readonly inputs: Tensors;
  readonly placement: Pick<ImagePlacement, 'tokens' | 'cross'>;
}

/**
 * Encodes the pictures of forward inputs for cross-attention. Which picture belongs to which row say the axes of
 * `pixel_values` `[B, I, …]`, or `num_tiles` `[B, I]`, the tiles of each picture in a row, 0 for none. What tokens see
 * says `cross_attention_mask` `[B, L, I, T]`, or the model's rule.
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
  const rows = picturesByRow(model, cross, inputs, ids.batch);
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
  const mask = inputs['cross_attention_mask'];
  const seenMask = mask ? givenMask(mask, rows, ids) : ruledMask(cross, rows, ids);
  return { pictures, pieces, seenPictures, seenMask };
}

function picturesByRow(model: Model, cross: CrossSight, inputs: Tensors, batch: number): Given[][] {
  const runs = sightRuns(model, inputs).map((run) => run.inputs);
  if (runs.length === 0) return Array.from({ length: batch }, () => []);
  if (part(model, 'encoder').prepare) {
    const perRow = runs.length / batch;
    if (!Number.isInteger(perRow))
      throw new InputError({
        message: `${runs.length} pictures were given for ${batch} rows, expected as many for each row.`,
        where: 'forward',
      });
    const given = runs.map((run): Given => ({ inputs: run, placement: cross.place(tilesOf(run)) }));
    return Array.from({ length: batch }, (_, row) => given.slice(row * perRow, (row + 1) * perRow));
  }
  return tilesByRow(cross, runs[0]!, inputs['num_tiles'], batch);
}

/** Tiles of a picture that exist. */
const tilesOf = ({ aspect_ratio_mask: mask }: Tensors): number =>
  mask ? Array.from(mask.data as BigInt64Array).filter((one) => one === 1n).length : 1;

/** Pictures whose tiles are listed one after another. */
function tilesByRow(
  cross: CrossSight,
  tiles: Tensors,
  counts: TensorData | undefined,
  batch: number,
): Given[][] {
  const all = Object.values(tiles)[0]!.shape[0]!;
  const listed = counts
    ? Array.from(counts.data as BigInt64Array, Number)
    : Array.from({ length: all }, () => 1);
  const perRow = listed.length / batch;
  const sum = listed.reduce((total, count) => total + count, 0);
  if (!Number.isInteger(perRow) || sum !== all)
    throw new InputError({
      message: `num_tiles has ${listed.length} pictures of ${sum} tiles for ${batch} rows, but there are ${all} tiles.`,
      where: 'forward',
      hint: 'num_tiles is [batch, pictures], 0 for pictures that a row does not have.',
    });
  let first = 0;
  const given = listed.map((count): Given => {
    const inputs = Object.fromEntries(
      Object.entries(tiles).map(([name, { dtype, shape, data }]) => {
        const size = data.length / all;
        const part = data.subarray(first * size, (first + count) * size);
        return [name, { dtype, shape: [count, ...shape.slice(1)], data: part }];
      }),
    );
    first += count;
    return { inputs, placement: cross.place(count) };
  });
  return Array.from({ length: batch }, (_, row) =>
    given.slice(row * perRow, (row + 1) * perRow).filter((_, i) => listed[row * perRow + i]! > 0),
  );
}

const tileCount = (row: readonly Given[]): number =>
  row.reduce((sum, { placement }) => sum + (placement.cross?.tiles.length ?? 0), 0);

/** `cross_attention_mask` `[B, L, I, T]` as `[B, L, tiles]`. */
function givenMask(
  mask: TensorData,
  rows: readonly (readonly Given[])[],
  { batch, length }: BatchIds,
): BigInt64Array {
  const expected = [batch, length, rows[0]!.length, tileCount(rows[0]!) / rows[0]!.length];
  if (mask.shape.join() !== expected.join())
    throw new InputError({
      message: `cross_attention_mask is [${mask.shape.join(', ')}], expected [${expected.join(', ')}].`,
      where: 'forward',
    });
  return BigInt64Array.from(Array.from(mask.data as BigInt64Array, (one) => BigInt(one)));
}

/** What tokens see by the model's rule; padding sees nothing. */
function ruledMask(
  cross: CrossSight,
  rows: readonly (readonly Given[])[],
  { batch, length, inputIds, mask }: BatchIds,
): BigInt64Array {
  const tiles = Math.max(...rows.map(tileCount));
  const seen = new BigInt64Array(batch * length * tiles);
  for (const [row, pictures] of rows.entries()) {
    const places = Array.from({ length }, (_, column) => row * length + column);
    const real = places.filter((flat) => mask[flat] === 1n);
    const own = tileCount(pictures);
    const visible = cross.visible(
      real.map((flat) => Number(inputIds[flat]!)),
      pictures.map(({ placement }) => placement),
    );
    for (const flat of places) seen.fill(-1n, flat * tiles + own, (flat + 1) * tiles);
    for (const [i, flat] of real.entries())
      for (let tile = 0; tile < own; tile++) seen[flat * tiles + tile] = BigInt(visible[i * own + tile]!);
  }
  return seen;
}
