import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { replaceFiles } from './replace-files.js';
import { writeCheckpoint } from './write.js';

/** Calls that change the disk, counted; from the one of `at` on they fail, one or all of them. */
const faults = vi.hoisted(() => ({ calls: 0, at: Infinity, all: false, on: false }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const counted = <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (async (...args: A): Promise<R> => {
      if (!faults.on) return call(...args);
      const now = faults.calls++;
      if (now === faults.at || (faults.all && now > faults.at)) throw new Error(`fault at call ${now}`);
      return call(...args);
    }) as (...args: A) => Promise<R>;
  return {
    ...real,
    rename: counted(real.rename),
    mkdir: counted(real.mkdir as (...args: unknown[]) => Promise<unknown>),
    rm: counted(real.rm),
    open: counted(real.open),
    readdir: counted(real.readdir as (...args: unknown[]) => Promise<unknown>),
  };
});

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-replace-'));
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(() => Object.assign(faults, { calls: 0, at: Infinity, all: false, on: false }));

const old: Readonly<Record<string, string>> = {
  'config.json': 'old',
  'params.json': 'old',
  'tokenizer.json': 'old',
  'chat_template.jinja': 'old',
  'README.md': 'mine',
};
const fresh: Readonly<Record<string, string>> = {
  'config.json': 'new',
  'tokenizer.json': 'new',
  'extra.json': 'new',
  'README.md': 'mine',
};
const newOnes = Object.entries(fresh).filter(([name]) => name !== 'README.md');

async function oldFolder(): Promise<string> {
  const folder = await mkdtemp(join(root, 'folder-'));
  for (const [name, text] of Object.entries(old)) await writeFile(join(folder, name), text);
  return folder;
}
const contentOf = async (folder: string): Promise<Readonly<Record<string, string>>> => {
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
  const files = names.map(async ({ name }) => [name, await readFile(join(folder, name), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(files));
};
const leftIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith('.'));

const replace = (folder: string) =>
  replaceFiles(folder, {
    write: async (into) => {
      for (const [name, text] of newOnes) await writeFile(join(into, name), text);
    },
    isOld: (name) => name !== 'README.md',
    gates: ['config.json', 'params.json'],
  });

describe('files that are replaced', () => {
  it('are all new, without an old one, and others stay', async () => {
    const folder = await oldFolder();
    await replace(folder);
    expect(await contentOf(folder)).toEqual(fresh);
    expect(await leftIn(folder)).toEqual([]);
  });

  it('may be the first of a folder that is not there', async () => {
    const folder = join(root, 'a', 'b');
    await replace(folder);
    expect(await contentOf(folder)).toEqual(Object.fromEntries(newOnes));
  });

  it('are as before whichever step fails, and nothing is left behind', async () => {
    const outcomes = { failed: 0, done: 0 };
    for (let at = 0; ; at++) {
      const folder = await oldFolder();
      Object.assign(faults, { calls: 0, at, on: true });
      const failed = await replace(folder).then(
        () => false,
        () => true,
      );
      Object.assign(faults, { on: false });
      expect([at, await contentOf(folder)]).toEqual([at, failed ? old : fresh]);
      if (failed) expect([at, await leftIn(folder)]).toEqual([at, []]);
      outcomes[failed ? 'failed' : 'done']++;
      if (faults.calls <= at) break;
    }
    // Only what is removed after the end may fail without notice.
    expect(outcomes.failed).toBeGreaterThan(12);
    expect(outcomes.done).toBeLessThan(5);
  });

  it('are never mixed where a folder is read, whenever the process dies', async () => {
    const seen = { old: 0, new: 0, unreadable: 0 };
    for (let at = 0; ; at++) {
      const folder = await oldFolder();
      Object.assign(faults, { calls: 0, at, all: true, on: true });
      await replace(folder).catch(() => undefined);
      Object.assign(faults, { on: false });
      const content = await contentOf(folder);
      const isReadable = 'config.json' in content || 'params.json' in content;
      if (!isReadable) seen.unreadable++;
      else {
        // One of the two gates may have gone already: all that the other one needs is there.
        const { 'config.json': config, 'params.json': params, ...others } = content;
        const { 'config.json': _config, 'params.json': _params, ...oldOthers } = old;
        const { 'config.json': _new, ...newOthers } = fresh;
        const isNew = config === 'new';
        expect([at, others, isNew && params !== undefined]).toEqual([
          at,
          isNew ? newOthers : oldOthers,
          false,
        ]);
        seen[isNew ? 'new' : 'old']++;
      }
      if (faults.calls <= at) break;
      // The next time it succeeds, and takes away what was left.
      await replace(folder);
      expect([at, await contentOf(folder)]).toEqual([at, fresh]);
      expect([at, await leftIn(folder)]).toEqual([at, []]);
    }
    expect(seen.old).toBeGreaterThan(4);
    expect(seen.unreadable).toBeGreaterThan(4);
    expect(seen.new).toBeGreaterThan(0);
  });

  it('keep the old ones where they can be found after a crash between both', async () => {
    const folder = await oldFolder();
    Object.assign(faults, { calls: 0, at: 11, all: true, on: true });
    await replace(folder).catch(() => undefined);
    Object.assign(faults, { on: false });
    const [kept] = (await leftIn(folder)).filter((name) => name.startsWith('.weft-old-'));
    expect({ ...(await contentOf(folder)), ...(await contentOf(join(folder, kept!))) }).toEqual(old);
  });

  it('are as before if what writes them fails', async () => {
    const folder = await oldFolder();
    const failing = replaceFiles(folder, {
      write: async (into) => {
        await writeCheckpoint(into, [
          { name: 'a', dtype: 'U8', shape: [1], data: () => Promise.reject(new Error('out of power')) },
        ]);
      },
      isOld: () => true,
      gates: ['config.json'],
    });
    await expect(failing).rejects.toThrow('out of power');
    expect(await contentOf(folder)).toEqual(old);
    expect(await leftIn(folder)).toEqual([]);
  });
});
