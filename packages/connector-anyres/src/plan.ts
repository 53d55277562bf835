import { ConfigError } from '@weft/errors';
import { bestResolution, floorDivide, type ArrangedPicture, type PatchGrid } from '@weft/spec';

/** How pictures of any resolution are cut, and how the features of their tiles lie. */
export interface AnyresConfig {
  /** Resolutions that a picture may be fitted into, pixels; of equals the first is taken. */
  readonly pinpoints: readonly (readonly [height: number, width: number])[];
  /** Side of a tile, pixels. */
  readonly tileSize: number;
  /**
   * Tiles whose features a picture may have; the features of a larger one are shrunk to about as many, once they are a
   * fifth too many (1.1 to each side). `null` keeps all, as LLaVA-NeXT does.
   */
  readonly mostTiles: number | null;
  /** Whether pictures of a conversation that has several are seen as a whole only, as OneVision sees them. */
  readonly wholeIfSeveral?: boolean | undefined;
}

/** How one picture is cut, and which of its features the language model reads. */
export interface AnyresPlan extends ArrangedPicture {
  /** The features of the frame that are not padding. */
  readonly kept: {
    readonly top: number;
    readonly left: number;
    readonly height: number;
    readonly width: number;
  };
}

/** A picture that is seen as a whole only; a newline ends it. */
export const wholePlan = (grid: PatchGrid): AnyresPlan => ({
  resolution: null,
  tiles: [0, 0],
  kept: { top: 0, left: 0, height: 0, width: 0 },
  map: [0, 0],
  tokens: grid[0] * grid[1] + 1,
});

export const noResolution = (): ConfigError =>
  new ConfigError({
    message: 'There is no resolution to fit pictures into.',
    where: 'image_grid_pinpoints',
    hint: 'List heights and widths in pixels, in whole tiles.',
  });

/**
 * LLaVA-NeXT's and LLaVA-OneVision's plan for a picture. One that is too elongated for its tiles to have a feature that is
 * not padding has those of the whole, and perhaps newlines.
 *
 * @param grid features of one tile
 * @param total pictures of the conversation
 * @throws ConfigError if there is no resolution to fit it into
 */
export function planAnyres(
  { width, height }: { readonly width: number; readonly height: number },
  { pinpoints, tileSize, mostTiles, wholeIfSeveral }: AnyresConfig,
  grid: PatchGrid,
  total = 1,
): AnyresPlan {
  if (wholeIfSeveral && total > 1) return wholePlan(grid);
  const resolution = bestResolution(width, height, pinpoints);
  if (!resolution) throw noResolution();
  const tiles = [resolution[0] / tileSize, resolution[1] / tileSize] as const;
  const kept = withoutPadding(width, height, tiles[0] * grid[0], tiles[1] * grid[1]);
  const ratio = mostTiles === null ? 1 : Math.sqrt((kept.height * kept.width) / (mostTiles * grid[0] ** 2));
  const map =
    ratio > 1.1
      ? ([floorDivide(kept.height, ratio), floorDivide(kept.width, ratio)] as const)
      : ([kept.height, kept.width] as const);
  return { resolution, tiles, kept, map, tokens: grid[0] * grid[1] + map[0] * (map[1] + 1) };
}

function withoutPadding(width: number, height: number, rows: number, columns: number): AnyresPlan['kept'] {
  // Seven decimals guard against a product that falls just short of a whole number, as in the reference.
  const whole = (x: number): number => Math.trunc(Number(x.toFixed(7)));
  if (width / height > columns / rows) {
    const top = Math.floor((rows - whole(height * (columns / width))) / 2);
    return { top, left: 0, height: rows - 2 * top, width: columns };
  }
  const left = Math.floor((columns - whole(width * (rows / height))) / 2);
  return { top: 0, left, height: rows, width: columns - 2 * left };
}
