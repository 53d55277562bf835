import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseJson, withFileErrors } from '@weft/errors';
import { makeFolder, writeFileAtomic } from '@weft/weights';

/** A file as it was when its content was hashed. */
interface KnownFile {
  readonly identity: string;
  readonly sha256: string;
}

/**
 * SHA-256 of a file's content. It is remembered in the cache folder by path, size, times and inode, so that a large file
 * is read once: a change of its content changes one of them, which no program can set back (the time of the change of
 * status).
 *
 * @throws FileError where the file system refuses
 */
export async function contentHash(path: string, cache: string, signal?: AbortSignal): Promise<string> {
  const file = await withFileErrors(path, () => realpath(path));
  const { size, mtimeNs, ctimeNs, ino, dev } = await withFileErrors(file, () => stat(file, { bigint: true }));
  const identity = [size, mtimeNs, ctimeNs, ino, dev].join(' ');
  const index = join(cache, 'hashes.json');
  const known = (await readIndex(index))[file];
  if (known?.identity === identity) return known.sha256;
  const hash = createHash('sha256');
  await withFileErrors(file, () =>
    pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash, { signal }),
  );
  const sha256 = hash.digest('hex');
  await makeFolder(dirname(index));
  // Another process may have written meanwhile: what is lost then is computed again.
  await writeFileAtomic(
    index,
    JSON.stringify({ ...(await readIndex(index)), [file]: { identity, sha256 } }, undefined, 1),
  );
  return sha256;
}

/** The index; a damaged one is as good as none, since it only saves work. */
async function readIndex(path: string): Promise<Readonly<Record<string, KnownFile>>> {
  try {
    const value: unknown = parseJson(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, KnownFile>) : {};
  } catch {
    return {};
  }
}
