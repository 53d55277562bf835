import { readFileSync } from 'node:fs';
import {
  readAnyresTiles,
  readCanvasTiles,
  readClipProcessor,
  readCornerTiles,
  readDynamicTiles,
  readJanusProcessor,
  readPackedPatches,
  readPatchCuts,
  readPatchRows,
  readSiglipProcessor,
  readSplitTiles,
} from '@weft/processors';
import type { Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';

const cases = JSON.parse(
  readFileSync(new URL('./__fixtures__/preprocessor-defaults.json', import.meta.url), 'utf8'),
) as readonly { readonly class: string; readonly given: Json; readonly full: Json }[];

type Reader = readonly [read: (config: Json) => object, ofEncoder?: Json];

/** The reader of each class, and what an encoder's configuration says, given as the class of the processor has it. */
const readers: Readonly<Record<string, Reader>> = {
  AriaImageProcessor: [(config) => readCornerTiles(config)],
  CLIPImageProcessor: [readClipProcessor],
  FuyuImageProcessor: [readPatchCuts, { patchSize: [30, 30] }],
  GotOcr2ImageProcessor: [readDynamicTiles, { tileSize: 384 }],
  Idefics3ImageProcessor: [readSplitTiles, { tileSize: 364 }],
  JanusImageProcessor: [(config) => readJanusProcessor(config, 'half-even'), { edge: 384 }],
  LlavaNextImageProcessor: [readAnyresTiles, { tileSize: 224 }],
  LlavaOnevisionImageProcessor: [readAnyresTiles, { tileSize: 384 }],
  MllamaImageProcessor: [readCanvasTiles, { tileSize: [224, 224], maxTiles: 4 }],
  PixtralImageProcessor: [(config) => readPatchRows(config)],
  Qwen2VLImageProcessor: [
    (config) => readPackedPatches(config),
    { patchSize: 14, temporalPatchSize: 2, mergeSize: 2 },
  ],
  SiglipImageProcessor: [readSiglipProcessor],
  SmolVLMImageProcessor: [readSplitTiles, { tileSize: 364 }],
};

/** A configuration with the encoder's sizes where it leaves them to the encoder. */
function filled(config: object, ofEncoder: Json = {}): object {
  const { stated, resizing, ...rest } = config as Record<string, unknown>;
  const open = (fields: object): Json =>
    Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value ?? ofEncoder[key] ?? value]));
  return {
    ...open(rest),
    ...(stated === undefined ? {} : { stated: { ...ofEncoder, ...(stated as Json) } }),
    ...(resizing === undefined ? {} : { resizing: open(resizing as Json) }),
  };
}

describe('class defaults of the image processors of transformers', () => {
  it.each(cases)('are those of $class', ({ class: name, given, full }) => {
    const [read, ofEncoder] = readers[name]!;
    expect(filled(read(given), ofEncoder)).toEqual(filled(read(full), ofEncoder));
  });

  it('are known for every reader of a class', () => {
    expect(cases.map((one) => one.class).toSorted()).toEqual(Object.keys(readers).toSorted());
  });
});
