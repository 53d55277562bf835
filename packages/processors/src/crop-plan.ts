import type { PatchGrid } from '@weft/spec';
import type { Size } from './tiles.js';

const { fround } = Math;

/** How pictures are cut into crops that overlap, once the encoder is known. */
export interface CropLayout {
  /** Side of a crop, pixels. */
  readonly cropSize: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  /** Patches at the left and the top, and at the right and the bottom, that a crop shares with its neighbours. */
  readonly margins: readonly [before: number, after: number];
  /** Most crops of a picture, the view of the whole not counted. */
  readonly maxCrops: number;
}

/** What the crops of a picture make up. */
export interface CropPlan {
  readonly rows: number;
  readonly columns: number;
  /** Pooled features of the whole picture. */
  readonly map: PatchGrid;
  /** The picture with its borders as the crops cover it, pixels. */
  readonly canvas: Size;
}

/**
 * Molmo's grid of crops: the one in which a picture is enlarged least, or if every grid makes it smaller, the one that
 * does so least. Only the parts of crops without their margins are counted. All in float32, as in the training: it decides
 * which of two near grids is taken.
 */
export function planCrops({ width, height }: Size, c: CropLayout): CropPlan {
  const [before, after] = c.margins;
  const window = c.cropSize - (before + after) * c.patchSize;
  const border = c.cropSize - window;
  const sides = Array.from({ length: c.maxCrops }, (_, i) => i + 1);
  const grids = sides
    .flatMap((rows) => sides.map((columns) => [rows, columns] as const))
    .filter(([rows, columns]) => rows * columns <= c.maxCrops)
    .toSorted((a, b) => a[0] * a[1] - b[0] * b[1] || a[0] - b[0]);
  const scaleOf = ([rows, columns]: PatchGrid): number =>
    Math.min(
      fround((rows * window) / fround(height - border)),
      fround((columns * window) / fround(width - border)),
    );
  const scales = grids.map(scaleOf);
  const best = scales.every((scale) => scale < 1)
    ? Math.max(...scales)
    : Math.min(...scales.filter((scale) => scale >= 1));
  const [rows, columns] = grids[scales.indexOf(best)]!;
  const pooled = (count: number): number => Math.ceil((count * (window / c.patchSize) + before + after) / 2);
  return {
    rows,
    columns,
    map: [pooled(rows), pooled(columns)],
    canvas: { width: columns * window + border, height: rows * window + border },
  };
}

/** First and after the last pooled feature that a crop has in the whole picture, along one axis. */
function keptRange(index: number, count: number, { cropSize, patchSize, margins }: CropLayout) {
  const patches = cropSize / patchSize;
  const [before, after] = margins;
  return [
    index === 0 ? 0 : Math.floor(before / 2),
    Math.ceil((index === count - 1 ? patches : patches - after) / 2),
  ] as const;
}

/** The sides of a picture fitted into a frame. */
export const scaledTo = (frame: Size, { width, height }: Size): Size => {
  const scale = Math.min(fround(frame.height / height), fround(frame.width / width));
  return { width: Math.trunc(fround(width * scale)), height: Math.trunc(fround(height * scale)) };
};

/** The places of all features of the whole and the crops; -100 where there is none. One token stands before the picture. */
export function placesOf({ rows, columns, map }: CropPlan, config: CropLayout): number[] {
  const pooled = Math.ceil(config.cropSize / config.patchSize / 2);
  const square = Array.from(
    { length: pooled * pooled },
    (_, i) => [Math.floor(i / pooled), i % pooled] as const,
  );
  const first = 2;
  const second = first + pooled * (pooled + 1) + 2;
  const starts = (count: number): number[] => {
    const result = [0];
    for (let i = 0; i < count; i++) {
      const [from, to] = keptRange(i, count, config);
      result.push(result.at(-1)! + to - from);
    }
    return result;
  };
  const [down, across] = [starts(rows), starts(columns)];
  const crops = Array.from({ length: rows * columns }, (_, crop) => {
    const [row, column] = [Math.floor(crop / columns), crop % columns];
    const [top, bottom] = keptRange(row, rows, config);
    const [left, right] = keptRange(column, columns, config);
    return square.map(([y, x]) =>
      y >= top && y < bottom && x >= left && x < right
        ? second + (down[row]! + y - top) * (map[1] + 1) + across[column]! + x - left
        : -100,
    );
  });
  return [...square.map(([y, x]) => first + y * (pooled + 1) + x), ...crops.flat()];
}
