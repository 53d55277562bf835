import { readFileSync } from 'node:fs';
import { llama, llamaPresets } from '@weft/backbone-llama';
import { aspectRatiosOf } from '@weft/encoder-mllama';
import { unifiedFusion } from '@weft/fusion-unified';
import { namedParameters, type Part } from '@weft/graph';
import { inference } from '@weft/onnx';
import { part, senseOf, type Json, type Model } from '@weft/spec';
import { describeGraph, randomIntegers, randomParameters, runOnnx } from '@weft/testing';
import { planCanvas } from '@weft/processors';
import { describe, expect, it } from 'vitest';
import { textModel } from './compose.js';
import { textGraph, visionGraph } from './graphs.js';
import { presetModel } from './presets.js';
import { modelOf } from './recipes.js';
import { tileVisibility } from './tile-visibility.js';

const count = (part: Part): number =>
  [...namedParameters(part).values()].reduce((sum, { elements }) => sum + elements, 0);

const config = JSON.parse(
  readFileSync(new URL('../__fixtures__/mllama-two-tiles/config.json', import.meta.url), 'utf8'),
) as Json;

describe('Llama 3.2 Vision', () => {
  it.each([
    ['llama-3.2-11b-vision', 10_670_220_835, 906, 31_461_376, 'llama-3.1-8b'],
    ['llama-3.2-90b-vision', 88_593_355_323, 1494, 62_922_752, 'llama-3.1-70b'],
  ] as const)(
    '%s has the parameters of the published checkpoint',
    async (name, total, tensors, projector, text) => {
      const model = await presetModel(name);
      expect(count(model.module)).toBe(total);
      expect(namedParameters(model.module).size).toBe(tensors);
      expect(count(part(model, 'encoder'))).toBe(863_567_379);
      expect(count(part(model, 'connector'))).toBe(projector);
      const plain = llamaPresets[text];
      const added = [...namedParameters(part(model, 'backbone'))].filter(([path]) => /cross_attn/.test(path));
      expect(added).toHaveLength((8 * plain.numHiddenLayers) / 4);
    },
  );

  it('merges its layers into one list, and gives `<|image|>` an embedding but no logit', async () => {
    const model = await presetModel('llama-3.2-11b-vision');
    const paths = namedParameters(part(model, 'backbone'));
    const crossed = [...paths.keys()].flatMap(
      (path) => /^model\.layers\.(\d+)\.cross_attn_attn_gate$/.exec(path)?.[1] ?? [],
    );
    expect(crossed).toEqual(['3', '8', '13', '18', '23', '28', '33', '38']);
    expect(paths.get('model.embed_tokens.weight')!.shape).toEqual([128264, 4096]);
    expect(paths.get('lm_head.weight')!.shape).toEqual([128256, 4096]);
    expect(senseOf(model, 'image')!.tokenId).toBe(128256);
  });

  it('holds no vision parameter in the decode step, whose inputs are keys and values of the picture', async () => {
    const { graph, held } = inference(textGraph(await presetModel('llama-3.2-11b-vision')));
    const visual = /vision_model|multi_modal_projector|cross_attn\.(k_proj|v_proj|k_norm)/;
    expect([...graph.parameters.keys()].filter((path) => visual.test(path))).toEqual([]);
    expect([...held!.graph.parameters.keys()].every((path) => visual.test(path))).toBe(true);
    expect(held!.graph.parameters.size).toBe(3 * 8);
    expect(graph.inputs.get('cross_key_values.7.value')!.shape).toEqual(['1601*seen', 'batch', 8, 128]);
  });

  it.each([
    ['4.45.0.dev0', 'before'],
    ['4.54.1', 'before'],
    [undefined, 'before'],
    ['4.55.0', 'after'],
    ['5.18.0', 'after'],
  ])('takes the rule for intermediate layers of transformers %s', async (transformers_version, rule) => {
    const given = { ...config, transformers_version };
    expect(part(await modelOf(given), 'encoder').config['capture']).toBe(rule);
  });

  it.each([[4.57], [{}], [['5.18.0']]])(
    'refuses the version %j, which is no text',
    async (transformers_version) => {
      await expect(modelOf({ ...config, transformers_version })).rejects.toThrow(
        /transformers_version is .*expected a text/,
      );
    },
  );

  it('takes the rule for intermediate layers from the options, else from the config', async () => {
    const captured = (model: Model) => part(model, 'encoder').config['capture'];
    expect(captured(await modelOf({ ...config, weft_capture: 'before' }))).toBe('before');
    expect(
      captured(await modelOf({ ...config, weft_capture: 'before' }, { options: { capture: 'after' } })),
    ).toBe('after');
    await expect(modelOf(config, { options: { capture: 'during' } })).rejects.toThrow(
      /capture is "during"\.\n {2}at options\n {2}It is 'before' or 'after'/,
    );
    await expect(modelOf({ ...config, weft_unseen: 'all' })).rejects.toThrow(/at config\.json/);
  });

  it('is its text model, bit for bit, when there are no images', async () => {
    const model = await modelOf(config);
    const { vocabSize, extraTokens } = part(model, 'backbone').shape;
    const plain = textModel({
      name: 'llama',
      backbone: llama(part(model, 'backbone').config as never),
      fusion: unifiedFusion(),
    });
    expect(extraTokens).toBe(8);
    const [crossed, text] = [textGraph(model, { tiles: false }), textGraph(plain)];
    expect(describeGraph(crossed, { paths: false })).toEqual(describeGraph(text, { paths: false }));

    const weights = randomParameters(plain.module, 3);
    // The layers of the text model in their places among the cross-attention layers.
    const paths = [...text.parameters.keys()];
    const shared = Object.fromEntries(
      [...crossed.parameters.keys()].map((path, i) => [path, weights[paths[i]!]!]),
    );
    const feeds = {
      input_ids: randomIntegers([2, 9], 4, 0, vocabSize),
      position_ids: { shape: [2, 9], data: [...Array(18).keys()].map((i) => i % 9) },
      logit_positions: { shape: [18], data: [...Array(18).keys()] },
    };
    const [ours, theirs] = [await runOnnx(crossed, feeds, shared), await runOnnx(text, feeds, weights)];
    expect(ours['logits']!.data).toEqual(theirs['logits']!.data);
  });

  it('gives features of four tiles for each picture', async () => {
    const { shape } = visionGraph(await presetModel('llama-3.2-11b-vision')).outputs['image_embeds']!;
    expect(shape).toEqual(['6404*pictures', 4096]);
  });
});

