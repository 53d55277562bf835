import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnsupportedError } from '@weft/errors';
import { cpuTarget, dequantize, targets, type BlockData, type BlockForm } from '@weft/onnx';
import { quantize } from '@weft/testing';
import {
  fromFloat32,
  openCheckpoint,
  openSafetensors,
  writeCheckpoint,
  writeSafetensors,
  type TensorToWrite,
} from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import type { Storage } from './engine-setup.js';
import { load, loadStored } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { locateWeights, type BlockEntries, type StoredPlan } from './weight-location.js';

const exact = cpuTarget({ accuracyLevel: 0 });
const query = 'model.layers.0.self_attn.q_proj.weight';
const table = 'model.embed_tokens.weight';
const ids = [5, 200, 17, 0, 317, 42, 42, 9];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-blocks-'));
});
afterAll(() => rm(folder, { recursive: true }));

const bytesOf = (array: Uint8Array | Float32Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

let folders = 0;
/**
 * A checkpoint with some weights in blocks, in a file of their own beside the others, and the same checkpoint with those
 * weights replaced by the numbers that the blocks mean.
 */
async function twoFolders(
  forms: Readonly<Record<string, Omit<BlockForm, 'shape'> & { readonly zeroPoints?: boolean }>>,
): Promise<{ readonly stored: string; readonly plan: StoredPlan; readonly float: string }> {
  const [stored, float] = ['stored', 'float'].map((name) => join(folder, `${name}-${folders}`)) as [
    string,
    string,
  ];
  folders++;
  const source = fixture('text-qwen2-tied');
  for (const copy of [stored, float]) await cp(source, copy, { recursive: true });
  const checkpoint = await openCheckpoint(source);
  const blocks = new Map<string, BlockData>();
  const whole: TensorToWrite[] = [];
  for (const [name, { dtype, shape }] of checkpoint.tensors) {
    const { zeroPoints = false, ...form } = forms[name] ?? { bits: 8, blockSize: 0 };
    if (form.blockSize > 0) {
      const values = await checkpoint.readFloat32(name);
      blocks.set(name, quantize(values, { ...form, shape: shape as [number, number] }, { zeroPoints }));
    }
    const small = blocks.get(name);
    whole.push(
      small
        ? { name, dtype: 'F32', shape, data: fromFloat32(dequantize(small), 'F32') }
        : { name, dtype, shape, data: await checkpoint.read(name) },
    );
  }
  await checkpoint.close();
  expect(blocks.size).toBe(Object.keys(forms).length);
  await writeCheckpoint(float, whole);
  const path = join(stored, 'blocks.cache');
  await writeSafetensors(
    path,
    [...blocks].flatMap(([name, { data, scales, zeroPoints }]): TensorToWrite[] => [
      { name: `${name}.data`, dtype: 'U8', shape: [data.length], data },
      { name: `${name}.scales`, dtype: 'F32', shape: [scales.length], data: bytesOf(scales) },
      ...(zeroPoints
        ? [{ name: `${name}.zeros`, dtype: 'U8' as const, shape: [zeroPoints.length], data: zeroPoints }]
        : []),
    ]),
  );
  const file = await openSafetensors(path);
  await file.close();
  const plan = (name: string): BlockEntries | undefined => {
    const weight = blocks.get(name);
    if (!weight) return undefined;
    const { bits, blockSize, shape } = weight;
    return {
      bits,
      blockSize,
      shape,
      data: file.tensors.get(`${name}.data`)!,
      scales: file.tensors.get(`${name}.scales`)!,
      zeroPoints: file.tensors.get(`${name}.zeros`),
    };
  };
  return { stored, plan, float };
}

async function logitsOf(open: Promise<LoadedModel>): Promise<Float32Array> {
  const model = await open;
  try {
    const input = { dtype: 'int64', shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) } as const;
    return (await model.forward({ input_ids: input })).data;
  } finally {
    await model.close();
  }
}

/** Largest difference as a share of the largest element. */
const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0) /
  b.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);

const options = { worker: false, threads: 1 };

