import { ConfigError, InputError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { part, senseOf, type Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';

const fuyu = async (preprocessor = {}) =>
  modelOf(
    {
      model_type: 'fuyu',
      patch_size: 2,
      image_token_id: 7,
      text_config: {
        vocab_size: 9,
        hidden_size: 8,
        intermediate_size: 8,
        num_hidden_layers: 1,
        num_attention_heads: 2,
      },
    },
    {
      preprocessor: {
        size: { height: 4, width: 6 },
        image_mean: 0,
        image_std: 1,
        rescale_factor: 1,
        ...preprocessor,
      },
    },
  );

/** Each sample says where it is: hundreds for the channel, tens for the row, ones for the column. */
const located = (width: number, height: number): Picture => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => 100 * (i % 3) + 10 * Math.floor(i / 3 / width) + (Math.floor(i / 3) % width),
  ),
});

describe('the recipe of Fuyu', () => {
  it('adds up to the published parameters, under the published names', async () => {
    const all = namedParameters((await presetModel('fuyu-8b')).module);
    expect([...all.values()].reduce((sum, { elements }) => sum + elements, 0)).toBe(9_408_238_592);
    expect(all.get('vision_embed_tokens.weight')!.shape).toEqual([4096, 2700]);
    expect(all.has('language_model.model.layers.35.self_attn.query_key_value.bias')).toBe(true);
    expect((await fuyu()).checkpoint.rename!('model.vision_embed_tokens.bias')).toBe(
      'vision_embed_tokens.bias',
    );
  });

  it.each([
    [640, 480, 352, 368],
    [300, 300, 100, 110],
    [1920, 1080, 2304, 2340],
    [64, 300, 30, 40],
    [3000, 2000, 1944, 1980],
  ])('gives a picture of %i x %i pixels its published tokens', async (width, height, patches, all) => {
    const { tokens, prompt } = senseOf(await presetModel('fuyu-8b'), 'image')!.processor.place({
      width,
      height,
    });
    expect(tokens).toBe(patches);
    expect(prompt.match(/\|(SPEAKER|NEWLINE)\|/g)).toHaveLength(all);
    expect(prompt.endsWith('|SPEAKER||NEWLINE|')).toBe(true);
  });

  it('lists a patch by row, column and channel, and fills the last patches up with ones', async () => {
    const { inputs } = senseOf(await fuyu(), 'image')!.processor.process([located(3, 2)]);
    expect(inputs['image_patches']!.shape).toEqual([1, 2, 12]);
    expect([...inputs['image_patches']!.data]).toEqual([
      0, 100, 200, 1, 101, 201, 10, 110, 210, 11, 111, 211, 2, 102, 202, 1, 1, 1, 12, 112, 212, 1, 1, 1,
    ]);
  });

  it('shrinks what is too large, and never enlarges', async () => {
    const { processor } = senseOf(await fuyu(), 'image')!;
    expect(processor.place({ width: 12, height: 4 }).layout).toMatchObject({ rows: 1, columns: 3 });
    expect(processor.place({ width: 1, height: 1 }).layout).toMatchObject({ rows: 1, columns: 1 });
    expect(() => processor.place({ width: 100, height: 1 }, 3)).toThrow(InputError);
    expect(() => processor.place({ width: 100, height: 1 }, 3)).toThrow(/Picture 3 is 100 x 1 pixels/);
  });

  it('refuses a processor whose patches are not those of the model', async () => {
    await expect(fuyu({ patch_size: { height: 3, width: 3 } })).rejects.toThrow(ConfigError);
    await expect(fuyu({ size: { height: 5, width: 6 } })).rejects.toThrow(/whole patches of 2 x 2/);
    await expect(fuyu({ do_pad: false })).rejects.toThrow(/do_pad is false, expected true/);
    await expect(fuyu({ do_resize: null })).rejects.toThrow(/do_resize is null, expected true/);
  });

  it('turns by the waves of the published model where the file does not say', async () => {
    expect(part(await fuyu(), 'backbone').config).toMatchObject({ ropeTheta: 25000, rotaryDim: 2 });
  });
});
