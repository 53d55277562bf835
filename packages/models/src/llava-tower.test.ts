import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { part, type Json } from '@weft/spec';
import { beforeAll, describe, expect, it } from 'vitest';
import { modelOf } from './recipes.js';

let config: Json;
beforeAll(async () => {
  const path = fileURLToPath(new URL('../__fixtures__/llava-dino/config.json', import.meta.url));
  config = JSON.parse(await readFile(path, 'utf8')) as Json;
});

const tower = async (changes: Json = {}, section: Json = {}) => {
  const vision_config = { ...(config['vision_config'] as Json), ...section };
  return part(await modelOf({ ...config, vision_config, ...changes }), 'encoder');
};

describe("LLaVA's vision tower", () => {
  it('is any encoder that reads a section of its model_type', async () => {
    const encoder = await tower();
    expect(encoder.id).toBe('encoder-dino');
    expect(encoder.config).toMatchObject({ featureLayers: [-2], classToken: 'drop', useSwigluFfn: true });
    expect(encoder.grid).toEqual([3, 3]);
  });

  it('keeps its class token if the file says so', async () => {
    const encoder = await tower({ vision_feature_select_strategy: 'full', vision_feature_layer: [-2, -1] });
    expect(encoder.grid).toEqual([1, 10]);
    expect(encoder.hiddenSize).toBe(2 * 18);
  });

  it('loses no patch where there is no class token', async () => {
    const siglip = { model_type: 'siglip_vision_model' };
    await expect(tower({}, siglip)).rejects.toThrow(
      /strategy 'default' would drop a real patch: encoder-siglip has no class token/,
    );
    expect((await tower({ vision_feature_select_strategy: 'full' }, siglip)).id).toBe('encoder-siglip');
  });

  it('must be known, and see tiles of one size', async () => {
    await expect(tower({}, { model_type: 'dinov3_vit' })).rejects.toThrow(/there is no encoder 'dinov3_vit'/);
    const free = { model_type: 'qwen2_vl_vision', embed_dim: 16, num_heads: 2 };
    await expect(tower({}, free)).rejects.toThrow(
      /model_type 'qwen2_vl_vision' does not see tiles of one size by layers of choice/,
    );
  });
});
