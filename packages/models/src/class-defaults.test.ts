import { readFileSync } from 'node:fs';
import { readAriaConfig } from '@weft/backbone-aria';
import { readLlamaConfig } from '@weft/backbone-llama';
import { readOlmoConfig } from '@weft/backbone-olmo';
import { readPersimmonConfig } from '@weft/backbone-persimmon';
import { readPhi3Config, readPhiConfig } from '@weft/backbone-phi';
import { readQwen2Config } from '@weft/backbone-qwen2';
import { readClipConfig } from '@weft/encoder-clip';
import { readInternVitConfig } from '@weft/encoder-intern-vit';
import { readMllamaVisionConfig } from '@weft/encoder-mllama';
import { readPixtralVisionConfig } from '@weft/encoder-pixtral';
import { readQwen25VisionConfig, readQwen2VisionConfig } from '@weft/encoder-qwen2-vl';
import { readSiglipConfig } from '@weft/encoder-siglip';
import { Parameter } from '@weft/graph';
import type { Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { modelOf } from './recipes.js';

/** What a file states, and what a configuration class of transformers makes of it. */
interface Case {
  readonly class: string;
  readonly given: Json;
  readonly full: Json;
}

const { configs, recipes } = JSON.parse(
  readFileSync(new URL('./__fixtures__/class-defaults.json', import.meta.url), 'utf8'),
) as Readonly<Record<'configs' | 'recipes', readonly Case[]>>;

const readers: Readonly<Record<string, (section: Json) => object>> = {
  AriaTextConfig: readAriaConfig,
  CLIPVisionConfig: readClipConfig,
  InternVLVisionConfig: readInternVitConfig,
  LlamaConfig: readLlamaConfig,
  MistralConfig: readLlamaConfig,
  MllamaVisionConfig: readMllamaVisionConfig,
  OlmoConfig: readOlmoConfig,
  Olmo2Config: readOlmoConfig,
  OlmoeConfig: readOlmoConfig,
  PersimmonConfig: readPersimmonConfig,
  PhiConfig: readPhiConfig,
  Phi3Config: readPhi3Config,
  PixtralVisionConfig: readPixtralVisionConfig,
  Qwen2Config: readQwen2Config,
  Qwen2VLVisionConfig: readQwen2VisionConfig,
  Qwen2_5_VLVisionConfig: readQwen25VisionConfig,
  SiglipVisionConfig: readSiglipConfig,
};

/** Fields that the readers know from files of other versions, or that a class takes without stating them. */
const otherSpellings = [
  'head_dim',
  'in_chans',
  'mlp_bias',
  'num_attention_heads',
  'num_local_experts',
  'partial_rotary_factor',
  'rope_scaling',
  'rope_theta',
  'sliding_window',
  'attention_bias',
  'vision_use_head',
];

/** The section, and the names that are looked up in it. */
function watched(section: Json): { section: Json; asked: Set<string> } {
  const asked = new Set<string>();
  const note = (key: string | symbol): void => {
    if (typeof key === 'string') asked.add(key);
  };
  const proxy = new Proxy(section, {
    get: (target, key) => {
      note(key);
      return Reflect.get(target, key) as unknown;
    },
    has: (target, key) => {
      note(key);
      return Reflect.has(target, key);
    },
  });
  return { section: proxy, asked };
}

/** All plain data in a model by its place, what modules state included; what stands at two places is listed once. */
function dataOf(value: unknown, path: string, found: Record<string, unknown>, seen: Set<unknown>): void {
  if (seen.has(value)) return;
  if (value instanceof Parameter) found[path] = value.shape.join();
  else if (typeof value === 'function' || (typeof value === 'object' && value !== null)) {
    seen.add(value);
    for (const [key, child] of Object.entries(value)) dataOf(child, `${path}.${key}`, found, seen);
  } else if (value !== undefined) found[path] = value;
}

const show = ({ class: name, given }: Case): string => `${name} of ${JSON.stringify(given)}`;

describe('class defaults of transformers', () => {
  it.each(configs.map((one) => [show(one), one] as const))('%s', (_name, one) => {
    const read = readers[one.class]!;
    const { section, asked } = watched(one.given);
    expect(read(section)).toEqual(read(one.full));
    // A name that the class does not have would be missed in both.
    expect([...asked].filter((key) => !(key in one.full) && !otherSpellings.includes(key))).toEqual([]);
  });

  it('are known for every reader', () => {
    expect(new Set(configs.map((one) => one.class))).toEqual(new Set(Object.keys(readers)));
  });

  it.each(recipes.map((one) => [show(one), one] as const))('%s', async (_name, one) => {
    const describeModel = async (config: Json) => {
      const found: Record<string, unknown> = {};
      dataOf(await modelOf(config), '', found, new Set([config]));
      return found;
    };
    const model = await describeModel(one.given);
    expect(Object.keys(model).length).toBeGreaterThan(100);
    expect(model).toEqual(await describeModel(one.full));
  });
});
