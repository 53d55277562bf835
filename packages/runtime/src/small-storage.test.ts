import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuTarget, dequantize } from '@weft/onnx';
import { modelOf } from '@weft/models';
import { namedParameters } from '@weft/graph';
import {
  fromFloat32,
  matchWeights,
  openCheckpoint,
  toFloat32,
  writeCheckpoint,
  type TensorEntry,
} from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { load, loadStored } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { readEntry } from './read-entry.js';
import { smallStorage } from './small-storage.js';
import { smallWeights, type DtypeOption } from './weight-forms.js';
import type { BlockEntries } from './weight-location.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-small-'));
  process.env['WEFT_CACHE'] = join(folder, 'cache');
});
afterAll(async () => {
  delete process.env['WEFT_CACHE'];
  await rm(folder, { recursive: true });
});

async function opened(name: string) {
  const source = fixture(name);
  const { config, preprocessor, videoPreprocessor } = await readCheckpointFiles(source);
  const model = await modelOf(config, { preprocessor, videoPreprocessor });
  const checkpoint = await openCheckpoint(source);
  await checkpoint.close();
  const matched = matchWeights({
    expected: namedParameters(model.module),
    file: checkpoint,
    ...model.checkpoint,
  });
  return { source, model, entries: matched.entries as Map<string, TensorEntry>, tensors: checkpoint.tensors };
}

/** The checkpoint with the numbers that its weights in blocks mean. */
async function meantFolder(name: string, dtype: DtypeOption): Promise<string> {
  const { source, model, entries, tensors } = await opened(name);
  const { file } = await smallStorage(model, entries, dtype);
  const changed = new Map<string, { readonly offset: number; readonly values: Float32Array }[]>();
  for (const [path, blocks] of file!.blocks as ReadonlyMap<string, BlockEntries>) {
    const [data, scales, zeros] = await Promise.all([
      readEntry(blocks.data),
      readEntry(blocks.scales),
      blocks.zeroPoints && readEntry(blocks.zeroPoints),
    ]);
    const values = dequantize({ ...blocks, data, scales: toFloat32(scales, 'F32'), zeroPoints: zeros });
    const { offset, file: home } = entries.get(path)!;
    const owner = [...tensors.values()].find(
      (tensor) =>
        tensor.file === home && tensor.offset <= offset && offset < tensor.offset + tensor.byteLength,
    )!;
    changed.set(owner.name, [...(changed.get(owner.name) ?? []), { offset: offset - owner.offset, values }]);
  }
  const target = join(folder, `meant-${name}`);
  await cp(source, target, { recursive: true });
  await writeCheckpoint(
    target,
    [...tensors.values()].map((entry) => ({
      name: entry.name,
      dtype: 'F32' as const,
      shape: entry.shape,
      data: async () => {
        const size = entry.dtype === 'F32' ? 4 : 2;
        const whole = toFloat32(await readEntry(entry), entry.dtype);
        for (const { offset, values } of changed.get(entry.name) ?? []) whole.set(values, offset / size);
        return fromFloat32(whole, 'F32');
      },
    })),
  );
  return target;
}

async function logitsOf(
  open: Promise<LoadedModel>,
  prompt: string,
  images: readonly string[],
): Promise<Float32Array> {
  const model = await open;
  try {
    const seen: Float32Array[] = [];
    await model
      .generate({
        prompt,
        images,
        maxNewTokens: 2,
        doSample: false,
        logitsProcessors: [
          (logits) => {
            seen.push(Float32Array.from(logits));
          },
        ],
      })
      .result();
    return Float32Array.from(seen.flatMap((one) => [...one]));
  } finally {
    await model.close();
  }
}

const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0) /
  b.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);

const options = { worker: false, threads: 1 };
const exact = cpuTarget({ accuracyLevel: 0 });

describe('a model with small weights', () => {
  it.each<[string, DtypeOption, string, number]>([
    ['text-qwen2-tied', 'q4', 'a b c', 0],
    ['text-bf16', 'fast', 'a b c', 0],
    ['text-olmoe', { '*': { bits: 4, blockSize: 16, zeroPoints: true } }, 'a b c', 0],
    ['llava-clip', 'q8', 'USER: <image>\nWhat? ASSISTANT:', 1],
    [
      'qwen2-vl-two',
      { encoder: 'q4-64', backbone: 'q8' },
      '<|vision_start|><|image_pad|><|vision_end|>What?',
      1,
    ],
  ])('computes with the numbers that its blocks mean: %s', async (name, dtype, prompt, count) => {
    const images = Array.from({ length: count }, (_, i) => join(fixture(name), `image-${i}.png`));
    const { source, model, entries } = await opened(name);
    const { plan } = await smallStorage(model, entries, dtype);
    const meant = await logitsOf(load(await meantFolder(name, dtype), options), prompt, images);
    const own = await logitsOf(loadStored(source, options, { plan, target: exact }), prompt, images);
    expect(distance(own, meant)).toBeLessThan(2e-5);
    // The option chooses the same weights; level 4 rounds what comes into products to 8 bits.
    const fast = await logitsOf(load(source, { ...options, dtype }), prompt, images);
    expect(distance(fast, meant)).toBeLessThan(0.05);
    const whole = await logitsOf(load(source, options), prompt, images);
    expect(distance(whole, meant)).toBeGreaterThan(1e-4);
  });

  it('writes to the cache once', async () => {
    const { model, entries } = await opened('text-llama3');
    const cache = join(folder, 'once');
    const first = await smallStorage(model, entries, 'q4', { cache });
    const again = await smallStorage(model, entries, 'q4', { cache });
    expect([first.file!.isCached, again.file!.isCached]).toEqual([false, true]);
    expect((await readdir(join(cache, 'quantized'))).length).toBe(2);
    expect((await smallStorage(model, entries, 'float32', { cache })).file).toBeUndefined();
  });

  it('leaves weights alone that a model made by hand joins', async () => {
    const { model } = await opened('text-llama3');
    const [path] = smallWeights(model).map((weight) => weight.path);
    const piece = { name: 'w', dtype: 'I32', shape: [4], file: '/m/a', offset: 0, byteLength: 16 } as const;
    const joined = { name: path!, shape: [8, 4], form: 'own', pieces: { qweight: piece } };
    const { file, chosen } = await smallStorage(model, new Map([[path!, joined]]), 'q8');
    expect([file, chosen]).toEqual([undefined, []]);
  });
});
