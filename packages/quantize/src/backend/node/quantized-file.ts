import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '@weft/errors';
import {
  makeFolder,
  openSafetensors,
  removeTemporaries,
  writeFileAtomic,
  type TensorEntry,
} from '@weft/weights';
import {
  blocksIn,
  isPublished,
  type MatrixBlocks,
  type QuantizedTensor,
  type QuantizeJob,
} from '../../job.js';
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
  const piecesOf = ({ source }: QuantizeJob) =>
    isPublished(source)
      ? Object.entries(source.pieces).map(([role, piece]) => ({ role, ...piece }))
      : [{ role: '', ...source }];
  const hashes = new Map<string, string>();
  for (const file of new Set(jobs.flatMap(piecesOf).map((piece) => piece.file)))
    hashes.set(file, await contentHash(file, cache, signal));
  const described = jobs.map((job) => [
    job.name,
    piecesOf(job).map(({ role, file, offset, dtype }) => [role, hashes.get(file), offset, dtype]),
    isPublished(job.source) ? job.source.form : null,
    job.shape,
    typeof job.scheme === 'string'
      ? job.scheme
      : [job.scheme.bits, job.scheme.blockSize, job.scheme.zeroPoints, job.scheme.rounding],
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
  | {
      readonly tensors: readonly QuantizedTensor[];
      readonly blocks: ReadonlyMap<string, MatrixBlocks | TensorEntry>;
    }
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
): Promise<ReadonlyMap<string, MatrixBlocks | TensorEntry>> {
  const file = await openSafetensors(path);
  await file.close();
  return blocksIn(jobs, file.tensors);
}
