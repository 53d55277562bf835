import { ConfigError, InputError } from '@weft/errors';
import { crop, pad, resize, toPixelValues, type Raster } from '@weft/image';
import type { Connector, ImagePlacement, ImageProcessor, Json, Picture } from '@weft/spec';
import { readPixelConfig, readSize, type PixelConfig } from './resize-plan.js';

/** How pictures become raw patches. */
export interface PatchCutsConfig extends PixelConfig {
  /** Largest height and width, pixels; larger pictures shrink to fit, smaller ones stay as they are. */
  readonly most: { readonly height: number; readonly width: number };
  /** Byte that fills up the last patches. */
  readonly fill: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Fuyu's way with pictures: no encoder, raw pixels. A picture that is too large shrinks, its right and lower borders
 * fill up to whole patches, and each patch is one vector by row, column and channel. In the prompt each row of patches
 * ends with a newline token.
 */
export function patchCuts(
  config: PatchCutsConfig,
  {
    connector,
    tokens,
  }: {
    readonly connector: Pick<Connector, 'countTokens'>;
    readonly tokens: { readonly patch: string; readonly newline: string };
  },
): ImageProcessor {
  const { patchSize } = config;
  const place = (size: Size, index = 0): ImagePlacement => {
    const { rows, columns } = plan(size, config, index);
    return {
      tiles: 1,
      tokens: connector.countTokens([rows, columns]),
      formula: `${rows} x ${columns} patches, besides ${rows} newline tokens,`,
      prompt: (tokens.patch.repeat(columns) + tokens.newline).repeat(rows),
      layout: { kind: 'image', frames: 1, rows, columns },
    };
  };
  return {
    place,
    process: (pictures) => {
      const cut = pictures.map((picture, i) => cutPatches(picture, config, i));
      const length = 3 * patchSize * patchSize;
      const data = new Float32Array(cut.reduce((sum, patches) => sum + patches.length, 0));
      let to = 0;
      for (const patches of cut) {
        data.set(patches, to);
        to += patches.length;
      }
      return {
        inputs: { image_patches: { dtype: 'float32', shape: [1, data.length / length, length], data } },
        images: pictures.map(place),
      };
    },
  };
}

function plan({ width, height }: Size, { most, patchSize }: PatchCutsConfig, index: number) {
  const isLarge = width > most.width || height > most.height;
  const scale = isLarge ? Math.min(most.height / height, most.width / width) : 1;
  const shrunk = { width: Math.trunc(width * scale), height: Math.trunc(height * scale) };
  if (!(Math.min(shrunk.width, shrunk.height) >= 1))
    throw new InputError({
      message: `Picture ${index} is ${width} x ${height} pixels: shrunk to ${most.width} x ${most.height} its shorter side would vanish.`,
      hint: 'Crop it, or cut it into several pictures.',
    });
  return { shrunk, rows: Math.ceil(shrunk.height / patchSize), columns: Math.ceil(shrunk.width / patchSize) };
}

function cutPatches(picture: Picture, config: PatchCutsConfig, index: number): Float32Array {
  const { filter, fill, patchSize: p } = config;
  const { shrunk, rows, columns } = plan(picture, config, index);
  const [width, height] = [columns * p, rows * p];
  const resized: Raster =
    shrunk.width === picture.width && shrunk.height === picture.height
      ? picture
      : resize(picture, { ...shrunk, filter });
  const whole = pad(resized, {
    left: 0,
    top: 0,
    right: width - shrunk.width,
    bottom: height - shrunk.height,
    fill: [fill, fill, fill],
  });
  const pixels = toPixelValues(crop(whole, { left: 0, top: 0, width, height }), { ...config, layout: 'hwc' });
  const patches = new Float32Array(pixels.length);
  let to = 0;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      for (let y = 0; y < p; y++, to += 3 * p) {
        const from = 3 * ((row * p + y) * width + column * p);
        patches.set(pixels.subarray(from, from + 3 * p), to);
      }
  return patches;
}

/**
 * Reads a Fuyu `preprocessor_config.json`.
 *
 * @param patchSize of `config.json`
 * @throws ConfigError if the largest picture is not in whole patches, or patches are not those of the model
 */
export function readPatchCuts(config: Json, patchSize: number): PatchCutsConfig {
  const half = [0.5, 0.5, 0.5];
  const { height = 0, width = 0 } = readSize(config['size'] ?? { height: 1080, width: 1920 }, 'size');
  const own = readSize(config['patch_size'] ?? patchSize, 'patch_size');
  if (own.height !== patchSize || own.width !== patchSize)
    throw new ConfigError({
      message: `preprocessor_config.json: patch_size is ${JSON.stringify(config['patch_size'])}, but config.json says ${patchSize}.`,
      hint: 'Both must come from one checkpoint.',
    });
  if (
    height % patchSize !== 0 ||
    width % patchSize !== 0 ||
    config['do_resize'] === false ||
    config['do_pad'] === false
  )
    throw new ConfigError({
      message: `preprocessor_config.json: pictures of at most ${width} x ${height} pixels must shrink to fit (do_resize) and fill up (do_pad) whole patches of ${patchSize} x ${patchSize}.`,
      hint: 'Set size to multiples of patch_size, and leave do_resize and do_pad on.',
    });
  return {
    ...readPixelConfig(config, { filter: 2, mean: half, std: half }),
    most: { height, width },
    fill: Math.trunc(Number(config['padding_value'] ?? 1)),
    patchSize,
  };
}
