import { namedParameters, type Part } from '@weft/graph';
import { part, senseOf } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { visionGraph } from './graphs.js';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';
import { configOf } from './config-of.js';

const count = (part: Part): number =>
  [...namedParameters(part).values()].reduce((sum, { elements }) => sum + elements, 0);
const blocksOf = (paths: Iterable<string>): number[] => [
  ...new Set(
    [...paths].flatMap((path) => {
      const found = /layers\.(\d+)\.mlp\.experts\./.exec(path);
      return found ? [Number(found[1])] : [];
    }),
  ),
];

describe('MM1.5', () => {
  it('takes 144 tokens for each tile and the whole, as in the paper', async () => {
    const { processor } = senseOf(await presetModel('mm1.5-3b'), 'image')!;
    const tokens = [
      { width: 1000, height: 700 },
      { width: 2000, height: 1500 },
      { width: 1280, height: 2800 },
    ].map((size) => processor.place(size).tokens);
    expect(tokens).toEqual([1008, 1440, 1296]);
    expect(processor.place({ width: 1000, height: 700 }, 0, 3).tokens).toBe(144);
  });

  it.each([
    ['mm1.5-1b', 2048],
    ['mm1.5-3b', 3072],
    ['mm1.5-7b', 4096],
    ['mm1.5-30b', 6656],
  ] as const)('%s brings every tile from pixels to 144 rows as wide as its text', async (name, width) => {
    const { inputs, outputs } = visionGraph(await presetModel(name));
    expect(inputs.get('pixel_values')!.shape).toEqual(['tiles', 3, 672, 672]);
    expect(outputs['image_embeds']!.shape).toEqual(['144*tiles', width]);
  });

  it('has the tower of DFN with a table for 48 x 48 patches, and a C-Abstractor', async () => {
    const [encoder, connector] = [
      part(await presetModel('mm1.5-7b'), 'encoder'),
      part(await presetModel('mm1.5-7b'), 'connector'),
    ];
    // ViT-H/14 at 224 pixels has 630,766,080.
    expect(count(encoder)).toBe(630_766_080 + (48 * 48 - 16 * 16) * 1280);
    const names = namedParameters(connector);
    expect(names.get('pos_emb')!.shape).toEqual([1, 48 * 48, 1280]);
    expect(names.get('net.0.b1.downsample.conv.weight')!.shape).toEqual([1024, 1280, 1, 1]);
    expect(names.get('net.0.b1.se.fc1.weight')!.shape).toEqual([320, 1024, 1, 1]);
    expect(names.get('net.2.b3.conv2.conv.weight')!.shape).toEqual([1024, 1, 3, 3]);
    expect(names.get('readout.2.weight')!.shape).toEqual([4096, 4096]);
  });

  it('has language models of the sizes that the names say', async () => {
    const sizes = await Promise.all(
      ['1b', '3b', '7b', '30b'].map(async (size) =>
        count(part(await presetModel(`mm1.5-${size}`), 'backbone')),
      ),
    );
    expect(sizes).toEqual([1_235_814_400, 3_212_749_824, 6_738_415_616, 32_528_943_616]);
  });

  it.each([
    ['1b', 2048, 8192, 8],
    ['3b', 3072, 8192, 14],
  ] as const)('%s-moe has 64 experts in every second layer', async (size, width, inner, layers) => {
    const [dense, sparse] = [await presetModel(`mm1.5-${size}`), await presetModel(`mm1.5-${size}-moe`)];
    const places = blocksOf(namedParameters(part(sparse, 'backbone')).keys());
    expect(places).toEqual(Array.from({ length: layers }, (_, i) => 2 * i + 1));
    const expert = 3 * width * inner;
    expect(count(part(sparse, 'backbone')) - count(part(dense, 'backbone'))).toBe(
      layers * (63 * expert + 64 * width),
    );
  });

  it('is described by a config.json that gives the same model again', async () => {
    const { config } = await presetModel('mm1.5-1b-moe');
    const again = await modelOf(JSON.parse(JSON.stringify(config)) as typeof config);
    expect([...namedParameters(again.module).keys()]).toEqual([
      ...namedParameters((await presetModel('mm1.5-1b-moe')).module).keys(),
    ]);
    // The parts can be saved as a composition by hand as well.
    const saved = await configOf(again);
    const built = await modelOf(JSON.parse(JSON.stringify(saved)) as typeof saved, {
      preprocessor: { image_processor_type: 'MM15ImageProcessor' },
    });
    expect(count(built.module)).toBe(count(again.module));
    const size = { width: 1000, height: 700 };
    expect(senseOf(built, 'image')!.processor.place(size)).toEqual(
      senseOf(again, 'image')!.processor.place(size),
    );
  });
});
