import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileError } from '@weft/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeTemporaries, stageFile, writeAll, writeFileAtomic } from './atomic.js';
import { files } from './files.js';
import { writeCheckpoint, writeSafetensors } from './write.js';

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

describe('errors of the disk', () => {
  const tensor = { name: 'a', dtype: 'U8', shape: [1], data: new Uint8Array(1) } as const;
  const places: readonly (readonly [string, () => string, string])[] = [
    ['below a file', () => join(folder, 'file', 'x'), 'ENOTDIR'],
    ['with a name that is too long', () => join(folder, 'n'.repeat(300)), 'ENAMETOOLONG'],
    ['with a NUL character', () => join(folder, 'a\0b'), 'ERR_INVALID_ARG_VALUE'],
    ['at links that lead around in a circle', () => join(folder, 'round', 'x'), 'ELOOP'],
  ];

  it.each(places)('have a path, a reason and a hint %s', async (_, place, reason) => {
    await writeFile(join(folder, 'file'), 'x');
    await symlink('round', join(folder, 'round'));
    const path = place();
    const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
      writeFileAtomic: () => writeFileAtomic(path, 'x'),
      writeSafetensors: () => writeSafetensors(path, [tensor]),
      writeCheckpoint: () => writeCheckpoint(path, [tensor]),
      readText: () => files.readText(path),
      readAll: () => files.readAll(path),
      open: () => files.open(path),
      kindOf: () => files.kindOf(path),
      exists: () => files.exists(path),
      realpath: () => files.realpath(path),
      list: () => files.list(path),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      const error = await attempt().catch((thrown: unknown) => thrown);
      expect(error, name).toBeInstanceOf(FileError);
      expect((error as FileError).where, name).toContain(folder);
      expect((error as FileError).hint, name).toBeTruthy();
      expect([reason, 'ENOENT'], name).toContain((error as FileError).reason);
    }
    expect((await readdir(folder)).toSorted()).toEqual(['file', 'round']);
  });

  it('are told of a file that is closed, and of one that cannot be written any more', async () => {
    await writeFile(join(folder, 'a'), 'x');
    const file = await files.open(join(folder, 'a'));
    await Promise.all([file.close(), file.close()]);
    await file.close();
    await expect(file.read(new Uint8Array(1), 0)).rejects.toThrow(FileError);
    const handle = await open(join(folder, 'a'), 'r');
    await expect(writeAll(handle, Uint8Array.of(1), 'a')).rejects.toThrow(FileError);
    await handle.close();
  });

  it('do not hide what went wrong before them', async () => {
    const staged = stageFile(join(folder, 'a'), () => Promise.reject(new RangeError('mine')));
    await expect(staged).rejects.toThrow(new RangeError('mine'));
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('temporary files of writers that were killed', () => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid!;

  it('are removed, those of writers at work and other files are not', async () => {
    const gone = [`.a.safetensors.${dead}.0123456789ab.tmp`, `.x.y.z.${process.pid}.aaaaaaaaaaaa.tmp`];
    const kept = [
      `.a.${process.ppid}.0123456789ab.tmp`,
      '.a.tmp',
      `a.${dead}.0123456789ab.tmp`,
      `.a.${dead}.0123.tmp`,
    ];
    for (const name of [...gone, ...kept]) await writeFile(join(folder, name), 'x');
    const mine = await stageFile(join(folder, 'mine'), async () => undefined);
    expect((await removeTemporaries(folder)).toSorted()).toEqual(gone.toSorted());
    await mine.commit();
    expect((await readdir(folder)).toSorted()).toEqual([...kept, 'mine'].toSorted());
    await utimes(join(folder, kept[0]!), new Date(0), new Date(0));
    expect(await removeTemporaries(folder)).toEqual([kept[0]]);
  });

  it('are removed before a checkpoint is written', async () => {
    await writeFile(join(folder, `.model.safetensors.${dead}.0123456789ab.tmp`), 'x');
    await writeCheckpoint(folder, []);
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('cannot be looked for where there is no folder', async () => {
    await expect(removeTemporaries(join(folder, 'none'))).rejects.toThrow(FileError);
  });
});
