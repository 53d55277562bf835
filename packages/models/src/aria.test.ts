import { ConfigError, InputError, ShapeError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { part, senseOf, type Json, type Model, type Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { visionGraph } from './graphs.js';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';

const config: Json = {
  model_type: 'aria',
  vision_config: {
    hidden_size: 8,
    intermediate_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    image_size: 12,
    patch_size: 2,
  },
  text_config: {
    vocab_size: 20,
    hidden_size: 8,
    intermediate_size: 4,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    moe_num_experts: 3,
  },
  projector_patch_to_query_dict: { 16: 3, 36: 5 },
};
const plain = {
  max_image_size: 8,
  min_image_size: 3,
  image_mean: 0,
  image_std: 1,
  rescale_factor: 1,
};
const tiny = async (preprocessor: Json = {}, changes: Json = {}): Promise<Model> =>
  modelOf({ ...config, ...changes }, { preprocessor: { ...plain, ...preprocessor } });

const picture = (width: number, height: number, byte = 7): Picture => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(width * height * 3).fill(byte),
});

/** Columns and rows of each tile that its mask shows. */
function shown(model: Model, pictures: readonly Picture[]): (readonly [number, number])[] {
  const { shape, data } = senseOf(model, 'image')!.processor.process(pictures).inputs['pixel_mask']!;
  const [tiles, side] = shape as [number, number];
  return Array.from({ length: tiles }, (_, tile) => {
    const own = (data as Uint8Array).subarray(tile * side * side, (tile + 1) * side * side);
    const wide = own.subarray(0, side).filter(Boolean).length;
    return [wide, own.filter(Boolean).length / wide] as const;
  });
}

