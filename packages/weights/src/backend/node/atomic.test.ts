import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomic } from './atomic.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-atomic-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('writeFileAtomic', () => {
  it('writes text and bytes and replaces what was there', async () => {
    const path = join(folder, 'a.txt');
    await writeFileAtomic(path, 'grün');
    expect(await readFile(path, 'utf8')).toBe('grün');
    await writeFileAtomic(path, Uint8Array.of(1, 2));
    expect([...(await readFile(path))]).toEqual([1, 2]);
    await writeFileAtomic(path, '');
    expect((await readFile(path)).length).toBe(0);
    expect(await readdir(folder)).toEqual(['a.txt']);
  });

  it('leaves nothing behind when the target cannot be replaced', async () => {
    await writeFileAtomic(join(folder, 'inner'), 'x');
    await expect(writeFileAtomic(join(folder, 'inner', 'a.txt'), 'x')).rejects.toThrow(/ENOTDIR/);
    const target = join(folder, 'folder');
    await mkdir(join(target, 'full'), { recursive: true });
    await expect(writeFileAtomic(target, 'x')).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['folder', 'inner']);
  });
});
