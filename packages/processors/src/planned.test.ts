import { InputError } from '@weft/errors';
import { raster } from '@weft/image';
import type { ImagePlacement, ImageProcessor, ProcessedImages } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { contextOf } from '../test/context.js';
import { anyresTiles, readAnyresTiles } from './anyres-tiles.js';
import { canvasTiles, readCanvasTiles } from './canvas-tiles.js';
import { cornerTiles, readCornerTiles } from './corner-tiles.js';
import { dynamicTiles, readDynamicTiles } from './dynamic-tiles.js';
import { overlapCrops, readOverlapCrops } from './overlap-crops.js';
import { packedPatches } from './packed-patches.js';
import { packedVideo } from './packed-video.js';
import { readPackedPatches } from './packing.js';
import { paddedTiles, readPaddedTiles } from './padded-tiles.js';
import { patchCuts, readPatchCuts } from './patch-cuts.js';
import { patchRows, readPatchRows } from './patch-rows.js';
import { readClipProcessor } from './single-tile-files.js';
import { singleTile } from './single-tile.js';
import { readSplitTiles, splitTiles } from './split-tiles.js';

const size = 8;
const patch = 2;
const pixels = { tileSize: size, patchSize: patch };
const grid = [4, 4] as const;
const tiled = contextOf(pixels, () => 4, { grid });
const free = contextOf({ patchSize: patch }, ([rows, columns]) => rows * columns);
const packed = contextOf(
  { patchSize: patch, temporalPatchSize: 2, mergeSize: 2 },
  ([rows, columns]) => (rows * columns) / 4,
);
const packing = readPackedPatches({ min_pixels: 16, max_pixels: 4096 });
const square = { height: size, width: size };

/** An arranger that notes for how many pictures it is asked for a plan. */
const asked: number[] = [];
const arranger = {
  id: 'arranger-test',
  plan: (_: unknown, total: number) => {
    asked.push(total);
    return { resolution: [16, 8] as const, tiles: [2, 1] as const, map: [2, 1] as const, tokens: 8 };
  },
};
const anyres = anyresTiles(readAnyresTiles({ size: square }))({ ...tiled, arranger });

const processors: readonly ImageProcessor[] = [
  singleTile(readClipProcessor({ size: { shortest_edge: size }, crop_size: square }))(tiled),
  splitTiles(
    readSplitTiles({
      size: { longest_edge: 24 },
      max_image_size: { longest_edge: size },
      do_image_splitting: true,
    }),
  )(tiled),
  dynamicTiles(readDynamicTiles({ size: square, max_patches: 4, crop_to_patches: true }))(tiled),
  paddedTiles(readPaddedTiles({ min_tiles: 2, max_tiles: 4 }))(tiled),
  canvasTiles(readCanvasTiles({ size: square, max_image_tiles: 2 }))(
    contextOf(
      {
        ...pixels,
        maxTiles: 2,
        canvases: [
          [1, 1],
          [1, 2],
          [2, 1],
        ],
      },
      () => 17,
      { grid },
    ),
  ),
  cornerTiles({
    ...readCornerTiles({ max_image_size: size, min_image_size: 3 }),
    resolutions: [
      [8, 16],
      [16, 8],
    ],
  })(tiled),
  anyres,
  overlapCrops(
    readOverlapCrops({
      base_image_input_size: 16,
      image_patch_size: 2,
      overlap_margins: [2, 2],
      max_crops: 4,
    }),
  )(contextOf({ tileSize: 16, patchSize: 2 }, () => 16, { grid: [8, 8] })),
  packedPatches(packing)(packed),
  patchRows(readPatchRows({ size: { longest_edge: 24 }, patch_size: patch }))(free),
  patchCuts(readPatchCuts({ size: { height: 24, width: 24 } }))(free),
];

const picture = (width: number, height: number) =>
  raster(
    width,
    height,
    Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37) % 251),
  );

const refusal = (run: () => ProcessedImages): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).message.split('\n')[0]!;
  }
  throw new Error('Nothing was refused.');
};

