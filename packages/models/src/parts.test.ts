import { readFileSync } from 'node:fs';
import { ConfigError } from '@weft/errors';
import { part, type Json, type PartDefinition } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { configOf } from './config-of.js';
import { findDefinition } from './parts.js';
import { modelOf } from './recipes.js';

const clip = await findDefinition('encoder', 'encoder-clip');
/** Parts that call themselves as the catalog's does: of a package, and of the caller's. */
const packaged: PartDefinition = { ...clip };
const given: PartDefinition = { ...clip };

/** Packages of the user's project, and which of them were asked for. */
function project(exported: Readonly<Record<string, unknown>> = { clip: packaged }) {
  const asked: string[] = [];
  const importPackage = async (name: string) => {
    asked.push(name);
    return exported;
  };
  return { asked, importPackage };
}

describe('findDefinition, of several parts of one name', () => {
  it('takes that of the package that the configuration names before that of the catalog', async () => {
    const { importPackage, asked } = project();
    expect(await findDefinition('encoder', 'encoder-clip', { importPackage }, 'encoder-mine')).toBe(packaged);
    expect(asked).toEqual(['encoder-mine']);
  });

  it('takes one that is given before all others', async () => {
    const { importPackage, asked } = project();
    const sources = { parts: [given], importPackage };
    expect(await findDefinition('encoder', 'encoder-clip', sources, 'encoder-mine')).toBe(given);
    expect(asked).toEqual([]);
  });

  it('takes that of the catalog where no package is named, or its own', async () => {
    const { importPackage, asked } = project();
    for (const home of [undefined, '@weft/encoder-clip'])
      expect(await findDefinition('encoder', 'encoder-clip', { importPackage }, home)).toBe(clip);
    expect(asked).toEqual([]);
  });

  it('refuses a package without the part, though the catalog has one', async () => {
    const { importPackage } = project({});
    const found = findDefinition('encoder', 'encoder-clip', { importPackage }, 'encoder-mine');
    await expect(found).rejects.toThrow(ConfigError);
    await expect(found).rejects.toThrow(/encoder-mine defines no encoder 'encoder-clip'/);
  });
});

describe('a package that cannot be imported', () => {
  const failing = (message: string) => ({
    importPackage: async () => {
      throw Object.assign(new Error(message), { code: 'ERR_MODULE_NOT_FOUND' });
    },
  });
  const found = (message: string) =>
    findDefinition('encoder', 'encoder-mine', failing(message), 'encoder-mine');

  it('is asked for by name where it is not installed, with the folder that it was looked for from', async () => {
    await expect(found("Cannot find package 'encoder-mine' imported from /home/me/project")).rejects.toThrow(
      /needs encoder-mine, which is not installed[^]*npm install encoder-mine, to be found from \/home\/me\/project, or give[^]*{ parts }/,
    );
  });

  it('is not called missing where a package that it needs is', async () => {
    const needs = found(
      "Cannot find package '@me/blocks' imported from /p/node_modules/encoder-mine/index.js",
    );
    await expect(needs).rejects.toThrow(ConfigError);
    await expect(needs).rejects.toThrow(
      /needs encoder-mine, in which an import fails: there is no '@me\/blocks'[^]*at \/p\/node_modules\/encoder-mine\/index\.js[^]*npm install @me\/blocks/,
    );
    const incomplete = found(
      "Cannot find module '/p/node_modules/encoder-mine/gone.js' imported from /p/x.js",
    );
    await expect(incomplete).rejects.toThrow(/gone\.js'[^]*not complete: npm install --force encoder-mine/);
  });
});

describe('the configuration of a model with a part of another package', () => {
  it('names the package, which LLaVA’s could not', async () => {
    const text = readFileSync(new URL('../__fixtures__/llava-clip/config.json', import.meta.url), 'utf8');
    const model = await modelOf(JSON.parse(text) as Json);
    const encoder = { ...part(model, 'encoder'), package: 'encoder-mine' };
    const other = { ...model, module: model.module.withParts({ ...model.module.parts, encoder }) };
    expect(await configOf(model)).toMatchObject({ model_type: 'llava' });
    expect(await configOf(other)).toMatchObject({
      model_type: 'weft',
      encoder: { id: 'encoder-clip', package: 'encoder-mine' },
    });
  });
});
