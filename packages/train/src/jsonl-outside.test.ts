import { mkdir, mkdtemp, realpath, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '@weft/errors';
import { encodePng } from '@weft/image';
import { readCheckpointFiles } from '@weft/runtime';
import { modelOf } from '@weft/models';
import { loadChatTemplate, loadTokenizer } from '@weft/text';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixture.js';
import { jsonlDataset, type JsonlOptions } from './jsonl-dataset.js';

let root: string;
let data: string;
let tools: Omit<JsonlOptions, 'images' | 'maxLength'>;
beforeAll(async () => {
  const checkpoint = fixture('llava-siglip-qwen2');
  const { config, preprocessor } = await readCheckpointFiles(checkpoint);
  tools = {
    model: await modelOf(config, { preprocessor }),
    tokenizer: await loadTokenizer(checkpoint, { placeholders: ['<image>'] }),
    chatTemplate: await loadChatTemplate(checkpoint),
  };
});
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'weft-outside-')));
  made.push(root);
  data = join(root, 'data');
  const png = await encodePng({ width: 8, height: 8, channels: 3, data: new Uint8Array(8 * 8 * 3) });
  await mkdir(join(data, 'sub'), { recursive: true });
  await mkdir(join(root, 'data-other'));
  for (const path of ['secret.png', 'data/a.png', 'data/sub/b.png', 'data-other/c.png', 'data/..d.png'])
    await writeFile(join(root, path), png);
});
const made: string[] = [];
afterAll(() => Promise.all(made.map((path) => rm(path, { recursive: true }))));

const row = (image: string): string =>
  JSON.stringify({
    messages: [
      { role: 'user', content: '<image>x' },
      { role: 'assistant', content: 'y' },
    ],
    images: [image],
  });

async function open(image: string, options: Partial<JsonlOptions> = {}) {
  const file = join(data, 'samples.jsonl');
  await writeFile(file, `${row('a.png')}\n\n${row(image)}\n`);
  return jsonlDataset(file, { ...tools, ...options });
}
const failure = (image: string, options?: Partial<JsonlOptions>): Promise<Error> =>
  open(image, options).then(
    () => new Error('it was taken'),
    (error: Error) => error,
  );

describe('images of a JSONL file', () => {
  it('may lie anywhere below their folder', async () => {
    await symlink('sub/b.png', join(data, 'inner.png'));
    await symlink('sub', join(data, 'folder'));
    for (const image of [
      'sub/b.png',
      './sub/../a.png',
      '..d.png',
      join(data, 'a.png'),
      'inner.png',
      'folder/b.png',
    ])
      expect((await (await open(image)).example(1)).images, image).not.toBeNull();
  });

  it('may lie in a folder that is reached by a link itself', async () => {
    await symlink('data', join(root, 'alias'));
    for (const images of [join(root, 'alias'), join(root, 'alias', 'sub', '..')])
      expect((await (await open('sub/b.png', { images })).example(1)).images).not.toBeNull();
  });

  it.each([
    ['by ..', () => '../secret.png', /"\.\.\/secret\.png" lies outside/],
    ['by .. in the middle', () => 'sub/../../secret.png', /lies outside/],
    ['by an absolute path', () => join(root, 'secret.png'), /secret\.png" lies outside/],
    ['in a folder of a similar name', () => '../data-other/c.png', /lies outside/],
    ['and not be there', () => '../../../etc/none.png', /lies outside/],
  ])('must not lie outside of it %s', async (_, image, message) => {
    const error = await failure(image());
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(`at ${join(data, 'samples.jsonl')}:3\n`);
    expect(error.message).toMatch(/allowOutside/);
    expect((await failure('a.png', { images: join(data, 'sub') })).message).toMatch(/not an image/);
  });

  it.each([
    ['to a file', 'link.png', '../secret.png', 'link.png'],
    ['to a folder', 'up', '..', 'up/secret.png'],
    ['by an absolute path', 'far', '/', 'far/etc/hostname'],
    ['over several links', 'chain.png', 'chain-2.png', 'chain.png'],
  ])('must not lead outside of it by a link %s', async (_, name, target, image) => {
    await symlink('../secret.png', join(data, 'chain-2.png'));
    await symlink(target, join(data, name));
    const error = await failure(image);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(/is a symbolic link that leads to .*, outside of[^]*samples\.jsonl:3/);
  });

  it('are looked at again when a sample is read', async () => {
    const samples = await open('sub/b.png');
    await unlink(join(data, 'sub', 'b.png'));
    await symlink('../../secret.png', join(data, 'sub', 'b.png'));
    await expect(samples.example(1)).rejects.toThrow(/symbolic link[^]*:3/);
  });

  it('may lie elsewhere where that is allowed', async () => {
    await symlink('../secret.png', join(data, 'link.png'));
    for (const image of ['../secret.png', join(root, 'secret.png'), 'link.png'])
      expect((await (await open(image, { allowOutside: true })).example(1)).images).not.toBeNull();
    expect((await failure('../none.png', { allowOutside: true })).message).toMatch(/not an image[^]*:3/);
  });

  it.each([
    ['a NUL character', 'a.png\0.txt', /NUL character/],
    ['a name that is too long', 'x'.repeat(5000), /not an image/],
    ['the folder itself', '.', /not an image/],
    ['nothing', '', /not an image/],
    ['an address', 'https://127.0.0.1:9/a.png', /not an image/],
  ])('have paths that are refused with the row for %s', async (_, image, message) => {
    const error = await failure(image);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/samples\.jsonl:3/);
  });
});

describe('rows of a JSONL file', () => {
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  it.each([
    ['as a whole', () => deep(60_000)],
    ['in a content', () => `{"messages":[{"role":"user","content":${deep(20_000)}}]}`],
    ['in a field that nobody reads', () => `{"extra":${deep(501)},"messages":[]}`],
    ['in objects', () => '{"a":'.repeat(3000) + '0' + '}'.repeat(3000)],
  ])('that are nested too deep %s are refused by line', async (_, text) => {
    const file = join(data, 'deep.jsonl');
    await writeFile(file, `\n${text()}\n`);
    const error = await jsonlDataset(file, tools).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(/nested deeper than 500 levels[^]*deep\.jsonl:2/);
  });

  it('are not read from a device, a folder or a file that is not there', async () => {
    for (const file of ['/dev/zero', data, join(data, 'none.jsonl'), join(data, 'a.png', 'b.jsonl')])
      await expect(jsonlDataset(file, tools)).rejects.toThrow(InputError);
  });
});