describe.each(processors.map((processor) => [processor.id, processor] as const))('%s', (_id, processor) => {
  const wide = picture(20, 12);
  const placement = processor.place(wide);

  it('makes the same pixels of a placement that came from another thread, or was written down', () => {
    const own = processor.process([wide]);
    expect(own.images).toEqual([placement]);
    for (const sent of [
      structuredClone(placement),
      JSON.parse(JSON.stringify(placement)) as ImagePlacement,
    ]) {
      expect(sent).toEqual(placement);
      const { inputs, images } = processor.process([wide], [sent]);
      expect(inputs).toEqual(own.inputs);
      expect(images[0]).toBe(sent);
    }
  });

  it('plans the same for equal sizes, with no pixels in the plan', () => {
    const again = processor.place({ width: 20, height: 12 });
    expect(JSON.stringify(again.plan)).toBe(JSON.stringify(placement.plan));
    expect(JSON.stringify(placement.plan).length).toBeLessThan(400);
  });

  it('refuses placements of another size, of another processor, and of other tiles than their plan', () => {
    const tall = processor.place({ width: 12, height: 20 });
    expect(refusal(() => processor.process([wide], [tall]))).toBe(
      'Picture 0 is 20 x 12 pixels, but was placed as 12 x 20 pixels.',
    );
    const other = processors.find(({ id }) => id !== processor.id)!;
    expect(refusal(() => processor.process([wide], [other.place(wide)]))).toBe(
      `Picture 0 was placed by ${other.id}, but is to be processed by ${processor.id}.`,
    );
    const planless = { ...placement, plan: undefined };
    expect(refusal(() => processor.process([wide], [planless]))).toMatch(/a processor that left no plan/);
    const more = { ...placement, tiles: placement.tiles + 1 };
    expect(refusal(() => processor.process([wide], [more]))).toMatch(/was placed as .*, but its plan has/);
    expect(refusal(() => processor.process([wide], []))).toBe('0 placements were given for 1 pictures.');
    // @ts-expect-error One placement is not a list of them.
    expect(refusal(() => processor.process([wide], placement))).toMatch(
      /^The placements are .*, expected a list\.$/,
    );
    // @ts-expect-error Nor is a number.
    expect(refusal(() => processor.process([wide], 1))).toBe('The placements are 1, expected a list.');
  });
});

describe('plannedProcessor', () => {
  it('plans once: where a placement is given, process does not plan again', () => {
    const wide = picture(20, 12);
    asked.length = 0;
    const placement = anyres.place(wide, 3);
    anyres.process([wide], [placement]);
    expect(asked).toEqual([1]);
    anyres.process([wide, wide]);
    expect(asked).toEqual([1, 2, 2]);
  });

  it('goes by the plan that it is given, whatever the processor would decide now', () => {
    const processor = paddedTiles(readPaddedTiles({ min_tiles: 2, max_tiles: 4 }))(tiled);
    const tilesOf = (total: number): number => {
      const placements = [processor.place(square, 0, total)];
      return processor.process([picture(size, size)], placements).inputs['pixel_values']!.shape[0]!;
    };
    expect([tilesOf(1), tilesOf(2), tilesOf(3)]).toEqual([5, 5, 1]);
    const [many, one] = [processor.place(square), processor.place(square, 0, 3)];
    expect(refusal(() => processor.process([picture(size, size)], [{ ...many, plan: one.plan }]))).toBe(
      'Picture 0 was placed as 5 tiles, but its plan has 1 tile.',
    );
  });

  it('refuses pictures that were placed in another order', () => {
    const processor = patchRows(readPatchRows({ size: { longest_edge: 24 }, patch_size: patch }))(free);
    const pictures = [picture(20, 12), picture(4, 6)];
    const placements = pictures.map((one, i) => processor.place(one, i));
    expect(processor.process(pictures, placements).images).toBe(placements);
    expect(refusal(() => processor.process(pictures, placements.toReversed()))).toMatch(/Picture 0 is/);
  });

  it('refuses a layout that is not that of the plan', () => {
    const processor = packedPatches(packing)(packed);
    const placement = processor.place({ width: 20, height: 12 });
    const layout = { ...placement.layout!, rows: 2 };
    expect(refusal(() => processor.process([picture(20, 12)], [{ ...placement, layout }]))).toBe(
      'Picture 0 was placed as 1 tile of 1 x 2 x 10 patches, but its plan has 1 tile of 1 x 6 x 10 patches.',
    );
  });

  it('plans videos of frames and rate as well', () => {
    const processor = packedVideo(packing)(packed);
    const film = (frames: number, fps = 4) => ({
      frames: Array.from({ length: frames }, () => picture(20, 12)),
      fps,
    });
    const placement = structuredClone(processor.place({ width: 20, height: 12, frames: 3, fps: 4 }));
    expect(processor.process([film(3)], [placement])).toEqual(processor.process([film(3)]));
    expect(refusal(() => processor.process([film(5)], [placement]))).toBe(
      'Video 0 is 5 frames of 20 x 12 pixels, 4 a second, but was placed as 3 frames of 20 x 12 pixels, 4 a second.',
    );
    expect(refusal(() => processor.process([film(3, 2)], [placement]))).toMatch(/, 2 a second, but/);
  });
});