describe('the recipe of Aria', () => {
  it('adds up to the published parameters, under the published names', async () => {
    const all = namedParameters((await presetModel('aria')).module);
    expect([...all.values()].reduce((sum, { elements }) => sum + elements, 0)).toBe(25_307_311_216);
    expect(all.get('vision_tower.embeddings.position_embedding.weight')!.shape).toEqual([4900, 1152]);
    expect(all.get('multi_modal_projector.query')!.shape).toEqual([256, 1152]);
    expect(all.get('language_model.model.layers.27.mlp.experts.63.fc1.weight')!.shape).toEqual([2560, 3328]);
  });

  it('takes the names inside transformers 5 as well', async () => {
    const { rename, split } = (await tiny()).checkpoint;
    const [piece] = split!('model.language_model.layers.0.mlp.experts.gate_up_proj', [3, 8, 8])!;
    expect(rename!(piece!.name)).toBe('language_model.model.layers.0.mlp.experts.0.fc1.weight');
    expect(rename!('model.multi_modal_projector.query')).toBe('multi_modal_projector.query');
    expect(rename!('model.vision_tower.post_layernorm.bias')).toBe('vision_tower.post_layernorm.bias');
  });

  it.each([
    [980, 256],
    [490, 128],
  ])('gives every picture the tokens of a tile of %i pixels', async (max_image_size, tokens) => {
    const { config: published } = await presetModel('aria');
    const { processor } = senseOf(await modelOf(published, { preprocessor: { max_image_size } }), 'image')!;
    expect(processor.place({ width: 640, height: 480 })).toMatchObject({ tiles: 1, tokens });
    expect(processor.place({ width: 30, height: 2000 }).prompt).toBe('<|img|>'.repeat(tokens));
  });

  it('makes the largest tiles that have queries where nothing says which', async () => {
    const { processor } = senseOf(await modelOf(config), 'image')!;
    expect(processor.process([picture(3, 4)]).inputs['pixel_values']!.shape).toEqual([1, 3, 12, 12]);
  });

  it('cuts a picture in the resolution that suits it best, without a view of the whole', async () => {
    const { config: published } = await presetModel('aria');
    const place = async (max_image_size: number, width: number, height: number) =>
      senseOf(
        await modelOf(published, {
          preprocessor: { max_image_size, split_image: true },
        }),
        'image',
      )!.processor.place({ width, height });
    expect(await place(490, 1280, 720)).toMatchObject({
      tiles: 6,
      tokens: 768,
      formula: '2 x 3 tiles of 128',
    });
    expect(await place(490, 400, 3000)).toMatchObject({ tiles: 7, formula: '7 x 1 tiles of 128' });
    expect(await place(490, 100, 100)).toMatchObject({ tiles: 2, formula: '1 x 2 tiles of 128' });
    // Resolutions of an odd number of smaller tiles leave a narrower one at the end.
    expect(await place(980, 1400, 480)).toMatchObject({
      tiles: 2,
      tokens: 512,
      formula: '1 x 2 tiles of 256',
    });
  });

  it.each([
    [16, 8, 8, 4],
    [5, 4, 8, 6],
    [4, 5, 6, 8],
    [8, 1, 8, 3],
    [1, 8, 3, 8],
    [7, 7, 8, 8],
  ])('fits %i x %i pixels into a tile as %i x %i', async (width, height, wide, high) => {
    expect(shown(await tiny(), [picture(width, height)])).toEqual([[wide, high]]);
  });

  it('sets a picture into the upper left corner, on black', async () => {
    const { inputs, images } = senseOf(await tiny(), 'image')!.processor.process([
      picture(16, 8),
      picture(8, 8, 9),
    ]);
    const { shape, data } = inputs['pixel_values']!;
    expect(shape).toEqual([2, 3, 8, 8]);
    expect([0, 31, 32, 63, 64, 192, 255].map((i) => data[i])).toEqual([7, 7, 0, 0, 7, 9, 9]);
    expect(images.map(({ tokens }) => tokens)).toEqual([3, 3]);
  });

  it('fits each tile of a resolution that tiles do not divide', async () => {
    const split = await tiny({ split_image: true, split_resolutions: [[8, 12]] });
    expect(shown(split, [picture(12, 8)])).toEqual([
      [8, 8],
      [4, 8],
    ]);
  });

  it('gives its graph a run for each tile, with the queries of the whole tile', async () => {
    const model = await tiny();
    const [encoder, connector] = [part(model, 'encoder'), part(model, 'connector')];
    const { processor } = senseOf(model, 'image')!;
    const runs = encoder.prepare!(processor.process([picture(16, 8), picture(8, 8)]).inputs);
    expect(runs.map(({ inputs }) => inputs['patches']!.shape)).toEqual([
      [1, 8, 12],
      [1, 16, 12],
    ]);
    const prepared = runs.map(({ layout }) => connector.prepare!(layout));
    expect(prepared.map(({ query_rows }) => query_rows!.shape)).toEqual([[3], [3]]);
    const names = Object.keys({ ...runs[0]!.inputs, ...prepared[0] });
    expect([...visionGraph(model).inputs.keys()].toSorted()).toEqual(names.toSorted());
  });

  it('refuses tiles without queries, sides that do not fit and pictures without pixels', async () => {
    const { processor } = senseOf(await tiny({ max_image_size: 10 }), 'image')!;
    const place = () => processor.place({ width: 4, height: 4 });
    expect(place).toThrow(ShapeError);
    expect(place).toThrow(/tile of 5 x 5 patches has no number of queries/);
    await expect(tiny({ min_image_size: 9 })).rejects.toThrow(
      /min_image_size is 9, expected at most a tile.s side, max_image_size, which is 8/,
    );
    await expect(tiny({}, { projector_patch_to_query_dict: {} })).rejects.toThrow(ConfigError);
    await expect(tiny({}, { projector_patch_to_query_dict: { 16: 0 } })).rejects.toThrow(
      /projector_patch_to_query_dict is {"16":0}/,
    );
    await expect(async () =>
      senseOf(await tiny(), 'image')!.processor.place({ width: 0, height: 4 }, 2),
    ).rejects.toThrow(InputError);
  });
});
