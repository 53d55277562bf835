import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { presetModel } from '@weft/models';
import { openSafetensors, writeSafetensors } from '@weft/weights';
import { describe, expect, it } from 'vitest';
import { fixture, weft } from '../../test/weft.js';
import { describeModel } from '../describe-model.js';
import { drawModel } from '../draw-model.js';

describe('weft inspect', () => {
  it('counts the parameters of published sizes without weights', async () => {
    const { code, stdout } = await weft(['inspect', 'llava-1.5-7b', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'llava-1.5-7b',
      recipe: 'llava',
      parameters: { total: 7_063_427_072, vision: 303_507_456, projector: 20_979_712 },
      parts: {
        encoder: { id: 'encoder-clip', config: { featureLayers: [-2] } },
        connector: { id: 'connector-mlp' },
        backbone: { config: { vocabSize: 32064 } },
      },
      tokensPerImage: 576,
    });
    expect(describeModel('', await presetModel('llava-1.5-13b')).parameters.total).toBe(13_351_494_656);
    expect(describeModel('', await presetModel('smolvlm-256m')).parameters).toMatchObject({
      total: 256_484_928,
      head: 49_280 * 576,
    });
  });

  it.each(['llava-1.5-7b', 'smolvlm-500m', 'qwen2-0.5b'])(
    'tells parameters that add up (%s)',
    async (name) => {
      const { total, vision, projector, decoder, head } = describeModel(
        name,
        await presetModel(name),
      ).parameters;
      expect(vision + projector + decoder + head).toBe(total);
      if (name === 'qwen2-0.5b') expect(head).toBe(0);
    },
  );

  it('counts the tokens of a picture of the given size', async () => {
    const { stdout } = await weft(['inspect', 'smolvlm-256m', '--image', '1280x720', '--json']);
    // Enlarged to 2048 x 1152, stretched to 4 x 3 tiles, and seen once more as a whole.
    expect(JSON.parse(stdout)).toMatchObject({
      tokensPerImage: 13 * 64,
      image: { width: 1280, height: 720, tiles: 13 },
      shapes: { pixels: [13, 3, 512, 512], features: [13, 1024, 768] },
    });
  });

  it.each([
    ['llama-3.2-11b-vision', [1, 4, 3, 560, 560], [4, 1601, 7680], [6404, 4096], 1],
    ['nvlm-h-72b', [3, 3, 448, 448], [3, 1024, 3200], [768, 8192], 256],
  ])('tells what %s attends to of a picture, and what stands among its tokens', async (name, ...expected) => {
    const { shapes, tokensPerImage } = describeModel(name, await presetModel(name), {
      width: 896,
      height: 448,
    });
    const { pixels, features, embeddings } = shapes;
    expect([pixels, features, embeddings, tokensPerImage]).toEqual(expected);
  });

  it('draws the parts from the image to the text', async () => {
    const lines = drawModel(describeModel('llava-1.5-7b', await presetModel('llava-1.5-7b')), {
      write: () => true,
    }).split('\n');
    const order = [
      'image  336 x 336',
      'encoder-clip',
      '[1, 576, 1024]',
      'connector-mlp',
      '[576, 4096]',
      'fusion-unified',
      'backbone-llama',
      '[1, L, 32064]',
      'text',
    ];
    const places = order.map((text) => lines.findIndex((line) => line.includes(text)));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    const boxes = lines.filter((line) => /^[┌│└]/.test(line));
    expect(new Set(boxes.map((line) => line.length))).toEqual(new Set([66]));
  });

  it('lists files, types, and tensors without a place, of a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'weft-inspect-'));
    try {
      for (const name of ['config.json', 'tokenizer.json'])
        await copyFile(join(fixture('text-bf16'), name), join(folder, name));
      const source = await openSafetensors(join(fixture('text-bf16'), 'model.safetensors'));
      const tensors = await Promise.all(
        [...source.tensors.values()].map(async ({ name, dtype, shape }) => ({
          name,
          dtype,
          shape,
          data: await source.read(name),
        })),
      );
      await source.close();
      const buffer = {
        name: 'model.layers.0.self_attn.rotary_emb.inv_freq',
        dtype: 'F32',
        shape: [5],
        data: new Uint8Array(20),
      } as const;
      await writeSafetensors(join(folder, 'model.safetensors'), [...tensors, buffer]);
      const json = JSON.parse((await weft(['inspect', folder, '--json'])).stdout) as Record<string, unknown>;
      expect(json).toMatchObject({
        files: [{ name: 'model.safetensors', tensors: tensors.length + 1 }],
        dtypes: { BF16: 49_959, F32: 5 },
        unusedTensors: [{ name: buffer.name, reason: 'computed from the config' }],
      });
      const text = (await weft(['inspect', folder])).stdout;
      expect(text).toContain('5 F32, 49,959 BF16');
      expect(text).toContain(`${buffer.name}: computed from the config`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('lists the published sizes for an unknown name', async () => {
    const { code, stderr } = await weft(['inspect', 'llava-7b']);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /'llava-7b' is neither a folder nor a published size\.\n.*smolvlm-256m, .*llava-1\.5-7b/,
    );
  });
});
