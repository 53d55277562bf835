import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '@weft/errors';
import { makeFolder, openSafetensors, removeTemporaries, writeFileAtomic } from '@weft/weights';
import { blocksIn, type MatrixBlocks, type QuantizedTensor, type QuantizeJob } from '../../job.js';
import type { QuantizedFile } from '../write-quantized.js';
import { cacheFolder } from './cache-folder.js';
import { contentHash } from './content-hash.js';
import { writeQuantized } from './write-quantized.js';

/** Raised when the same source and scheme give other bytes than before. */
const version = 1;

/** The file of these jobs in the cache, written if it is not there. */
export const quantizedFile: QuantizedFile = async (jobs, options = {}) => {
  const { signal, cache = cacheFolder() } = options;
  const key = await keyOf(jobs, cache, signal);
  const folder = join(cache, 'quantized');
  const path = join(folder, `${key}.safetensors`);
  const report = join(folder, `${key}.json`);
  const known = await readCached(jobs, path, report);
  if (known) return { path, isCached: true, ...known };
  await makeFolder(folder);
  await removeTemporaries(folder);
  const tensors = await writeQuantized(path, jobs, { ...options, metadata: { format: 'weft', key } });
  await writeFileAtomic(report, `${JSON.stringify(tensors, undefined, 1)}\n`);
  return { path, isCached: false, tensors, blocks: await readBlocks(jobs, path) };
};

async function keyOf(
  jobs: readonly QuantizeJob[],
  cache: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hashes = new Map<string, string>();
  for (const file of new Set(jobs.map(({ source }) => source.file)))
    hashes.set(file, await contentHash(file, cache, signal));
  const described = jobs.map(({ name, source: { file, offset, dtype }, shape, scheme }) => [
    name,
    hashes.get(file),
    offset,
    dtype,
    shape,
    [scheme.bits, scheme.blockSize, scheme.zeroPoints, scheme.rounding],
  ]);
  return createHash('sha256')
    .update(JSON.stringify([version, described]))
    .digest('hex')
    .slice(0, 40);
}

/** What an earlier run wrote; `undefined` if it is missing, unfinished or damaged, and is to be written again. */
async function readCached(
  jobs: readonly QuantizeJob[],
  path: string,
  report: string,
): Promise<
  | { readonly tensors: readonly QuantizedTensor[]; readonly blocks: ReadonlyMap<string, MatrixBlocks> }
  | undefined
> {
  try {
    const tensors = parseJson(await readFile(report, 'utf8')) as QuantizedTensor[];
    if (!jobs.every(({ name }, i) => tensors[i]?.name === name && tensors[i].squaredNorm >= 0))
      return undefined;
    return { tensors, blocks: await readBlocks(jobs, path) };
  } catch {
    return undefined;
  }
}

async function readBlocks(
  jobs: readonly QuantizeJob[],
  path: string,
): Promise<ReadonlyMap<string, MatrixBlocks>> {
  const file = await openSafetensors(path);
  await file.close();
  return blocksIn(jobs, file.tensors);
}
