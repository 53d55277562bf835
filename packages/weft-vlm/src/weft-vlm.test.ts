import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as weft from './index.js';
import * as parts from './parts.js';

interface Manifest {
  readonly version: string;
  readonly bin: { readonly weft: string };
  readonly exports: Readonly<Record<string, { readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as Manifest;
const packages = Object.keys(manifest.dependencies).filter((name) => name.startsWith('@weft/'));
const partPackages = packages.filter((name) => /(encoder|connector|backbone|fusion|positions)-/.test(name));
const importAll = async (name: string) => (await import(name)) as Readonly<Record<string, unknown>>;

describe('weft-vlm', () => {
  it('exports what a first program needs', () => {
    const { compose, ConfigError, fit, load, mapModel, part, tinyFolder, verify, writeModel } = weft;
    for (const value of [compose, ConfigError, fit, load, mapModel, part, tinyFolder, verify, writeModel])
      expect(value).toBeTypeOf('function');
  });

  it.each([...partPackages, '@weft/processors'])('exports all of %s among its parts', async (name) => {
    const exported = Object.entries(await importAll(name));
    expect(exported.length).toBeGreaterThan(0);
    for (const [key, value] of exported) expect(parts).toHaveProperty(key, value);
  });

  it('knows kinds of parts, and has several of each', () => {
    const kinds = Object.values(parts).flatMap((value: unknown) =>
      typeof value === 'object' && value !== null && 'kind' in value && 'create' in value ? [value.kind] : [],
    );
    for (const kind of ['encoder', 'connector', 'backbone', 'fusion', 'processor'])
      expect(kinds.filter((found) => found === kind).length).toBeGreaterThan(2);
  });

  it.each(Object.keys(manifest.exports).filter((path) => !['.', './parts'].includes(path)))(
    'has %s, which is the package of that name',
    async (path) => {
      const own = await importAll(
        new URL(`.${manifest.exports[path]!.default.slice(1)}`, new URL('..', import.meta.url)).href,
      );
      const original = await importAll(`@weft/${path.slice(2)}`);
      expect(Object.keys(own)).toEqual(Object.keys(original));
      for (const [key, value] of Object.entries(original)) expect(own[key]).toBe(value);
    },
  );

  it('composes parts into a model, and answers with the embedded one', async () => {
    const model = weft.compose({
      name: 'clip-llama',
      encoder: parts.clip('base-patch32'),
      connector: parts.mlpConnector(),
      backbone: parts.llama('llama-3.2-1b'),
      fusion: parts.unifiedFusion(),
      processor: parts.singleTile(parts.readClipProcessor({})),
      imageTokenId: 128_011,
    });
    expect(weft.part(model, 'encoder').id).toBe('encoder-clip');

    const loaded = await weft.load(weft.tinyFolder());
    const image = { width: 64, height: 64, channels: 3 as const, data: new Uint8Array(64 * 64 * 3) };
    const { text, imageTokens } = await loaded
      .generate({
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image', image },
              { type: 'text', text: 'How many circles are there?' },
            ],
          },
        ],
      })
      .result();
    await loaded.close();
    expect(imageTokens).toBe(64);
    expect(text).toMatch(/^\d$/);
  });
});

describe('the command of weft-vlm', () => {
  const command = fileURLToPath(new URL(`../${manifest.bin.weft}`, import.meta.url));
  const run = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [command, ...args])).stdout;

  it('prints its version and its help', async () => {
    expect(await run('--version')).toBe(`${manifest.version}\n`);
    expect(await run('--help')).toMatch(/Usage: weft[^]* ask [^]* train /);
  });

  it('finds the parts of a model by name', async () => {
    expect(await run('inspect', 'llava-1.5-7b')).toMatch(/encoder-clip[^]*connector-mlp[^]*backbone-llama/);
  });

  it('ends with code 2 where the usage is wrong', async () => {
    await expect(run('asc')).rejects.toMatchObject({ code: 2 });
  });
});
