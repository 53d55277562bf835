import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { cutPatches } from '@weft/nn';
import type { EncoderRun } from '@weft/spec';

interface TileFacts {
  readonly channels: number;
  /** Pixels. */
  readonly patchSize: number;
  /** Rows and columns of the position table. */
  readonly tableSide: number;
}

/**
 * The runs for `pixel_values` `[T, C, H, W]` and `pixel_mask` `[T, H, W]`, which is not 0 where there is picture: in a
 * rectangle at the upper left corner. Without a mask there is picture everywhere.
 *
 * @throws InputError if the two do not fit each other, or the picture is not such a rectangle
 */
export function prepareTiles(
  given: Readonly<Record<string, TensorData>>,
  { channels, patchSize, tableSide }: TileFacts,
): EncoderRun[] {
  const { pixel_values: pixels, pixel_mask: mask } = given;
  if (!pixels) return [];
  const [tiles = 0, own, height = 0, width = 0] = pixels.shape;
  const whole = { rows: Math.floor(height / patchSize), columns: Math.floor(width / patchSize) };
  if (pixels.shape.length !== 4 || own !== channels || whole.rows * whole.columns === 0)
    throw new InputError({
      message: `pixel_values is [${pixels.shape.join(', ')}], expected [tiles, ${channels}, height, width] with patches of ${patchSize} x ${patchSize}.`,
    });
  if (mask && mask.shape.join() !== [tiles, height, width].join())
    throw new InputError({
      message: `pixel_mask is [${mask.shape.join(', ')}], expected [${tiles}, ${height}, ${width}].`,
      hint: 'Both must come from one run of the processor.',
    });
  const size = channels * height * width;
  return Array.from({ length: tiles }, (_, tile) => {
    const seen = mask
      ? seenPatches(mask.data.subarray(tile * height * width, (tile + 1) * height * width), {
          ...whole,
          width,
          patchSize,
          tile,
        })
      : whole;
    const { rows, columns } = seen;
    const plane = (pixels.data as Float32Array).subarray(tile * size, (tile + 1) * size);
    const shape = [channels, height, width] as const;
    return {
      layout: { kind: 'image', frames: 1, ...whole },
      inputs: {
        patches: {
          dtype: 'float32',
          shape: [1, rows * columns, channels * patchSize ** 2],
          data: cutPatches(plane, { shape, grid: [rows, columns], patchSize }),
        },
        patch_positions: {
          dtype: 'int64',
          shape: [1, rows * columns],
          data: positionsOf(seen, tableSide),
        },
      },
    };
  });
}

interface Rectangle {
  readonly rows: number;
  readonly columns: number;
}

/** Patches in which there is any picture. */
function seenPatches(
  mask: ArrayLike<number | bigint>,
  { rows, columns, width, patchSize, tile }: Rectangle & { width: number; patchSize: number; tile: number },
): Rectangle {
  const seen = (row: number, column: number): boolean => {
    for (let y = row * patchSize; y < (row + 1) * patchSize; y++)
      for (let x = column * patchSize; x < (column + 1) * patchSize; x++)
        if (Number(mask[y * width + x]) !== 0) return true;
    return false;
  };
  const count = (length: number, isSeen: (i: number) => boolean): number =>
    Array.from({ length }, (_, i) => i).filter(isSeen).length;
  const own = {
    rows: count(rows, (row) => seen(row, 0)),
    columns: count(columns, (column) => seen(0, column)),
  };
  const fits = count(rows * columns, (i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return seen(row, column) === (row < own.rows && column < own.columns);
  });
  if (fits < rows * columns || own.rows * own.columns === 0)
    throw new InputError({
      message: `The picture in tile ${tile} of pixel_mask is not a rectangle at its upper left corner.`,
      hint: 'Make pixel_mask with the processor.',
    });
  return own;
}

/** Rows of the position table: coordinates as shares of the picture, put into the cells of the table. */
function positionsOf({ rows, columns }: Rectangle, side: number): BigInt64Array {
  const [down, across] = [rows, columns].map((count) => cellsOf(count, side)) as [number[], number[]];
  return BigInt64Array.from({ length: rows * columns }, (_, i) =>
    BigInt(down[Math.floor(i / columns)]! * side + across[i % columns]!),
  );
}

/**
 * The cell of each of `count` patches: `floor(i / count * side)`, but in float32 as the reference computes it, which
 * decides where a patch begins with a cell.
 */
function cellsOf(count: number, side: number): number[] {
  const edges = Array.from({ length: side - 1 }, (_, k) => Math.fround((k + 1) / side));
  const step = Math.fround(1 / count);
  const most = Math.fround(1 - 1e-6);
  return Array.from({ length: count }, (_, i) => {
    const at = Math.min(Math.fround(i * step), most);
    return edges.filter((edge) => edge <= at).length;
  });
}
