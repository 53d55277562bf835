import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { files, makeFolder } from './index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-files-'));
  await writeFile(join(folder, 'a.txt'), '\ufeffwört');
});
afterAll(() => rm(folder, { recursive: true }));

describe('files on the disk', () => {
  it('are there or not, and are read as text to the last byte', async () => {
    expect(await files.exists(join(folder, 'a.txt'))).toBe(true);
    expect(await files.exists(folder)).toBe(true);
    expect(await files.exists(join(folder, 'b.txt'))).toBe(false);
    await expect(files.exists(join(folder, 'a.txt', 'b'))).rejects.toThrow('ENOTDIR');
    expect(await files.readText(join(folder, 'a.txt'))).toBe('\ufeffwört');
  });

  it('have paths from a folder, and ways down into it', () => {
    expect(files.resolve('a.png', folder)).toBe(join(folder, 'a.png'));
    expect(files.resolve(resolve('a.png'), folder)).toBe(resolve('a.png'));
    expect(files.relative(folder, join(folder, 'x', 'a.json'))).toBe('x/a.json');
    expect(files.relative(folder, join(folder, '..a'))).toBe('..a');
    expect(files.relative(folder, folder)).toBe('');
    expect(files.relative(folder, `${folder}x`)).toBeUndefined();
    expect(files.relative(join(folder, 'x'), folder)).toBeUndefined();
  });

  it('can be folders that are made with all above them, unless something else stands there', async () => {
    const deep = join(folder, 'x', 'y', 'z');
    await makeFolder(deep);
    await makeFolder(deep);
    expect(await files.kindOf(deep)).toBe('folder');
    for (const place of [join(folder, 'a.txt'), join(folder, 'a.txt', 'b', 'c')])
      await expect(makeFolder(place)).rejects.toMatchObject({ code: 'WEFT_FILE', where: place });
  });
});