describe('a model with weights in blocks', () => {
  it.each([
    ['one projection, 8 bits', { [query]: { bits: 8, blockSize: 16 } }],
    ['one projection, 4 bits with zero points', { [query]: { bits: 4, blockSize: 32, zeroPoints: true } }],
    [
      'the tied table and one projection, 8 bits',
      { [table]: { bits: 8, blockSize: 16 }, [query]: { bits: 8, blockSize: 16 } },
    ],
    ['a form that no operator takes', { [table]: { bits: 8, blockSize: 35 } }],
  ] as const)('has the logits of the numbers that they mean: %s', async (_name, forms) => {
    const { stored, plan, float } = await twoFolders(forms);
    const expected = await logitsOf(load(float, options));
    const run = (storage: Storage) => logitsOf(loadStored(stored, options, storage));
    // Level 0 multiplies by the numbers themselves, and taken apart they are computed before: both are float32.
    expect(distance(await run({ plan, target: exact }), expected)).toBeLessThan(1e-5);
    expect(distance(await run({ plan, target: targets.reference }), expected)).toBeLessThan(1e-5);
    // Level 4 rounds what comes into each product to 8 bits, each number by up to 1/254 of the largest of its block. What
    // that makes of logits has no simple bound: they pass softmax and norms. It was 1.5/254 of the largest logit for the
    // projection, and 3.2/254 with the head, which rounds once more; products themselves are held to the exact bound in
    // the test kit.
    expect(distance(await run({ plan }), expected)).toBeLessThan(5 / 254);
    // The blocks were really read: the weights that lie in the checkpoint give other logits.
    expect(distance(await logitsOf(load(stored, options)), expected)).toBeGreaterThan(1e-5);
  });

  it('is computed in a worker, too, and generates', async () => {
    const { stored, plan, float } = await twoFolders({ [table]: { bits: 8, blockSize: 16 } });
    const answer = async (open: Promise<LoadedModel>) => {
      const model = await open;
      try {
        return (await model.generate({ prompt: 'a b c', maxNewTokens: 6, doSample: false }).result()).text;
      } finally {
        await model.close();
      }
    };
    const ours = await answer(loadStored(stored, { threads: 1 }, { plan, target: exact }));
    expect(ours).toBe(await answer(load(float, { threads: 1 })));
  });

  it('is refused where engines cannot keep its cache', async () => {
    const open = loadStored(fixture('text-qwen2-tied'), options, { target: targets.webgpu });
    await expect(open).rejects.toThrow(UnsupportedError);
    await expect(open).rejects.toThrow(/webgpu[^]*head-major/);
  });
});

describe('places of weights', () => {
  const entry = (dtype: 'U8' | 'F32' | 'I8', file: string) => ({
    name: 'w',
    dtype,
    shape: [2, 16],
    file,
    offset: 8,
    byteLength: 32,
  });

  it('are relative to the folder that holds both the checkpoint and the blocks', () => {
    const { folder: common, locate } = locateWeights(
      new Map([
        ['a', entry('F32', '/models/tiny/model.safetensors')],
        ['b', entry('F32', '/models/tiny/model.safetensors')],
      ]),
      {
        plan: (path) =>
          path === 'a'
            ? {
                bits: 8,
                blockSize: 16,
                shape: [2, 16],
                data: entry('U8', '/models/cache/a'),
                scales: entry('F32', '/models/cache/a'),
              }
            : undefined,
      },
    );
    expect(common).toBe('/models');
    expect(locate('a')).toMatchObject({
      blockSize: 16,
      data: { location: 'cache/a', dtype: 'uint8' },
      scales: { dtype: 'float32' },
    });
    expect(locate('b')).toMatchObject({ location: 'tiny/model.safetensors', dtype: 'float32' });
  });

  it('are refused for numbers that are no bytes, and for joined tensors that no plan reads', () => {
    const entries = new Map([['a', entry('F32', '/m/a')]]);
    const { locate } = locateWeights(entries, {
      plan: () => ({
        bits: 8,
        blockSize: 16,
        shape: [2, 16],
        data: entry('I8', '/m/a'),
        scales: entry('F32', '/m/a'),
      }),
    });
    expect(() => locate('a')).toThrow(/weight in blocks are U8, but 'w' is I8/);
    const joined = { name: 'a', shape: [2, 16], form: 'gptq', pieces: { qweight: entry('I8', '/m/a') } };
    expect(() => locateWeights(new Map([['a', joined]]))).toThrow(/stored as qweight \(gptq\)/);
  });
});
