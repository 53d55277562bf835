import { olmo } from '@weft/backbone-olmo';
import { persimmon } from '@weft/backbone-persimmon';
import { phi, phi3 } from '@weft/backbone-phi';
import { mlpConnector } from '@weft/connector-mlp';
import { clip } from '@weft/encoder-clip';
import { unifiedFusion } from '@weft/fusion-unified';
import { namedParameters } from '@weft/graph';
import { readClipProcessor, singleTile } from '@weft/processors';
import { part, type Backbone, type Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { compose } from './compose.js';
import { presetModel, presetNames } from './presets.js';
import { modelOf } from './recipes.js';
import { knownTypes } from './parts.js';
import { backboneOf } from './text.js';
import { configOf } from './config-of.js';

const totals: Readonly<Record<string, readonly [type: string, parameters: number]>> = {
  'llama-2-7b': ['llama', 6_738_415_616],
  'llama-3.1-70b': ['llama', 70_553_706_496],
  'deepseek-llm-7b': ['llama', 6_910_365_696],
  'yi-34b': ['llama', 34_388_917_248],
  'mistral-7b-v0.1': ['mistral', 7_241_732_096],
  'mistral-nemo-12b': ['mistral', 12_247_782_400],
  'qwen2-72b': ['qwen2', 72_706_203_648],
  'olmo-7b': ['olmo', 6_888_095_744],
  'olmo-1.7-7b': ['olmo', 6_888_095_744],
  'olmo-7b-1024': ['olmo2', 7_298_617_344],
  'olmo-2-7b': ['olmo2', 7_298_617_344],
  'olmo-2-13b': ['olmo2', 13_716_198_400],
  'olmoe-1b-7b': ['olmoe', 6_919_161_856],
  'persimmon-8b': ['persimmon', 9_397_175_296],
  'phi-1.5': ['phi', 1_418_270_720],
  'phi-2': ['phi', 2_779_683_840],
  'phi-3-mini-4k': ['phi3', 3_821_079_552],
};

describe('a text model', () => {
  it.each(Object.entries(totals))(
    '%s is built by its recipe with all its parameters',
    async (preset, [type, parameters]) => {
      expect(presetNames()).toContain(preset);
      const { name, module } = await presetModel(preset);
      expect(name).toBe(type);
      expect([...namedParameters(module).values()].reduce((sum, { elements }) => sum + elements, 0)).toBe(
        parameters,
      );
    },
  );

  it('exists for each of the families, which errors list', async () => {
    const families = knownTypes('backbone');
    expect(families).toContain('olmoe');
    for (const type of families)
      expect(part(await modelOf({ model_type: type, num_hidden_layers: 2 }), 'backbone').layers).toHaveLength(
        2,
      );
    const list = families.join(', ');
    await expect(backboneOf({ model_type: 'bert' })).rejects.toThrow(list);
    await expect(modelOf({ model_type: 'bert' })).rejects.toThrow(list);
  });

  it('gets the experts of one tensor as tensors of their own', async () => {
    const { checkpoint } = await modelOf({ model_type: 'olmoe', num_hidden_layers: 1 });
    expect(checkpoint.split!('model.layers.0.mlp.experts.down_proj', [64, 2048, 1024])).toHaveLength(64);
    expect(checkpoint.split!('model.layers.0.mlp.gate.weight', [64, 2048])).toBeUndefined();
  });
});

describe('a composition with a backbone of each family', () => {
  const one = { numHiddenLayers: 1 };
  const backbones: readonly [type: string, text: string | undefined, backbone: Backbone][] = [
    ['llava', 'olmo', olmo('olmo-1.7-7b', one)],
    ['llava', 'olmo2', olmo('olmo-2-7b', one)],
    ['llava', 'olmoe', olmo('olmoe-1b-7b', one)],
    ['llava', 'persimmon', persimmon('persimmon-8b', one)],
    ['llava', 'phi3', phi3('phi-3-mini-4k', one)],
    ['weft', undefined, phi('phi-2', one)],
    ['weft', undefined, olmo('olmo-7b', { ...one, qkNorm: true })],
  ];
  it.each(backbones)(
    'is described as %s (%s) so that the same backbone comes back',
    async (type, text, backbone) => {
      const encoder = clip('base-patch32', { featureLayers: [-2] });
      const processor = singleTile(readClipProcessor({}));
      const model = compose({
        name: 'by-hand',
        encoder,
        connector: mlpConnector(),
        backbone,
        fusion: unifiedFusion(),
        processor,
        imageTokenId: 7,
      });
      const config = JSON.parse(JSON.stringify(await configOf(model))) as Json;
      expect(config['model_type']).toBe(type);
      expect((config['text_config'] as Json | undefined)?.['model_type']).toBe(text);
      const again = part(await modelOf(config), 'backbone');
      expect(again.id).toBe(backbone.id);
      expect(JSON.parse(JSON.stringify(again.config))).toEqual(JSON.parse(JSON.stringify(backbone.config)));
    },
  );
});
