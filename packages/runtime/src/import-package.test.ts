import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importPackage } from './backend/node/import-package.js';

let project: string;
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'weft-import-'));
});
afterAll(() => rm(project, { recursive: true }));

/** Installs a package whose files export the names of themselves. */
async function install(name: string, manifest: object, files: readonly string[]): Promise<void> {
  const home = join(project, 'node_modules', name);
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'package.json'), JSON.stringify({ name, version: '1.0.0', ...manifest }));
  for (const file of files) {
    await mkdir(dirname(join(home, file)), { recursive: true });
    const code = file.endsWith('.cjs') ? 'exports.file =' : 'export const file =';
    await writeFile(join(home, file), `${code} ${JSON.stringify(file)};\n`);
  }
}

const fileOf = async (name: string, from: string = project): Promise<unknown> =>
  (await importPackage(name, from))['file'];

describe('importPackage', () => {
  it('imports what can only be imported, and that before what is required', async () => {
    await install('only', { type: 'module', exports: { '.': { import: './m.js' } } }, ['m.js']);
    expect(await fileOf('only')).toBe('m.js');
    const both = { '.': { require: './c.cjs', import: './m.mjs' }, './more': './more.mjs' };
    await install('@me/both', { exports: both, main: './c.cjs' }, ['c.cjs', 'm.mjs', 'more.mjs']);
    expect(await fileOf('@me/both')).toBe('m.mjs');
  });

  it('follows conditions within conditions in their order, and lists', async () => {
    const nested = {
      types: './m.d.ts',
      browser: './web.mjs',
      node: { require: './c.cjs', import: { deno: './deno.mjs', default: './m.mjs' } },
      default: './web.mjs',
    };
    await install('nested', { exports: nested }, ['web.mjs', 'c.cjs', 'm.mjs', 'deno.mjs']);
    expect(await fileOf('nested')).toBe('m.mjs');
    await install('listed', { exports: ['m.mjs', { require: './c.cjs' }, './m.mjs'] }, ['m.mjs', 'c.cjs']);
    expect(await fileOf('listed')).toBe('m.mjs');
  });

  it('takes main where there are no exports, with what may be left out of it', async () => {
    await install('main', { type: 'module', main: 'lib/m.js' }, ['lib/m.js', 'index.js']);
    await install('short', { type: 'module', main: './lib/m' }, ['lib/m.js', 'index.js']);
    await install('folder', { type: 'module', main: './lib' }, ['lib/index.js', 'index.js']);
    await install('plain', { type: 'module' }, ['index.js']);
    expect(await Promise.all(['main', 'short', 'folder', 'plain'].map((name) => fileOf(name)))).toEqual([
      'lib/m.js',
      'lib/m.js',
      'lib/index.js',
      'index.js',
    ]);
  });

  it('looks in the folders above', async () => {
    await install('above', { exports: { import: './m.mjs' } }, ['m.mjs']);
    const below = join(project, 'packages', 'mine');
    await mkdir(below, { recursive: true });
    expect(await fileOf('above', below)).toBe('m.mjs');
  });

  it('refuses a package that has nothing to import, or points out of itself', async () => {
    await install('required', { exports: { '.': { require: './c.cjs' } } }, ['c.cjs']);
    await install('forbidden', { exports: { import: null, default: './m.mjs' } }, ['m.mjs']);
    await install('outside', { exports: './../only/m.js' }, []);
    for (const name of ['required', 'forbidden', 'outside']) {
      await expect(fileOf(name)).rejects.toThrow(ConfigError);
      await expect(fileOf(name)).rejects.toThrow(`${name} has nothing to import`);
    }
  });

  it('imports no module of Node, whatever lies in the working directory', async () => {
    await writeFile(join(project, 'fs'), 'export const file = "ran";\n');
    for (const name of ['fs', 'path', 'child_process']) {
      await expect(fileOf(name)).rejects.toThrow(ConfigError);
      await expect(fileOf(name)).rejects.toThrow(`'${name}' is a module of Node's, not a package`);
    }
  });

  it('takes no code from a checkpoint, nor from the project by its own name', async () => {
    const checkpoint = join(project, 'checkpoint');
    await mkdir(join(checkpoint, 'node_modules', 'brought'), { recursive: true });
    await writeFile(join(checkpoint, 'config.json'), '{"model_type": "weft"}');
    await writeFile(join(checkpoint, 'package.json'), '{"name": "own-name", "exports": "./index.mjs"}');
    await writeFile(join(checkpoint, 'index.mjs'), 'export const file = "ran";\n');
    await writeFile(join(checkpoint, 'node_modules', 'brought', 'package.json'), '{"main": "index.js"}');
    await writeFile(join(checkpoint, 'node_modules', 'brought', 'index.js'), 'exports.file = "ran";\n');
    for (const name of ['own-name', 'brought'])
      await expect(fileOf(name, checkpoint)).rejects.toMatchObject({ code: 'ERR_MODULE_NOT_FOUND' });
    await install('honest', { exports: './m.mjs' }, ['m.mjs']);
    expect(await fileOf('honest', checkpoint)).toBe('m.mjs');
  });

  it('fails as import does where there is no such package, and says from where it looked', async () => {
    const error = await importPackage('that-is-not-there', project).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'ERR_MODULE_NOT_FOUND',
      message: `Cannot find package 'that-is-not-there' imported from ${project}`,
    });
  });
});
