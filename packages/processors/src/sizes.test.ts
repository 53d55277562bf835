import { isWeftError } from '@weft/errors';
import { bestResolution, type ImagePlacement, type ProcessorContext } from '@weft/spec';
import { testGoldenSizes, type Draw, type GoldenSizes } from '@weft/testing';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { contextOf } from '../test/context.js';
import { canvasTiles, readCanvasTiles } from './canvas-tiles.js';
import { cornerTiles, readCornerTiles, sizeInTile } from './corner-tiles.js';
import { dynamicTiles, readDynamicTiles } from './dynamic-tiles.js';
import { fitInto } from './fit-frame.js';
import { overlapCrops, readOverlapCrops } from './overlap-crops.js';
import { packedPatches } from './packed-patches.js';
import { packedVideo } from './packed-video.js';
import { readPackedPatches, videoLimits } from './packing.js';
import { paddedTiles, readPaddedTiles } from './padded-tiles.js';
import { patchCuts, readPatchCuts } from './patch-cuts.js';
import { patchRows, readPatchRows } from './patch-rows.js';
import { readClipProcessor, readJanusProcessor } from './single-tile-files.js';
import { singleTile } from './single-tile.js';
import { readSplitTiles, splitTiles } from './split-tiles.js';
import type { Size } from './tiles.js';

const golden = JSON.parse(
  readFileSync(new URL('./__fixtures__/sizes.json', import.meta.url), 'utf8'),
) as readonly GoldenSizes[];

type Numbers = (size: Size, draw: Draw) => readonly number[];

/** What the processor decided, of which the numbers are taken; -1 if it refused the picture. */
const planned =
  <Plan>(
    place: (size: Size, draw: Draw) => ImagePlacement,
    numbers: (plan: Plan, placement: ImagePlacement, size: Size) => readonly number[],
  ): Numbers =>
  (size, draw) => {
    let placement: ImagePlacement;
    try {
      placement = place(size, draw);
    } catch (error) {
      expect(isWeftError(error)).toBe(true);
      return [-1];
    }
    return numbers((placement.plan as { readonly cut: Plan }).cut, placement, size);
  };

// Text takes time, and there is none to see here.
const noText = { placeholder: '' };
const tiled = (tileSize: number, patchSize: number, perTile = 1): ProcessorContext =>
  contextOf({ tileSize, patchSize }, () => perTile, {
    grid: [tileSize / patchSize, tileSize / patchSize],
    ...noText,
  });
const free = (patchSize: number): ProcessorContext =>
  contextOf({ patchSize }, ([rows, columns]) => rows * columns, noText);
const packing = contextOf(
  { patchSize: 14, temporalPatchSize: 2, mergeSize: 2 },
  ([rows, columns]) => (rows * columns) / 4,
  noText,
);

interface Resized {
  readonly resized: Size;
}

const clip = (edge: number): Numbers => {
  const { place } = singleTile(
    readClipProcessor({ size: { shortest_edge: edge }, crop_size: { height: edge, width: edge } }),
  )(tiled(edge, 14));
  return planned<Resized>(
    (size) => place(size),
    ({ resized: { width, height } }) => [
      height,
      width,
      Math.floor((height - edge) / 2),
      Math.floor((width - edge) / 2),
    ],
  );
};
const janus = (rounding: 'down' | 'half-even'): Numbers => {
  const { place } = singleTile(readJanusProcessor({ image_size: 384 }, rounding))(tiled(384, 16));
  return planned<Resized>(
    (size) => place(size),
    ({ resized: { width, height } }) => [height, width],
  );
};
const split = (longest: number, tile: number): Numbers => {
  const { place } = splitTiles(
    readSplitTiles({ size: { longest_edge: longest }, max_image_size: { longest_edge: tile } }),
  )(tiled(tile, tile / 4));
  return planned<Record<'rows' | 'columns', number> & Record<'first' | 'whole', Size>>(
    (size) => place(size),
    ({ first, whole, rows, columns }, { tiles }) => [
      first.height,
      first.width,
      whole.height,
      whole.width,
      rows,
      columns,
      tiles,
    ],
  );
};
const grids = (size: number, maxPatches: number): Numbers => {
  const { place } = dynamicTiles(readDynamicTiles({ size, max_patches: maxPatches }))(tiled(size, 14));
  return planned<Record<'rows' | 'columns', number>>(
    (size) => place(size),
    ({ rows, columns }, { tiles }) => [rows, columns, tiles],
  );
};
const llamaVision = (): Numbers => {
  const canvases = [1, 2, 3, 4].flatMap((rows) =>
    [1, 2, 3, 4].filter((columns) => rows * columns <= 4).map((columns) => [rows, columns] as const),
  );
  const { place } = canvasTiles(readCanvasTiles({ size: { height: 560, width: 560 }, max_image_tiles: 4 }))(
    contextOf({ tileSize: 560, patchSize: 14, maxTiles: 4, canvases }, () => 1601, {
      grid: [40, 40],
      ...noText,
    }),
  );
  return planned<Size & Record<'rows' | 'columns', number>>(
    (size) => place(size),
    ({ rows, columns, width, height }) => [rows, columns, height, width],
  );
};

