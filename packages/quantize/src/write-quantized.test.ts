import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeightError } from '@weft/errors';
import { randomNumbers } from '@weft/testing';
import { fromFloat32, openSafetensors, toFloat32, writeSafetensors, type FloatDtype } from '@weft/weights';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { quantizedFile, roundRows, schemes, writeQuantized, type QuantizeJob, type Scheme } from './index.js';

const made: string[] = [];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-quantize-'));
  made.push(folder);
});
afterAll(() => Promise.all(made.map((path) => rm(path, { recursive: true }))));

interface Given {
  readonly name: string;
  readonly dtype: FloatDtype;
  readonly shape: readonly [number, number];
  readonly scheme: Scheme;
  readonly values: Float32Array;
}

function given(name: string, dtype: FloatDtype, shape: readonly [number, number], scheme: Scheme): Given {
  const random = randomNumbers(name.length + shape[0]);
  const values = Float32Array.from({ length: shape[0] * shape[1] }, () => random() - 0.5);
  return { name, dtype, shape, scheme, values: toFloat32(fromFloat32(values, dtype), dtype) };
}

async function jobsOf(matrices: readonly Given[], file = 'model.safetensors'): Promise<QuantizeJob[]> {
  const path = join(folder, file);
  await writeSafetensors(
    path,
    matrices.map(({ name, dtype, shape, values }) => ({
      name,
      dtype,
      shape,
      data: fromFloat32(values, dtype),
    })),
  );
  const opened = await openSafetensors(path);
  await opened.close();
  return matrices.map(({ name, shape, scheme }) => {
    const { file: source, offset, dtype } = opened.tensors.get(name)!;
    return { name, source: { file: source, offset, dtype }, shape, scheme };
  });
}

const matrices = [
  given('a', 'F32', [37, 131], schemes.q4),
  given('long', 'BF16', [4100, 1030], schemes['q4-zero-points']),
  given('half', 'F16', [3, 64], schemes.q8),
  given('column', 'F32', [9, 1], schemes.q8),
];

describe('writeQuantized', () => {
  it('writes what rounding the whole matrices gives, by any number of threads', async () => {
    const jobs = await jobsOf(matrices);
    const shares: number[] = [];
    const written = await Promise.all(
      [1, 3].map(async (threads) => {
        const path = join(folder, `${threads}.safetensors`);
        const tensors = await writeQuantized(path, jobs, {
          threads,
          progress: (share) => shares.push(share),
        });
        return { tensors, bytes: await readFile(path), file: await openSafetensors(path) };
      }),
    );
    expect(written[0]!.bytes.equals(written[1]!.bytes)).toBe(true);
    expect(shares.at(-1)).toBe(1);
    const { file, tensors } = written[0]!;
    for (const [i, { name, shape, scheme, values }] of matrices.entries()) {
      const whole = roundRows(values, shape, scheme);
      expect(await file.read(`${name}.data`)).toEqual(whole.data);
      expect(await file.readFloat32(`${name}.scales`)).toEqual(whole.scales);
      if (whole.zeroPoints) expect(await file.read(`${name}.zero_points`)).toEqual(whole.zeroPoints);
      const { squaredError, squaredNorm } = tensors[i]!;
      expect(squaredError / whole.squaredError).toBeCloseTo(1, 9);
      expect(squaredNorm / whole.squaredNorm).toBeCloseTo(1, 9);
    }
    await Promise.all(written.map(({ file: open }) => open.close()));
  });

  it('refuses numbers that are not finite, names their row, and leaves nothing behind', async () => {
    const broken = given('broken', 'F32', [4200, 1025], schemes.q4);
    broken.values[4133 * 1025 + 7] = Number.NaN;
    const jobs = await jobsOf([broken]);
    const before = await readdir(folder);
    const writing = writeQuantized(join(folder, 'out.safetensors'), jobs);
    await expect(writing).rejects.toThrow(/Row 4133 of the weight[^]*broken/);
    await expect(writing).rejects.toThrow(WeightError);
    expect(await readdir(folder)).toEqual(before);
  });

  it('stops when its signal is aborted, and leaves nothing behind', async () => {
    const jobs = await jobsOf([given('large', 'BF16', [6000, 2048], schemes.q4)]);
    const before = await readdir(folder);
    const controller = new AbortController();
    const writing = writeQuantized(join(folder, 'out.safetensors'), jobs, {
      threads: 1,
      signal: controller.signal,
      progress: () => controller.abort(new Error('enough')),
    });
    await expect(writing).rejects.toThrow('enough');
    expect(await readdir(folder)).toEqual(before);
  });
});

describe('quantizedFile', () => {
  const open = async (jobs: readonly QuantizeJob[]) => quantizedFile(jobs, { cache: join(folder, 'cache') });

  it('writes once, and is found by the content of the source wherever that lies', async () => {
    const jobs = await jobsOf(matrices);
    const first = await open(jobs);
    expect(first.isCached).toBe(false);
    const again = await open(jobs);
    expect(again).toEqual({ ...first, isCached: true });
    const copy = await open(await jobsOf(matrices, 'copy.safetensors'));
    expect([copy.path, copy.isCached]).toEqual([first.path, true]);
  });

  it('tells schemes, places and contents apart, though size and time of the file are as before', async () => {
    const jobs = await jobsOf(matrices);
    const paths = [(await open(jobs)).path];
    paths.push((await open([{ ...jobs[0]!, scheme: schemes.q8 }, ...jobs.slice(1)])).path);
    const time = new Date(1e12);
    const source = join(folder, 'model.safetensors');
    await utimes(source, time, time);
    paths.push((await open(jobs)).path);
    expect(paths[2]).toBe(paths[0]);
    const bytes = await readFile(source);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(source, bytes);
    await utimes(source, time, time);
    paths.push((await open(jobs)).path);
    expect(new Set(paths).size).toBe(3);
  });

  it.each([
    ['the file is cut', 'safetensors', 100],
    ['the report is missing its end', 'json', 10],
  ])('is written again where %s', async (_, extension, kept) => {
    const jobs = await jobsOf(matrices.slice(0, 1));
    const { path } = await open(jobs);
    const whole = await readFile(path);
    const damaged = path.replace(/safetensors$/, extension);
    await writeFile(damaged, (await readFile(damaged)).subarray(0, kept));
    expect((await open(jobs)).isCached).toBe(false);
    expect((await readFile(path)).equals(whole)).toBe(true);
    expect((await open(jobs)).isCached).toBe(true);
  });
});
