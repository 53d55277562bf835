import { availableParallelism } from 'node:os';
import { WeightError } from '@weft/errors';
import { fillSafetensors } from '@weft/weights';
import { Tinypool } from 'tinypool';
import { piecesOf, storedBytes, tensorsOf } from '../../job.js';
import type { WriteQuantized } from '../write-quantized.js';
import type { TaskResult } from './worker.js';

/** Writes the file by a pool of threads, each a few rows at a time. */
export const writeQuantized: WriteQuantized = async (path, jobs, options = {}) => {
  const { threads = availableParallelism(), signal, progress, metadata } = options;
  const sums = jobs.map(() => ({ squaredError: 0, squaredNorm: 0 }));
  await fillSafetensors(
    path,
    jobs.flatMap(tensorsOf),
    async (file) => {
      const tasks = jobs.flatMap((job, i) =>
        piecesOf(job, file.path, (name) => file.places.get(name)?.offset).map((piece) => ({ piece, i })),
      );
      const maxThreads = Math.max(1, Math.min(threads, availableParallelism(), tasks.length));
      const pool = new Tinypool({
        filename: new URL('./worker.js', import.meta.url).href,
        minThreads: maxThreads,
        maxThreads,
        execArgv: [],
      });
      const stop = new AbortController();
      const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
      let done = 0;
      try {
        either.throwIfAborted();
        const next = tasks.values();
        // As many at a time as there are threads: a signal that hundreds listen to looks like a leak.
        const work = async (): Promise<void> => {
          for (const { piece, i } of next) {
            const result = (await pool.run(piece, { signal: either })) as TaskResult;
            if ('failure' in result) throw new WeightError(result.failure);
            sums[i]!.squaredError += result.squaredError;
            sums[i]!.squaredNorm += result.squaredNorm;
            progress?.(++done / tasks.length);
          }
        };
        await Promise.all(Array.from({ length: maxThreads }, work));
      } catch (cause) {
        stop.abort();
        if (signal?.aborted) throw signal.reason;
        throw cause;
      } finally {
        await pool.destroy();
      }
    },
    metadata ? { metadata } : {},
  );
  return jobs.map((job, i) => {
    const { name, shape, scheme } = job;
    return { name, shape, scheme, ...sums[i]!, storedBytes: storedBytes(job) };
  });
};