describe('the canvas of a picture', () => {
  const tiles = { tileSize: 560, canvases: aspectRatiosOf(4) };
  it.each([
    [480, 640, [1, 2], [480, 640], 2],
    [720, 1280, [2, 2], [630, 1120], 6],
    [400, 1600, [1, 3], [400, 1600], 3],
    [2000, 500, [4, 1], [2000, 500], 8],
    [300, 300, [1, 1], [560, 560], 1],
    [100, 100, [1, 1], [560, 560], 1],
  ])("of %i x %i pixels (height x width) is the reference's", (height, width, canvas, resized, id) => {
    const plan = planCanvas({ width, height }, tiles);
    expect([plan.rows, plan.columns]).toEqual(canvas);
    expect([plan.height, plan.width]).toEqual(resized);
    expect(plan.aspectRatioId).toBe(id);
  });

  it('counts one token for a picture, whose missing tiles are not seen', async () => {
    const { processor } = senseOf(await presetModel('llama-3.2-11b-vision'), 'image')!;
    const { tokens, prompt, cross, tiles: seen } = processor.place({ width: 640, height: 480 });
    expect([tokens, prompt, seen]).toEqual([1, '<|image|>', 2]);
    expect(cross).toEqual({ tiles: [0, 1, 2, 3], seen: 2, placed: [] });
    const { inputs } = processor.process([
      { width: 640, height: 480, channels: 3, data: new Uint8Array(640 * 480 * 3) },
    ]);
    expect(inputs['pixel_values']!.shape).toEqual([1, 1, 4, 3, 560, 560]);
    expect([...inputs['aspect_ratio_mask']!.data]).toEqual([1n, 1n, 0n, 0n]);
    expect(inputs['pixel_values']!.data.at(-1)).toBe(0);
    expect(inputs['pixel_values']!.data[0]).toBeCloseTo(-1.7923, 4);
  });

  it('refuses tiles that are not those of the encoder', async () => {
    await expect(modelOf(config, { preprocessor: { size: { height: 224, width: 224 } } })).rejects.toThrow(
      /4 tiles of 224 x 224 pixels, but the encoder of config.json takes 4 of 15 x 15/,
    );
  });
});

describe('what a token sees', () => {
  const image = 9;
  const see = (
    ids: readonly number[],
    seen: readonly number[],
    more: Partial<Parameters<typeof tileVisibility>[0]> = {},
  ) => {
    const rule = tileVisibility({ imageTokenId: image, visibility: 'last', ...more });
    const pictures = seen.map((tiles) => ({ tokens: 1, cross: { tiles: [0, 1], seen: tiles, placed: [] } }));
    const visible = rule(ids, pictures);
    const width = 2 * seen.length;
    return ids.map((_, at) => [...visible.subarray(at * width, (at + 1) * width)].join(''));
  };

  it('is the picture before it, from its own token on', () => {
    expect(see([1, image, 5], [2])).toEqual(['00', '11', '11']);
    expect(see([1, image, 5, image, 6, 7], [2, 1])).toEqual(['0000', '1100', '1100', '0010', '0010', '0010']);
  });

  it('is the whole group of pictures that no text divides', () => {
    expect(see([1, image, image, 5, 6], [1, 2])).toEqual(['0000', '1000', '1011', '1011', '1011']);
    expect(see([image, image, 5, image, 6], [1, 1, 1])).toEqual([
      '100000',
      '101000',
      '101000',
      '000010',
      '000010',
    ]);
  });

  it('is every picture so far, where the fusion says so', () => {
    expect(see([image, 5, image, 6], [2, 1], { visibility: 'all' })).toEqual([
      '1100',
      '1100',
      '1110',
      '1110',
    ]);
  });
});
