import { existsSync, readFileSync } from 'node:fs';
import { isModule, mul, module, type AnyModule, type Value } from '@weft/graph';
import type { Json, Model } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { mapModel } from './map-model.js';
import { modelSignature } from './model-signature.js';
import { modelOf } from './recipes.js';

const read = (name: string, file: string): Json | undefined => {
  const url = new URL(`../__fixtures__/${name}/${file}`, import.meta.url);
  return existsSync(url) ? (JSON.parse(readFileSync(url, 'utf8')) as Json) : undefined;
};
const fixture = (name: string): Promise<Model> =>
  modelOf(read(name, 'config.json')!, { preprocessor: read(name, 'preprocessor_config.json') });

/** The outputs of every module of the name times a factor; the paths of all parameters stay. */
const scaled = (model: Model, pattern: RegExp, factor: number): Model =>
  mapModel(model, (one, path) => {
    if (!isModule(one) || !pattern.test(path)) return one;
    const base = one as AnyModule & ((x: Value) => Value);
    return module('Scaled', { base }, (m, x: Value) => mul(m.base(x), factor), { paths: { base: '' } });
  });

describe('modelSignature', async () => {
  const model = await fixture('llava-clip');
  const mlps = /^language_model\.model\.layers\.\d+\.mlp$/;

  it('is the same for a model that is made again', async () => {
    for (const name of ['llava-clip', 'nvlm-x', 'qwen2-vl-two', 'text-olmoe'])
      expect(modelSignature(await fixture(name)) === modelSignature(await fixture(name)), name).toBe(true);
  });

  it('differs where a change has no parameters, in text and in sight', () => {
    const signatures = [
      model,
      scaled(model, mlps, 0.1),
      scaled(model, mlps, 0.2),
      scaled(model, /^multi_modal_projector\.linear_1$/, 0.1),
    ].map((one) => modelSignature(one));
    expect(new Set(signatures).size).toBe(4);
  });

  it('differs where a fact of an operation or the name of a parameter does', async () => {
    const config = read('text-llama3', 'config.json')!;
    const [one, other] = await Promise.all([modelOf(config), modelOf({ ...config, rms_norm_eps: 0.5 })]);
    expect(modelSignature(one)).not.toBe(modelSignature(other));
    expect(modelSignature(one, (path) => `text.${path}`)).not.toBe(modelSignature(one));
  });
});
