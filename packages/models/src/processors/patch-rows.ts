import { ConfigError, InputError } from '@weft/errors';
import { resize, toPixelValues } from '@weft/image';
import type { Connector, ImagePlacement, ImageProcessor, Json } from '@weft/spec';
import { clipMean, clipStd, readPixelConfig, readSize, type PixelConfig } from './resize-plan.js';

/** How pictures become rows of patches. */
export interface PatchRowsConfig extends PixelConfig {
  /** Longest height and width, pixels; larger pictures shrink to fit. `null` leaves pictures as they are. */
  readonly most: { readonly height: number; readonly width: number } | null;
}

/** Sizes of the encoder and tokens of the model. */
export interface PatchRowsVision {
  readonly patchSize: number;
  readonly connector: Pick<Connector, 'countTokens'>;
  /** Texts of the tokens for a patch, for the end of a row, and for the end of the picture. */
  readonly tokens: { readonly image: string; readonly rowBreak: string; readonly imageEnd: string };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Pixtral's way with pictures: each keeps its shape, stretched to whole patches. In the prompt a row of patches ends
 * with a break token, the last row with an end token.
 */
export function patchRows(
  config: PatchRowsConfig,
  { patchSize, connector, tokens }: PatchRowsVision,
): ImageProcessor {
  const sizeOf = (size: Size, index: number): Size => wholePatches(size, config, patchSize, index);
  const place = (size: Size, index = 0): ImagePlacement => {
    const { width, height } = sizeOf(size, index);
    const [rows, columns] = [height / patchSize, width / patchSize];
    const count = connector.countTokens([rows, columns]);
    const row = tokens.image.repeat(count / rows);
    return {
      tiles: 1,
      tokens: count,
      formula: `${rows} x ${columns} patches`,
      prompt: Array.from({ length: rows }, () => row).join(tokens.rowBreak) + tokens.imageEnd,
      layout: { kind: 'image', frames: 1, rows, columns },
    };
  };
  return {
    place,
    process: (pictures) => {
      const sizes = pictures.map(sizeOf);
      const height = Math.max(0, ...sizes.map((size) => size.height));
      const width = Math.max(0, ...sizes.map((size) => size.width));
      const data = new Float32Array(pictures.length * 3 * height * width);
      for (const [i, picture] of pictures.entries()) {
        const own = sizes[i]!;
        const pixels = toPixelValues(resize(picture, { ...own, filter: config.filter }), config);
        for (let line = 0; line < 3 * own.height; line++) {
          const [channel, y] = [Math.floor(line / own.height), line % own.height];
          data.set(
            pixels.subarray(line * own.width, (line + 1) * own.width),
            ((i * 3 + channel) * height + y) * width,
          );
        }
      }
      return {
        inputs: {
          pixel_values: { dtype: 'float32', shape: [pictures.length, 3, height, width], data },
          image_sizes: {
            dtype: 'int64',
            shape: [pictures.length, 2],
            data: BigInt64Array.from(
              sizes.flatMap((size) => [size.height, size.width]),
              BigInt,
            ),
          },
        },
        images: pictures.map(place),
      };
    },
  };
}

function wholePatches(
  { width, height }: Size,
  { most }: PatchRowsConfig,
  patchSize: number,
  index: number,
): Size {
  if (!(Math.min(width, height) >= 1))
    throw new InputError({ message: `Picture ${index} has no pixels: it is ${width} x ${height}.` });
  if (!most) {
    if (width % patchSize === 0 && height % patchSize === 0) return { width, height };
    throw new InputError({
      message: `Picture ${index} is ${width} x ${height} pixels, which patches of ${patchSize} x ${patchSize} do not fill, and do_resize is off.`,
      where: 'preprocessor_config.json',
      hint: `Resize it to multiples of ${patchSize}.`,
    });
  }
  const ratio = Math.max(height / most.height, width / most.width);
  const shrunk = (side: number): number => (ratio > 1 ? Math.floor(side / ratio) : side);
  const [rows, columns] = [height, width].map((side) => Math.floor((shrunk(side) - 1) / patchSize) + 1) as [
    number,
    number,
  ];
  if (rows * columns === 0)
    throw new InputError({
      message: `Picture ${index} is ${width} x ${height} pixels: shrunk to ${most.width} x ${most.height} its shorter side would vanish.`,
      hint: 'Crop it, or cut it into several pictures.',
    });
  return { width: columns * patchSize, height: rows * patchSize };
}

/**
 * Reads a Pixtral `preprocessor_config.json`.
 *
 * @throws ConfigError if the size is of another kind
 * @param longestEdge of a picture where the file says nothing, pixels
 */
export function readPatchRows(config: Json, longestEdge = 1024): PatchRowsConfig {
  const {
    longestEdge: edge,
    height = edge,
    width = edge,
  } = readSize(config['size'] ?? { longest_edge: longestEdge }, 'size');
  if (height === undefined || width === undefined)
    throw new ConfigError({
      message: `preprocessor_config.json: size is ${JSON.stringify(config['size'])}, expected longest_edge, or height and width.`,
    });
  return {
    ...readPixelConfig(config, { filter: 3, mean: clipMean, std: clipStd }),
    most: config['do_resize'] === false ? null : { height, width },
  };
}
