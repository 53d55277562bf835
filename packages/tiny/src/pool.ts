import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { withFileErrors } from '@weft/errors';
import { makeFolder, writeFileAtomic } from '@weft/weights';
import { resize } from '@weft/image';
import { makeExample } from './world/example.js';

/** Pictures of the world at the model's input size: the picture of seed `first + i` at byte `i * size² * 3`. */
export interface Pool {
  readonly first: number;
  readonly count: number;
  readonly size: number;
  readonly pixels: Uint8Array;
}

/** Raise it when the world changes, so that old pools are not taken for new ones. */
const worldVersion = 1;

/** Part of a pool, made in one thread. */
export interface PoolSlice {
  readonly first: number;
  readonly count: number;
  readonly size: number;
}

/** Draws the pictures of a slice. */
export function drawSlice({ first, count, size }: PoolSlice): Uint8Array {
  const bytes = size * size * 3;
  const pixels = new Uint8Array(count * bytes);
  for (let i = 0; i < count; i++)
    pixels.set(makeExample(first + i, size, { resize, count: 0 }).pixels, i * bytes);
  return pixels;
}

/**
 * Draws pictures in all cores and keeps them in a file, since every picture is shown many times with other
 * questions.
 */
export async function openPool(
  folder: string,
  { first, count, size }: PoolSlice,
  report: (done: number) => void = () => {},
): Promise<Pool> {
  await makeFolder(folder);
  const file = join(folder, `pictures-v${worldVersion}-${first}-${count}-${size}.rgb`);
  const length = count * size * size * 3;
  const known = await stat(file).catch(() => null);
  if (known?.size === length) {
    const pixels = await withFileErrors(file, () => readAll(file, length));
    return { first, count, size, pixels };
  }

  const pixels = new Uint8Array(length);
  const slice = 1000;
  let next = 0;
  let done = 0;
  const run = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL('./pool-worker.js', import.meta.url));
      const give = () => {
        if (next >= count) {
          worker.postMessage(null);
          return;
        }
        const from = next;
        next = Math.min(count, next + slice);
        worker.postMessage({ first: first + from, count: next - from, size } satisfies PoolSlice);
      };
      worker.on('message', ({ slice: made, data }: { slice: PoolSlice; data: Uint8Array }) => {
        pixels.set(data, (made.first - first) * size * size * 3);
        done += made.count;
        report(done);
        give();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      give();
    });
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, run));
  await writeFileAtomic(file, pixels);
  return { first, count, size, pixels };
}

async function readAll(file: string, length: number): Promise<Uint8Array> {
  const pixels = new Uint8Array(length);
  let at = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 22 })) {
    pixels.set(chunk as Uint8Array, at);
    at += (chunk as Uint8Array).length;
  }
  return pixels;
}
