import { InputError } from '@weft/errors';
import { centerCrop, padToSquare, resize, roundHalfEven, writePixelValues, type Raster } from '@weft/image';
import type { ImagePlacement, ImageProcessor, Json, PatchGrid, Picture } from '@weft/spec';
import { clipMean, clipStd, readPixelConfig, readSize, type PixelConfig } from './resize-plan.js';

/** How a picture becomes one tile. */
export interface SingleTileConfig extends PixelConfig {
  /** Sizes of the picture after resizing, given its own. */
  readonly target: (size: { width: number; height: number }) => { width: number; height: number };
  /** Side of the centre crop, pixels; `null` keeps the resized picture. */
  readonly crop: { readonly width: number; readonly height: number } | null;
  /** Colour of the border that makes the picture square first; `null` adds none. */
  readonly squareFill: readonly [number, number, number] | null;
  /** Colour of the border that makes the resized picture square; none unless given. */
  readonly borderFill?: readonly [number, number, number];
}

/** One tile for each picture: resized, perhaps cropped, normalised. Of CLIP, SigLIP, LLaVA-1.5 and Janus. */
export function singleTile(
  config: SingleTileConfig,
  vision: {
    readonly tileSize: number;
    readonly grid: PatchGrid;
    readonly tokens: number;
    readonly placeholder: string;
    /** Texts of the tokens that stand around a picture's; none unless given. */
    readonly around?: readonly [before: string, after: string];
  },
): ImageProcessor {
  const { tileSize, grid, tokens, placeholder, around: [before, after] = ['', ''] } = vision;
  const placement: ImagePlacement = {
    tiles: 1,
    tokens,
    formula: `${grid[0]} x ${grid[1]} patches${tokens === grid[0] * grid[1] ? '' : ` to ${tokens} tokens`}`,
    prompt: before + placeholder.repeat(tokens) + after,
  };
  return {
    place: () => placement,
    process: (pictures) => {
      const size = 3 * tileSize * tileSize;
      const data = new Float32Array(pictures.length * size);
      for (const [i, picture] of pictures.entries()) {
        const tile = toTile(picture, config);
        if (tile.width !== tileSize || tile.height !== tileSize)
          throw new InputError({
            message: `Picture ${i} becomes ${tile.width} x ${tile.height} pixels, but the encoder takes ${tileSize} x ${tileSize}.`,
            where: 'preprocessor_config.json',
            hint: 'size and crop_size must agree with vision_config.image_size.',
          });
        writePixelValues(tile, config, data, i * size);
      }
      return {
        inputs: { pixel_values: { dtype: 'float32', shape: [pictures.length, 3, tileSize, tileSize], data } },
        images: pictures.map(() => placement),
      };
    },
  };
}

function toTile(
  picture: Picture,
  { target, crop, squareFill, borderFill, filter }: SingleTileConfig,
): Raster {
  const square = squareFill && picture.width !== picture.height ? padToSquare(picture, squareFill) : picture;
  const resized = resize(square, { ...target(square), filter });
  const framed = borderFill && resized.width !== resized.height ? padToSquare(resized, borderFill) : resized;
  return crop ? centerCrop(framed, crop) : framed;
}

/** CLIP's steps: shortest side to the size, centre crop; LLaVA's `do_pad` pads to a square instead of cropping. */
export function readClipProcessor(config: Json): SingleTileConfig {
  const pixels = readPixelConfig(config, { filter: 3, mean: clipMean, std: clipStd });
  const size = readSize(config['size'] ?? { shortest_edge: 224 }, 'size');
  const crop =
    config['do_center_crop'] === false
      ? null
      : readSize(config['crop_size'] ?? { height: 224, width: 224 }, 'crop_size');
  const square = config['do_pad'] === true;
  const target = ({ width, height }: { width: number; height: number }) => {
    if (config['do_resize'] === false) return { width, height };
    if (size.shortestEdge === undefined) return { width: size.width!, height: size.height! };
    // Python computes int(size * long / short): one division, so no rounding error of a scale.
    const edge = size.shortestEdge;
    return width <= height
      ? { width: edge, height: Math.floor((edge * height) / width) }
      : { width: Math.floor((edge * width) / height), height: edge };
  };
  return {
    ...pixels,
    target,
    crop: crop && { width: crop.width ?? crop.shortestEdge!, height: crop.height ?? crop.shortestEdge! },
    squareFill: square ? (pixels.mean.map((m) => Math.trunc(m * 255)) as [number, number, number]) : null,
  };
}

/** SigLIP's steps: resized to the square, aspect not kept. */
export function readSiglipProcessor(config: Json): SingleTileConfig {
  const half = [0.5, 0.5, 0.5];
  const size = readSize(config['size'] ?? { height: 224, width: 224 }, 'size');
  return {
    ...readPixelConfig(config, { filter: 3, mean: half, std: half }),
    target: (own) => (config['do_resize'] === false ? own : { width: size.width!, height: size.height! }),
    crop: null,
    squareFill: null,
  };
}

/**
 * Janus's steps: the longer side to the size, then a border of the mean colour.
 *
 * @param side of the encoder's input, where the file says nothing, pixels
 * @param rounding of the shorter side: `down` in the original repository, `half-even` in transformers
 */
export function readJanusProcessor(
  config: Json,
  { side, rounding }: { readonly side: number; readonly rounding: 'down' | 'half-even' },
): SingleTileConfig {
  const fallback = rounding === 'down' ? [0.5, 0.5, 0.5] : clipMean;
  const pixels = readPixelConfig(config, {
    filter: 3,
    mean: fallback,
    std: rounding === 'down' ? fallback : clipStd,
  });
  const { height: edge = side } = readSize(config['size'] ?? config['image_size'] ?? side, 'size');
  const least = Number(config['min_size'] ?? 14);
  // Where pixels are not normalised the border has the colour of the mean all the same.
  const mean = (config['image_mean'] ?? fallback) as number | readonly number[];
  const [red = 0, green = red, blue = red] = (typeof mean === 'number' ? [mean] : mean).map((m) =>
    Math.trunc(m * 255),
  );
  return {
    ...pixels,
    target: ({ width, height }) => {
      if (config['do_resize'] === false) return { width, height };
      const longest = Math.max(width, height);
      const scaled = (own: number): number =>
        Math.max(
          rounding === 'down' ? Math.trunc((own / longest) * edge) : roundHalfEven(own * (edge / longest)),
          least,
        );
      return { width: scaled(width), height: scaled(height) };
    },
    crop: null,
    squareFill: null,
    ...(config['do_pad'] === false ? {} : { borderFill: [red, green, blue] }),
  };
}
