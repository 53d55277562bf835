import { readFileSync } from 'node:fs';
import { ConfigError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { part, senseOf, type Json, type Model } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';

const total = (model: Model): number =>
  [...namedParameters(model.module).values()].reduce((sum, { elements }) => sum + elements, 0);
const fixture = (name: string): Json =>
  JSON.parse(readFileSync(new URL(`../__fixtures__/${name}/config.json`, import.meta.url), 'utf8')) as Json;

describe('the recipe of InternVL', () => {
  it.each([
    ['internvl2.5-1b', 938_193_024, undefined],
    ['internvl2.5-4b', 3_712_637_952, undefined],
    ['internvl2.5-8b', 8_075_365_376, undefined],
    ['internvl2.5-38b', 38_388_164_992, 1456],
    ['internvl3-8b', 7_944_373_760, 781],
  ])('%s has the parameters of the published checkpoint', async (name, parameters, tensors) => {
    const model = await presetModel(name);
    expect(total(model)).toBe(parameters);
    if (tensors) expect(namedParameters(model.module).size).toBe(tensors);
  });

  it.each([
    [640, 480, 13],
    [1280, 720, 9],
    [448, 448, 1],
    [400, 1000, 11],
  ])('announces the tokens of a picture of %i x %i pixels', async (width, height, tiles) => {
    const { processor } = senseOf(await presetModel('internvl3-8b'), 'image')!;
    const placement = processor.place({ width, height });
    expect(placement).toMatchObject({ tiles, tokens: 256 * tiles });
    expect(placement.prompt).toBe(`<img>${'<IMG_CONTEXT>'.repeat(256 * tiles)}</img>`);
  });

  it('finds the image token of the original layout, whose files do not state it', async () => {
    const original = fixture('internvl-original');
    const vocabSize = (original['llm_config'] as Json)['vocab_size'] as number;
    expect(senseOf(await modelOf(original), 'image')!.tokenId).toBe(vocabSize - 7);
    // InternVL 2.5 and 3, and the one before on Qwen2.
    const chat = async (size: number) =>
      modelOf({ ...original, llm_config: { ...(original['llm_config'] as Json), vocab_size: size } });
    expect(
      await Promise.all([151674, 151655].map(async (size) => senseOf(await chat(size), 'image')!.tokenId)),
    ).toEqual([151667, 151648]);
  });

  it('cuts no tiles where the original says so', async () => {
    const whole = await modelOf({ ...fixture('internvl-original'), dynamic_image_size: false });
    expect(senseOf(whole, 'image')!.processor.place({ width: 90, height: 30 }).tiles).toBe(1);
  });

  it('ties the head by either flag', async () => {
    const large = fixture('internvl-large');
    expect(large).toMatchObject({ tie_word_embeddings: true, text_config: { tie_word_embeddings: false } });
    expect(part(await modelOf(large), 'backbone').config['tieWordEmbeddings']).toBe(true);
    expect(
      part(await modelOf({ ...large, tie_word_embeddings: false }), 'backbone').config['tieWordEmbeddings'],
    ).toBe(false);
  });

  it('normalises like the class that the processor names, if it does not say how', async () => {
    const side = (fixture('internvl-two')['vision_config'] as { image_size: number[] }).image_size[0]!;
    const first = async (preprocessor: Json): Promise<number> => {
      const { processor } = senseOf(await modelOf(fixture('internvl-two'), { preprocessor }), 'image')!;
      const black = {
        width: side,
        height: side,
        channels: 3,
        data: new Uint8Array(side * side * 3),
      } as const;
      return processor.process([black]).inputs['pixel_values']!.data[0] as number;
    };
    expect(await first({ image_processor_type: 'GotOcr2ImageProcessor' })).toBeCloseTo(
      -0.48145466 / 0.26862954,
      5,
    );
    // transformers takes that class for the model type, which the files of the original repositories do not name.
    expect(await first({})).toBeCloseTo(-0.48145466 / 0.26862954, 5);
    expect(await first({ image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] })).toBeCloseTo(
      -0.485 / 0.229,
      5,
    );
  });

  it.each([
    [{ vision_feature_select_strategy: 'full' }, /select_strategy is 'full', expected 'default'/],
    [{ vision_config: { use_mean_pooling: false } }, /use_mean_pooling of vision_config is false/],
    [
      { model_type: 'internvl_chat', ps_version: 'v1', vision_config: {}, llm_config: {} },
      /ps_version is 'v1'/,
    ],
    [
      { model_type: 'internvl_chat', llm_config: { architectures: ['InternLM2ForCausalLM'] } },
      /InternLM2 keeps queries, keys and values in one tensor.*\n.*-hf/,
    ],
  ])('refuses what no published checkpoint has: %j', async (changes, message) => {
    const make = async () => modelOf({ ...fixture('internvl-two'), ...changes });
    await expect(make()).rejects.toThrow(ConfigError);
    await expect(make()).rejects.toThrow(message);
  });
});
