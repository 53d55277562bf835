import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '@weft/errors';
import type { Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { catalog } from './catalog.js';
import { checkConfigBounds, expertFields, layerFields, tileFields } from './config-bounds.js';
import { presetModel, presetNames } from './presets.js';
import { modelOf } from './recipes.js';

const packages = fileURLToPath(new URL('../../', import.meta.url));
const held = (shapes: readonly (readonly number[])[]) => ({
  tensors: new Map(shapes.map((shape, i) => [`${i}`, { shape }])),
});
/** 20 tensors of 1,040 values, two of them three experts each. */
const small = held([...Array.from({ length: 17 }, () => [8, 4]), [3, 8, 4], [3, 8, 4], [304]]);
const check = (config: Json) => () => checkConfigBounds({ 'config.json': config }, small);

describe('sizes of a config.json', () => {
  it.each<[string, Json, RegExp]>([
    [
      'layers at the top',
      { num_hidden_layers: 21 },
      /config\.json: num_hidden_layers is 21, but the files hold 20 t/,
    ],
    [
      'layers of a section',
      { text_config: { num_hidden_layers: 5e4 } },
      /text_config\.num_hidden_layers is 50000/,
    ],
    ['layers of a tower', { vision_config: { depth: 1e9 } }, /vision_config\.depth is 1000000000/],
    ['layers of 2^53', { n_layers: 2 ** 53 }, /n_layers is 9007199254740992/],
    [
      'layers of a composition',
      { backbone: { config: { numHiddenLayers: 1e5 } } },
      /backbone\.config\.numHidden/,
    ],
    [
      'experts',
      { num_hidden_layers: 2, num_experts: 13 },
      /num_experts is 13, but the files hold 24 tensors and p/,
    ],
    ['experts of a section', { llm_config: { num_local_experts: 1e6 } }, /llm_config\.num_local_experts/],
    ['a width', { hidden_size: 1e6 }, /hidden_size is 1000000, but the files hold 1040 values/],
    ['a vocabulary', { text_config: { vocab_size: 1e12 } }, /vocab_size/],
    ['heads', { num_attention_heads: 1e7 }, /num_attention_heads/],
    ['tiles', { max_dynamic_patch: 1e9 }, /max_dynamic_patch is 1000000000, but at most 1000 tiles are cut/],
  ])('are refused beyond what the files hold: %s', (_, config, message) => {
    expect(check(config)).toThrow(ConfigError);
    expect(check(config)).toThrow(message);
  });

  it.each<[string, Json]>([
    ['as many layers as tensors', { num_hidden_layers: 20 }],
    ['experts that are one tensor', { num_hidden_layers: 2, num_experts: 12 }],
    [
      'what is no side of a tensor',
      { max_position_embeddings: 131072, rope_theta: 5e6, sliding_window: 4096 },
    ],
    ['fields that readers refuse', { num_hidden_layers: -1, hidden_size: 'wide', num_experts: null }],
  ])('may be %s', (_, config) => {
    expect(check(config)).not.toThrow();
  });

  it('name the file that states them', () => {
    expect(() => checkConfigBounds({ 'preprocessor_config.json': { max_tiles: 5000 } }, small)).toThrow(
      /preprocessor_config\.json: max_tiles is 5000/,
    );
  });

  it('are found however deep a file is nested', () => {
    let config: Json = { num_hidden_layers: 99 };
    for (let depth = 0; depth < 100_000; depth++) config = { a: config };
    expect(check(config)).toThrow(/num_hidden_layers is 99/);
  });

  it('of all published models are within the bounds that hold without files', async () => {
    for (const name of presetNames()) {
      const { config } = await presetModel(name);
      expect(Object.keys(config).length).toBeGreaterThan(0);
      expect(() => checkConfigBounds({ [name]: config })).not.toThrow();
    }
    for (const config of [{ num_hidden_layers: 10_001 }, { num_hidden_layers: 100, num_experts: 10_001 }])
      expect(() => checkConfigBounds({ 'config.json': config })).toThrow(/no model has more than/);
  });

  it('are known by every name that a reader of layers, experts or tiles asks for', () => {
    const asked = new Set<string>();
    for (const folder of readdirSync(packages)) {
      const source = join(packages, folder, 'src');
      for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' }))
        if (
          file.endsWith('.ts') &&
          !file.endsWith('.test.ts') &&
          /^(encoder|backbone|connector|models|nn|processors)/.test(folder)
        )
          for (const [, key] of readFileSync(join(source, file), 'utf8').matchAll(
            /\.(?:number|raw)\(\s*'(\w+)'/g,
          ))
            if (/layers$|depth$|experts$|tiles$|crops$|_patch$/.test(key!)) asked.add(key!);
    }
    const known = [...layerFields, ...expertFields, ...tileFields];
    // Lowest numbers, a choice among layers, and experts that are one wide layer together.
    const others = ['min_tiles', 'min_dynamic_patch', 'max_window_layers', 'moe_num_shared_experts'];
    expect([...asked].filter((key) => !known.includes(key) && !others.includes(key))).toEqual([]);
    expect(asked.size).toBeGreaterThan(10);
  });

  it('are known by every field of the configurations of our parts', async () => {
    for (const entry of catalog) {
      const { presets } = await entry.load();
      for (const config of Object.values(presets))
        for (const [key, value] of Object.entries(config as Json))
          if (typeof value === 'number' && /(Layers|[dD]epth|Experts)$/.test(key))
            expect([...layerFields, ...expertFields, 'numSharedExperts']).toContain(key);
    }
  });
});

describe('a recipe', () => {
  const fixture = (name: string): Json =>
    JSON.parse(readFileSync(join(packages, 'models/__fixtures__', name, 'config.json'), 'utf8'));
  const changed = (name: string, section: string, fields: Json): Json => {
    const config = fixture(name);
    return { ...config, [section]: { ...(config[section] as Json), ...fields } };
  };

  it.each<[string, string, string, Json, RegExp]>([
    [
      'layers',
      'mllama-two-tiles',
      'text_config',
      { num_hidden_layers: 1e9 },
      /backbone-llama: numHiddenLayers/,
    ],
    ['layers', 'mllama-two-tiles', 'text_config', { num_hidden_layers: 1 }, /from 0 to 0/],
    [
      'layers',
      'pixtral-hub',
      'vision_config',
      { num_hidden_layers: 1e9 },
      /encoder-pixtral: numHiddenLayers/,
    ],
    ['layers', 'idefics3-hub', 'vision_config', { num_hidden_layers: 1e9 }, /encoder-siglip: numHidden/],
    ['heads', 'qwen2-vl-two', 'vision_config', { num_heads: 3 }, /3 heads do not divide/],
    [
      'cross-attention',
      'mllama-two-tiles',
      'text_config',
      { cross_attention_layers: 'x' },
      /cross_attention_layers/,
    ],
    [
      'cross-attention',
      'mllama-two-tiles',
      'text_config',
      { cross_attention_layers: [1e9] },
      /is \[.*different layers/,
    ],
    [
      'cross-attention',
      'mllama-two-tiles',
      'text_config',
      { cross_attention_layers: [-1, 2] },
      /is \[.*different layers/,
    ],
    [
      'cross-attention',
      'mllama-two-tiles',
      'text_config',
      { cross_attention_layers: [1, 1] },
      /is \[.*different layers/,
    ],
    [
      'cross-attention',
      'mllama-two-tiles',
      'text_config',
      { cross_attention_layers: [null] },
      /is \[.*different layers/,
    ],
  ])(
    'refuses %s that cannot be before it makes modules: %s %s %o',
    async (_, name, section, fields, message) => {
      const made = modelOf(changed(name, section, fields));
      await expect(made).rejects.toThrow(ConfigError);
      await expect(made).rejects.toThrow(message);
    },
  );
});
