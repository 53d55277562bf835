import { InputError } from '@weft/errors';
import { bestResolution, type ArrangedPicture, type PatchGrid } from '@weft/spec';

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

/**
 * LLaVA-NeXT's and LLaVA-OneVision's plan for a picture.
 *
 * @param grid features of one tile
 * @param index number of the picture, for messages
 * @throws InputError if the picture is so elongated that no feature of its tiles would be left
 */
export function planAnyres(
  { width, height }: { readonly width: number; readonly height: number },
  { pinpoints, tileSize, mostTiles }: AnyresConfig,
  grid: PatchGrid,
  index = 0,
): AnyresPlan {
  const resolution = bestResolution(width, height, pinpoints);
  const tiles = resolution && ([resolution[0] / tileSize, resolution[1] / tileSize] as const);
  const kept = tiles && withoutPadding(width, height, tiles[0] * grid[0], tiles[1] * grid[1]);
  if (!kept || kept.height < 1 || kept.width < 1)
    throw new InputError({
      message: `Picture ${index} is ${width} x ${height} pixels: ${resolution ? `fitted into ${resolution[1]} x ${resolution[0]} pixels its shorter side would vanish` : 'it would vanish in every resolution'}.`,
      hint: 'Crop it, or cut it into several pictures.',
    });
  const ratio = mostTiles === null ? 1 : Math.sqrt((kept.height * kept.width) / (mostTiles * grid[0] ** 2));
  const map =
    ratio > 1.1
      ? ([Math.floor(kept.height / ratio), Math.floor(kept.width / ratio)] as const)
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
