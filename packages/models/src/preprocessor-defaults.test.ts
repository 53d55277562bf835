import { readFileSync } from 'node:fs';
import type { Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { readAnyresTiles } from './processors/anyres-tiles.js';
import { readCanvasTiles } from './processors/canvas-tiles.js';
import { readCornerTiles } from './processors/corner-tiles.js';
import { readDynamicTiles } from './processors/dynamic-tiles.js';
import { readPackedPatches } from './processors/packed-patches.js';
import { readPatchCuts } from './processors/patch-cuts.js';
import { readPatchRows } from './processors/patch-rows.js';
import { readClipProcessor, readJanusProcessor, readSiglipProcessor } from './processors/single-tile.js';
import { readSplitTiles } from './processors/split-tiles.js';

const cases = JSON.parse(
  readFileSync(new URL('./__fixtures__/preprocessor-defaults.json', import.meta.url), 'utf8'),
) as readonly { readonly class: string; readonly given: Json; readonly full: Json }[];

/** What an encoder's configuration says is given as the class of the processor has it. */
const readers: Readonly<Record<string, (config: Json) => object>> = {
  AriaImageProcessor: (config) => readCornerTiles(config),
  CLIPImageProcessor: readClipProcessor,
  FuyuImageProcessor: (config) => readPatchCuts(config, 30),
  GotOcr2ImageProcessor: (config) =>
    readDynamicTiles(config, { tileSize: 384, minTiles: 1, maxTiles: 12, thumbnail: true }),
  Idefics3ImageProcessor: readSplitTiles,
  JanusImageProcessor: (config) => readJanusProcessor(config, { side: 384, rounding: 'half-even' }),
  LlavaNextImageProcessor: (config) => readAnyresTiles(config, { pinpoints, tileSize: 224, mostTiles: null }),
  LlavaOnevisionImageProcessor: (config) =>
    readAnyresTiles(config, { pinpoints: onevisionPinpoints, tileSize: 384, mostTiles: 9 }),
  MllamaImageProcessor: (config) => readCanvasTiles(config, { tileSize: 224, maxTiles: 4 }),
  PixtralImageProcessor: (config) => readPatchRows(config),
  Qwen2VLImageProcessor: (config) =>
    readPackedPatches(config, { patchSize: 14, temporalPatchSize: 2, mergeSize: 2 }),
  SiglipImageProcessor: readSiglipProcessor,
  SmolVLMImageProcessor: readSplitTiles,
};

const pinpoints = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
] as const;
const onevisionPinpoints = [1, 2, 3, 4, 5, 6].flatMap((rows) =>
  [1, 2, 3, 4, 5, 6].map((columns) => [384 * rows, 384 * columns] as const),
);

/** What a reader gives, its rule of sizes by what it makes of some pictures. */
const plain = (config: object): object => {
  const { target } = config as { target?: (own: { width: number; height: number }) => object };
  const pictures = [
    { width: 640, height: 427 },
    { width: 31, height: 333 },
  ];
  return target ? { ...config, target: pictures.map(target) } : config;
};

describe('class defaults of the image processors of transformers', () => {
  it.each(cases)('are those of $class', ({ class: name, given, full }) => {
    const read = readers[name]!;
    expect(plain(read(given))).toEqual(plain(read(full)));
  });

  it('are known for every reader of a class', () => {
    expect(cases.map((one) => one.class).toSorted()).toEqual(Object.keys(readers).toSorted());
  });
});