type Resolutions = readonly (readonly [height: number, width: number])[];
const next: Resolutions = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
];
const onevision: Resolutions = [1, 2, 3, 4, 5, 6].flatMap((rows) =>
  [1, 2, 3, 4, 5, 6].map((columns) => [384 * rows, 384 * columns] as const),
);
const fitted =
  (resolutions: Resolutions): Numbers =>
  (size) => {
    const [height, width] = bestResolution(size.width, size.height, resolutions)!;
    const laid = fitInto(size, { width, height });
    return [height, width, laid.height, laid.width];
  };
const aria = (): Numbers => {
  const { place } = cornerTiles(readCornerTiles({ split_image: true }))(tiled(980, 14));
  const { resolutions, ...whole } = readCornerTiles({ split_image: true });
  const fits = fitted(resolutions);
  return planned<{ readonly resolution: readonly number[] }>(
    (size) => place(size),
    ({ resolution }, _, size) => {
      const numbers = fits(size, () => 0);
      expect(numbers.slice(0, 2)).toEqual(resolution);
      const { width, height } = sizeInTile(size, whole);
      return [...numbers, height, width];
    },
  );
};
const qwen = (limits: { readonly min_pixels: number; readonly max_pixels: number }): Numbers => {
  const { place } = packedPatches(readPackedPatches(limits))(packing);
  return planned<Record<'rows' | 'columns', number>>(
    (size) => place(size),
    ({ rows, columns }) => [14 * rows, 14 * columns],
  );
};
const qwenVideo = (): Numbers => {
  const { place } = packedVideo(
    readPackedPatches({ cap_pixels_per_frame: true, max_video_tokens: 128000 }, videoLimits),
  )(packing);
  return planned<Record<'rows' | 'columns' | 'frames', number>>(
    (size, draw) => place({ ...size, frames: 1 + draw(900), fps: 2 }),
    ({ rows, columns, frames }) => [14 * rows, 14 * columns, frames],
  );
};
const pixtral = (longest: number, patch: number): Numbers => {
  const { place } = patchRows(readPatchRows({ size: { longest_edge: longest } }))(free(patch));
  return planned<Record<'rows' | 'columns', number>>(
    (size) => place(size),
    ({ rows, columns }) => [patch * rows, patch * columns],
  );
};
const fuyu = (): Numbers => {
  const { place } = patchCuts(readPatchCuts({}))(free(30));
  return planned<{ readonly shrunk: Size } & Record<'rows' | 'columns', number>>(
    (size) => place(size),
    ({ shrunk, rows, columns }) => [shrunk.height, shrunk.width, rows, columns],
  );
};
const molmo = (): Numbers => {
  const { place } = overlapCrops(readOverlapCrops({}))(tiled(336, 14, 144));
  return planned<Record<'crops', Record<'rows' | 'columns', number>> & Record<'onCanvas' | 'whole', Size>>(
    (size) => place(size),
    ({ crops: { rows, columns }, onCanvas, whole }) => [
      rows,
      columns,
      onCanvas.height,
      onCanvas.width,
      whole.height,
      whole.width,
    ],
  );
};
const mm15 = (): Numbers => {
  const { place } = paddedTiles(readPaddedTiles({ min_tiles: 4, max_tiles: 9 }))(tiled(378, 14));
  return planned<{ readonly grid: Size & Record<'rows' | 'columns', number> }>(
    (size) => place(size),
    ({ grid: { rows, columns, width, height } }) => [rows, columns, width, height],
  );
};

const rules: Readonly<Record<string, Numbers>> = {
  'clip-224': clip(224),
  'clip-336': clip(336),
  janus: janus('half-even'),
  'janus-original': janus('down'),
  idefics3: split(4 * 364, 364),
  smolvlm: split(4 * 512, 512),
  internvl: grids(448, 12),
  nvlm: grids(448, 6),
  'llama-3.2-vision': llamaVision(),
  'llava-next': fitted(next),
  'llava-onevision': fitted(onevision),
  aria: aria(),
  'qwen2-vl': qwen({ min_pixels: 56 * 56, max_pixels: 28 * 28 * 16384 }),
  'qwen2-vl-limited': qwen({ min_pixels: 256 * 28 * 28, max_pixels: 1280 * 28 * 28 }),
  'qwen2-vl-video': qwenVideo(),
  pixtral: pixtral(1024, 16),
  'pixtral-large': pixtral(1540, 14),
  fuyu: fuyu(),
  molmo: molmo(),
  'mm1.5': mm15(),
};

describe('processors at published resolutions', () => {
  for (const one of golden) testGoldenSizes(one, rules[one.name]!);

  it('are all compared', () => {
    expect(golden.map(({ name }) => name)).toEqual(Object.keys(rules));
  });
});
