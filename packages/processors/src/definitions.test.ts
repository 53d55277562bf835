import { readFileSync, readdirSync } from 'node:fs';
import type { Json, PartDefinition } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import * as exported from './index.js';

type Definition = PartDefinition<'processor', object>;

const parts = Object.values(exported).filter(
  (value): value is never => typeof value === 'object' && 'kind' in value,
) as Definition[];
const partOf = (type: unknown): Definition =>
  parts.find(({ types }) => types!.includes(String(type).replace(/(Fast|Pil)$/, '')))!;

const folder = new URL('../../models/__fixtures__/', import.meta.url);
/** Preprocessor files of the fixtures' checkpoints that name their class. */
const published = readdirSync(folder).flatMap((name): [string, Json][] =>
  ['preprocessor_config.json', 'processor_config.json'].flatMap((file) => {
    let json: Json;
    try {
      json = JSON.parse(readFileSync(new URL(`${name}/${file}`, folder), 'utf8')) as Json;
    } catch {
      return [];
    }
    const own = (json['image_processor'] ?? json) as Json;
    return typeof own['image_processor_type'] === 'string' ? [[`${name}/${file}`, own]] : [];
  }),
);

/** Files that set what the published ones leave as it is. */
const unusual: [string, Json][] = [
  ['CLIPImageProcessor', { do_resize: false, do_center_crop: false, do_normalize: false, do_rescale: false }],
  ['CLIPImageProcessor', { size: { height: 30, width: 40 }, crop_size: 20, do_pad: true }],
  ['LlavaImageProcessor', { do_pad: true, image_mean: [0.1, 0.2, 0.3], resample: 0 }],
  ['CLIPImageProcessor', { size: { shortest_edge: 30, longest_edge: 40 }, do_center_crop: null }],
  ['SiglipImageProcessor', { size: { height: 30, width: 40 } }],
  ['SiglipImageProcessor', { size: 30, do_center_crop: true, crop_size: [28, 20] }],
  ['ViTImageProcessorFast', { size: 30 }],
  ['JanusImageProcessor', { size: 30, min_size: 3, do_normalize: false }],
  ['JanusImageProcessor', { do_resize: false, do_pad: false }],
  ['VLMImageProcessor', { image_size: 384, text: { frame: ['<', '>'] } }],
  ['GotOcr2ImageProcessor', { size: 14, min_patches: 2, use_thumbnail: false }],
  ['GotOcr2ImageProcessor', { text: { frame: ['a', 'b'], tag: '<{n}>', lastTag: 'c' } }],
  ['LlavaNextImageProcessor', { crop_size: { height: 12, width: 12 } }],
  ['MllamaImageProcessor', { size: { height: 28, width: 28 }, max_image_tiles: 2 }],
  ['MllamaImageProcessor', {}],
  ['AriaImageProcessor', { max_image_size: 490, min_image_size: 100, split_image: true }],
  ['AriaImageProcessor', { split_image: true, split_resolutions: [[490, 980]] }],
  ['MM15ImageProcessor', { min_tiles: 2, whole_from: 4, indicators: 'none', image_mean: [0, 1, 0.5] }],
  ['MolmoImageProcessor', { do_normalize: false, base_image_input_size: [28, 42], overlap_margins: [2, 4] }],
  ['MolmoImageProcessor', { image_patch_size: 7, tokens: { start: '<a>' } }],
  ['Qwen2VLImageProcessor', { do_resize: false, min_pixels: 10, patch_size: 14, merge_size: 2 }],
  ['Qwen2VLVideoProcessor', { cap_pixels_per_frame: true, max_video_tokens: 1000, temporal_patch_size: 2 }],
  ['PixtralImageProcessor', { size: { height: 3, width: 4 }, image_break_token: '|' }],
  ['PixtralImageProcessor', { do_resize: false }],
  ['FuyuImageProcessor', { padding_value: 3, patch_size: { height: 15, width: 15 } }],
  ['Idefics3ImageProcessor', { do_resize: false, do_image_splitting: false, tokens: { whole: '<all>' } }],
  ['SmolVLMImageProcessor', { max_image_size: { longest_edge: 12 }, size: { longest_edge: 30 } }],
];

describe('definitions of processors', () => {
  it('are told apart by id, and each class of files belongs to one', () => {
    const ids = parts.map(({ id }) => id);
    const types = parts.flatMap(({ types: own }) => own!);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(types).size).toBe(types.length);
    expect(parts.every(({ kind, id }) => kind === 'processor' && id.startsWith('processor-'))).toBe(true);
    expect(parts).toHaveLength(12);
  });

  it('are all tried below', async () => {
    const tried = new Set(await Promise.all(unusual.map(async ([type]) => (await partOf(type)).id)));
    expect([...tried].toSorted()).toEqual(parts.map(({ id }) => id).toSorted());
    expect(published.length).toBeGreaterThan(20);
  });

  it.each([
    ...unusual.map(([type, fields]) => [`${type} ${JSON.stringify(fields)}`, type, fields] as const),
    ...published.map(([file, fields]) => [file, fields['image_processor_type'] as string, fields] as const),
  ])('write a file that reads back to the same configuration, which is data: %s', async (_, type, fields) => {
    const part = await partOf(type);
    const config = part.read!({ image_processor_type: type, ...fields });
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
    expect(part.create(config)).toBeTypeOf('function');
    // Texts may be any.
    for (const [name, value] of Object.entries(config))
      if (typeof value !== 'string' || name === 'filter' || name === 'indicators')
        expect(() => part.create({ ...config, [name]: 'odd' })).toThrow(`${part.id}: ${name}`);
    expect(() => part.create({ ...config, unheardOf: 1 })).toThrow(
      `${part.id}: there is no field 'unheardOf'`,
    );
    const written = part.write!(config)!;
    const own = written['image_processor_type'] ?? written['video_processor_type'];
    expect((await partOf(own)).id).toBe(part.id);
    expect(part.read!(JSON.parse(JSON.stringify(written)) as Json)).toEqual(config);
  });
});
