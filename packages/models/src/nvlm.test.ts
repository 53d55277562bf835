import { readFileSync } from 'node:fs';
import { namedParameters, type Part } from '@weft/graph';
import { inference } from '@weft/onnx';
import { countTiles, planTiles, readDynamicTiles } from '@weft/processors';
import { part, senseOf, type Json, type Model } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { textGraph } from './graphs.js';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';

const count = (tree: Part): number =>
  [...namedParameters(tree).values()].reduce((sum, { elements }) => sum + elements, 0);
const gatesOf = (model: Model): number[] =>
  [...namedParameters(part(model, 'backbone')).keys()].flatMap((path) => {
    const found = /cross_attn_layers\.(\d+)\.cross_attn_attn_gate$/.exec(path);
    return found ? [Number(found[1])] : [];
  });
const fixture = (name: string): Json =>
  JSON.parse(readFileSync(new URL(`../__fixtures__/${name}/config.json`, import.meta.url), 'utf8')) as Json;

describe('NVLM', () => {
  it('has the tower, the MLP and the language model of the paper', async () => {
    const model = await presetModel('nvlm-d-72b');
    // Seven heads of zeros are the difference to InternViT-6B.
    expect(count(part(model, 'encoder'))).toBe(5_536_496_000 + 45 * (4 * 7 * 128 * 3200 + 2 * 7 * 128));
    expect(count(part(model, 'connector'))).toBe(620_717_056);
    expect(count(part(model, 'backbone'))).toBe(72_706_203_648);
    expect(count(part(await presetModel('nvlm-x-72b'), 'connector'))).toBe(12800 * 8192 + 2 * 12800);
  });

  it.each([
    ['nvlm-x-72b', 8],
    ['nvlm-h-72b', 8],
    ['nvlm-x-34b', 6],
    ['nvlm-h-34b', 6],
  ])('%s has ten gated layers, one before every nth layer', async (name, every) => {
    expect(gatesOf(await presetModel(name))).toEqual(
      Array.from({ length: 10 }, (_, i) => (i + 1) * every - 1),
    );
  });

  it('has the decoder lengths of the paper for six tiles and the thumbnail', async () => {
    const size = { width: 1280, height: 853 };
    const lengths = await Promise.all(
      ['d', 'x', 'h'].map(async (letter) => {
        const { processor, cross } = senseOf(await presetModel(`nvlm-${letter}-72b`), 'image')!;
        const { tiles, tokens, cross: share } = processor.place(size);
        expect(tiles).toBe(7);
        return [tokens, (share?.seen ?? 0) * (cross?.tokensPerTile ?? 0)];
      }),
    );
    expect(lengths).toEqual([
      [1792, 0],
      [7, 1792],
      [256, 1536],
    ]);
  });

  it('tags tiles in the text, and a single tile as the thumbnail', async () => {
    const prompts = async (name: string, tileSize: number) =>
      await Promise.all(
        [
          [2, 1],
          [1, 1],
        ].map(
          async ([columns, rows]) =>
            senseOf(await modelOf(fixture(name)), 'image')!.processor.place({
              width: columns! * tileSize,
              height: rows! * tileSize,
            }).prompt,
        ),
      );
    const side = (name: string) => Number(fixture(name)['force_image_size']);
    const [pad, four] = ['<|vision_pad|>', '<|vision_pad|>'.repeat(4)];
    expect(await prompts('nvlm-d', side('nvlm-d'))).toEqual([
      `<Image><tile_1>${four}<tile_2>${four}<tile_global_thumbnail>${four}</Image>`,
      `<Image><tile_global_thumbnail>${four}</Image>`,
    ]);
    expect((await prompts('nvlm-x', side('nvlm-x')))[0]).toBe(
      `<Image><tile_1>${pad}<tile_2>${pad}<tile_global_thumbnail>${pad}</Image>`,
    );
    expect((await prompts('nvlm-h', side('nvlm-h')))[0]).toBe(
      `<Image><tile_global_thumbnail>${four}</Image>`,
    );
  });

  it('lets the tokens of a tag see their own tile only (X)', async () => {
    const config = fixture('nvlm-x');
    const pad = Number(config['image_token_id']);
    const model = await modelOf({
      ...config,
      tile_tag_ids: [
        [5, 6],
        [5, 7],
        [8, 9, 9],
      ],
    });
    const { cross } = senseOf(model, 'image')!;
    const ids = [1, 5, 6, pad, 5, 7, pad, 8, 9, 9, pad, 2];
    const visible = cross!.visible(ids, [cross!.place(3)]);
    const rows = ids.map((_, at) => [...visible.subarray(3 * at, 3 * at + 3)].join(''));
    expect(rows).toEqual([
      '000',
      '100',
      '100',
      '100',
      '010',
      '010',
      '010',
      '001',
      '001',
      '001',
      '001',
      '111',
    ]);
  });

  it('puts the tags of the tiles among the keys (H)', async () => {
    const model = await modelOf(fixture('nvlm-h'));
    const { cross } = senseOf(model, 'image')!;
    const tags = fixture('nvlm-h')['tile_tag_ids'] as number[][];
    expect(cross!.place(3)).toEqual({
      tokens: 4,
      cross: { tiles: [0, 1], seen: 2, placed: [2], tags: tags.slice(0, 2) },
    });
    expect(cross!.tagTokens).toBe(tags[0]!.length);
    const { graph, held } = inference(textGraph(model));
    expect(held!.graph.inputs.get('tile_tags')!.shape).toEqual(['batch', 'seen', tags[0]!.length]);
    expect([...graph.inputs.keys()].filter((name) => /tile|vision/.test(name))).toEqual([]);
    await expect(modelOf({ ...fixture('nvlm-h'), tile_tag_ids: [[1], [2, 3], [4]] })).rejects.toThrow(
      /different lengths/,
    );
    await expect(modelOf({ ...fixture('nvlm-h'), tile_tag_ids: 'tags' })).rejects.toThrow(
      /not a list of lists/,
    );
  });
});

describe('the tiles of InternVL and NVLM', () => {
  const tiles = (maxTiles: number) => ({ ...readDynamicTiles({ max_patches: maxTiles }), tileSize: 448 });

  it.each([
    [480, 640, 12, [3, 4], 13],
    [720, 1280, 12, [2, 4], 9],
    [1080, 1920, 12, [2, 4], 9],
    [448, 448, 12, [1, 1], 1],
    [1000, 400, 12, [5, 2], 11],
    [480, 640, 6, [2, 3], 7],
    [720, 1280, 6, [1, 2], 3],
  ])('of %i x %i pixels (height x width), at most %i', (height, width, most, grid, total) => {
    const { rows, columns } = planTiles({ width, height }, tiles(most));
    expect([rows, columns]).toEqual(grid);
    expect(countTiles({ width, height }, tiles(most))).toBe(total);
  });
});
