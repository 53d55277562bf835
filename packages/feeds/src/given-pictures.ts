import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { part, senseOf, type CrossSight, type ImagePlacement, type Model } from '@weft/spec';
import type { PlacedRow } from './places.js';
import { sightRuns, type Tensors } from './runs.js';
import { seenMask } from './sight.js';

/** One picture of Hugging Face forward inputs, of a model whose cross-attention layers see pictures. */
export interface GivenPicture {
  /** Inputs of the graph of sight. */
  readonly inputs: Tensors;
  readonly placement: Pick<ImagePlacement, 'tokens' | 'cross'>;
}

/**
 * The pictures of each row. Which picture belongs to which row say the axes of `pixel_values` `[B, I, …]`, or `num_tiles`
 * `[B, I]`, the tiles of each picture in a row, 0 for none.
 *
 * @throws InputError if the inputs do not fit each other
 */
export function picturesByRow(model: Model, inputs: Tensors, batch: number): GivenPicture[][] {
  const cross = senseOf(model, 'image')!.cross!;
  const runs = sightRuns(model, inputs).map((run) => run.inputs);
  const counts = part(model, 'encoder').prepare ? undefined : inputs['num_tiles'];
  if (runs.length === 0) return Array.from({ length: batch }, () => []);
  if (!part(model, 'encoder').prepare) return tilesByRow(cross, runs[0]!, counts, batch);
  const perRow = runs.length / batch;
  if (!Number.isInteger(perRow))
    throw new InputError({
      message: `${runs.length} pictures were given for ${batch} rows, expected as many for each row.`,
      where: 'forward',
    });
  const given = runs.map((run): GivenPicture => ({ inputs: run, placement: cross.place(tilesOf(run)) }));
  return Array.from({ length: batch }, (_, row) => given.slice(row * perRow, (row + 1) * perRow));
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
): GivenPicture[][] {
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
  const given = listed.map((count): GivenPicture => {
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

const tileCount = (row: readonly GivenPicture[]): number =>
  row.reduce((sum, { placement }) => sum + (placement.cross?.tiles.length ?? 0), 0);

/**
 * What tokens see of the pictures, `[B, L, tiles]`: as `cross_attention_mask` `[B, L, I, T]` says, or by the model's rule.
 *
 * @param rows tokens without padding, and their columns
 * @param length columns of the batch
 * @param given `cross_attention_mask`
 * @throws InputError if the mask does not fit the pictures
 */
export function givenSight(
  model: Model,
  pictures: readonly (readonly GivenPicture[])[],
  rows: readonly PlacedRow[],
  length: number,
  given: TensorData | undefined,
): TensorData & { readonly data: BigInt64Array } {
  if (!given) {
    const { visible } = senseOf(model, 'image')!.cross!;
    const seeing = rows.map(({ ids, columns }, row) => ({
      columns,
      seen: {
        tiles: tileCount(pictures[row]!),
        visible: visible(
          ids,
          pictures[row]!.map(({ placement }) => placement),
        ),
      },
    }));
    return seenMask(seeing, length);
  }
  // Rows may have fewer pictures than others, and pictures fewer tiles.
  const most = Math.max(...pictures.map((row) => row.length));
  const tiles = Math.max(...pictures.flat().map((picture) => tileCount([picture])));
  const expected = [rows.length, length, most, tiles];
  if (given.shape.join() !== expected.join())
    throw new InputError({
      message: `cross_attention_mask is [${given.shape.join(', ')}], expected [${expected.join(', ')}].`,
      where: 'forward',
    });
  const seeing = pictures.map((row, at) => {
    const own = row.flatMap((picture, i) =>
      Array.from({ length: tileCount([picture]) }, (_, tile) => i * tiles + tile),
    );
    const first = at * length * most * tiles;
    const visible = Uint8Array.from({ length: length * own.length }, (_, i) => {
      const [column, tile] = [Math.floor(i / own.length), own[i % own.length]!];
      return Number(given.data[first + column * most * tiles + tile]);
    });
    return { columns: Array.from({ length }, (_, column) => column), seen: { tiles: own.length, visible } };
  });
  return seenMask(seeing, length);
}
