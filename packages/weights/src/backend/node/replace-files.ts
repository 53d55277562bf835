import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { withFileErrors } from '@weft/errors';
import type { FilesToReplace } from '../../files-to-replace.js';
import { flushFolder } from './atomic.js';

const leftover = /^\.weft-(new|old)-[0-9a-f]{12}$/;

/**
 * Replaces files of a folder by others as one. New files are written to a folder of their own within it; when all are
 * complete, the old ones are moved aside, those that make the folder readable first, and the new ones moved in, those last.
 *
 * Whatever fails, the folder then has the old files and no new one, and nothing is left behind. After a crash it has the old
 * files, the new ones, or none that makes it readable; the old ones are then in `.weft-old-…` within it, and the next call
 * that succeeds removes them.
 *
 * @throws the error of `write`; FileError where the file system refuses
 */
export const replaceFiles = (folder: string, files: FilesToReplace): Promise<void> =>
  withFileErrors(folder, () => replace(resolve(folder), files));

async function replace(root: string, { write, isOld, gates }: FilesToReplace): Promise<void> {
  await mkdir(root, { recursive: true });
  const id = randomBytes(6).toString('hex');
  const [fresh, aside] = [join(root, `.weft-new-${id}`), join(root, `.weft-old-${id}`)];
  // Files of the old state that were moved aside, and of the new state that were moved in, the last first.
  const [moved, entered]: [string[], string[]] = [[], []];
  try {
    await mkdir(fresh);
    await write(fresh);
    const names = await readdir(fresh);
    const old = (await readdir(root)).filter(
      (name) => !leftover.test(name) && (isOld(name) || names.includes(name)),
    );
    await flushFolder(fresh);
    await mkdir(aside);
    for (const name of gatesFirst(old, gates)) {
      await rename(join(root, name), join(aside, name));
      moved.unshift(name);
    }
    await flushFolder(root);
    const inOrder = gatesFirst(names, gates).toReversed();
    for (const [i, name] of inOrder.entries()) {
      // What is moved in before a gate is on the disk before it.
      if (i > 0 && gates.includes(name) && !gates.includes(inOrder[i - 1]!)) await flushFolder(root);
      await rename(join(fresh, name), join(root, name));
      entered.unshift(name);
    }
    await flushFolder(root);
  } catch (error) {
    // What went wrong first counts; a folder that cannot be put back has none of its gates.
    await restore({ root, fresh, aside, moved, entered }).catch(() => undefined);
    throw error;
  }
  // The new files are complete: what cannot be removed now is removed by the next call.
  for (const name of await readdir(root).catch(() => []))
    if (leftover.test(name))
      await rm(join(root, name), { recursive: true, force: true }).catch(() => undefined);
}

/** The files that make a folder readable, in their order, then the others. */
const gatesFirst = (names: readonly string[], gates: readonly string[]): string[] => [
  ...gates.filter((name) => names.includes(name)),
  ...names.filter((name) => !gates.includes(name)),
];

async function restore({
  root,
  fresh,
  aside,
  moved,
  entered,
}: {
  readonly root: string;
  readonly fresh: string;
  readonly aside: string;
  readonly moved: readonly string[];
  readonly entered: readonly string[];
}): Promise<void> {
  for (const name of entered) await rm(join(root, name), { recursive: true, force: true });
  for (const name of moved) await rename(join(aside, name), join(root, name));
  await rm(fresh, { recursive: true, force: true });
  // Empty now; a folder that is not was not put back.
  await rm(aside, { recursive: true, force: true });
  await flushFolder(root);
}
