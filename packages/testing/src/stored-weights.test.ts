import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as g from '@weft/graph';
import {
  cpuTarget,
  dequantize,
  emitModel,
  targets,
  type BlockData,
  type BlockForm,
  type StoredWeight,
  type Target,
} from '@weft/onnx';
import { openSafetensors, writeSafetensors, type TensorToWrite } from '@weft/weights';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertClose, largestOf } from './compare.js';
import { quantize } from './quantize.js';
import { randomTensor } from './random.js';
import type { TensorLike } from './tensor.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });
const exact = cpuTarget({ accuracyLevel: 0 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-stored-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
/** Writes matrices in blocks into a file of safetensors, and says how each parameter is stored there. */
async function write(weights: Readonly<Record<string, BlockData>>): Promise<(path: string) => StoredWeight> {
  const location = `${files++}.safetensors`;
  const bytes = (array: Uint8Array | Float32Array) =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const tensors = Object.entries(weights).flatMap(
    ([path, { data, scales, zeroPoints, shape }]): TensorToWrite[] => [
      { name: path, dtype: 'U8', shape: [shape[0], data.length / shape[0]], data },
      {
        name: `${path}.scales`,
        dtype: 'F32',
        shape: [shape[0], scales.length / shape[0]],
        data: bytes(scales),
      },
      ...(zeroPoints
        ? [{ name: `${path}.zeros`, dtype: 'U8' as const, shape: [zeroPoints.length], data: zeroPoints }]
        : []),
    ],
  );
  await writeSafetensors(join(folder, location), tensors);
  const file = await openSafetensors(join(folder, location));
  await file.close();
  const place = (name: string, dtype: 'uint8' | 'float32') => {
    const { offset, byteLength, shape } = file.tensors.get(name)!;
    return { location, offset, length: byteLength, dtype, shape };
  };
  return (path) => {
    const { bits, blockSize, shape, zeroPoints } = weights[path]!;
    return {
      bits,
      blockSize,
      shape,
      data: place(path, 'uint8'),
      scales: place(`${path}.scales`, 'float32'),
      ...(zeroPoints ? { zeroPoints: place(`${path}.zeros`, 'uint8') } : {}),
    };
  };
}

/** The output `y` of a graph whose weights are stored as given, and whether its model has a node of some type. */
async function run(
  graph: g.Graph,
  weights: (path: string) => StoredWeight,
  feeds: Readonly<Record<string, Tensor>>,
  target: Target = targets.cpu,
): Promise<{ readonly y: TensorLike; readonly has: (type: string) => boolean }> {
  const { bytes } = emitModel(graph, { target, weights });
  const session = await InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { 'session.model_external_initializers_file_folder_path': folder },
  });
  const { y } = await session.run(feeds);
  await session.release();
  const text = new TextDecoder('latin1').decode(bytes);
  return { y: { shape: y!.dims, data: y!.data as Float32Array }, has: (type) => text.includes(type) };
}

const feed = ({ shape, data }: TensorLike) => new Tensor('float32', Float32Array.from(data, Number), shape);
const parameter = (shape: readonly number[]) => new g.Parameter(shape);

/** `x W^T` in double precision. */
function product(x: TensorLike, weight: Float32Array, rows: number): TensorLike {
  const columns = x.shape.at(-1)!;
  const count = x.data.length / columns;
  const data = new Float64Array(count * rows);
  for (let i = 0; i < count; i++)
    for (let row = 0; row < rows; row++)
      for (let j = 0; j < columns; j++)
        data[i * rows + row]! += Number(x.data[i * columns + j]) * weight[row * columns + j]!;
  return { shape: [...x.shape.slice(0, -1), rows], data };
}

/**
 * What level 4 may be off by at most: it rounds each block of x to 8 bits, so each number of a block by half of its
 * largest magnitude / 127, and a result by the sum of those times the weights of its row.
 */
function roundingBound(
  x: TensorLike,
  weight: Float32Array,
  { shape: [rows, columns], blockSize }: BlockForm,
): number {
  let worst = 0;
  for (let i = 0; i < x.data.length / columns; i++)
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let from = 0; from < columns; from += blockSize) {
        const end = Math.min(from + blockSize, columns);
        let [largest, weights] = [0, 0];
        for (let j = from; j < end; j++) {
          largest = Math.max(largest, Math.abs(Number(x.data[i * columns + j])));
          weights += Math.abs(weight[row * columns + j]!);
        }
        sum += (largest / 127 / 2) * weights;
      }
      worst = Math.max(worst, sum);
    }
  return worst;
}

const forms = ([8, 4] as const).flatMap((bits) =>
  [16, 32, 64, 128, 256].flatMap((blockSize) => [false, true].map((zeros) => ({ bits, blockSize, zeros }))),
);

describe('a linear layer whose weight is in blocks', () => {
  // 80 columns leave a rest in blocks of more than 16.
  const [rows, columns] = [12, 80];
  const layer = g.module('Linear', { w: parameter([rows, columns]) }, (m, x: g.Value) => g.linear(x, m.w));
  const graph = g.trace({ layer }, { x: f32('n', 'm', columns) }, ({ x }) => ({ y: layer(x) }));
  const x = randomTensor([2, 3, columns], 5);

  it.each(forms)(
    'of $bits bits by $blockSize, zero points $zeros, means its numbers',
    async ({ zeros, ...form }) => {
      const weight = quantize(
        randomTensor([rows, columns], 6).data,
        { ...form, shape: [rows, columns] },
        { zeroPoints: zeros },
      );
      const weights = await write({ 'layer.w': weight });
      const numbers = dequantize(weight);
      const expected = product(x, numbers, rows);
      const what = `${form.bits} bits`;
      for (const target of [exact, targets.reference]) {
        const { y, has } = await run(graph, weights, { x: feed(x) }, target);
        expect(has('MatMulNBits')).toBe(target === exact);
        assertClose(y, expected, { tolerance: 1e-5, what: `${what}, ${target.name}` });
      }
      for (const target of [targets.cpu, targets.webgpu]) {
        const { y, has } = await run(graph, weights, { x: feed(x) }, target);
        expect(has('MatMulNBits')).toBe(true);
        assertClose(y, expected, {
          tolerance: roundingBound(x, numbers, weight) + 1e-5 * largestOf(expected),
          scale: 1,
          what: `${what}, ${target.name}`,
        });
      }
    },
  );

  it('in blocks that no operator takes is computed first', async () => {
    const weight = quantize(randomTensor([rows, columns], 6).data, {
      bits: 8,
      blockSize: columns,
      shape: [rows, columns],
    });
    const { y, has } = await run(graph, await write({ 'layer.w': weight }), { x: feed(x) });
    expect(has('MatMulNBits')).toBe(false);
    assertClose(y, product(x, dequantize(weight), rows), { tolerance: 1e-5, what: 'y' });
  });
});

describe('a tied table in blocks', () => {
  const [rows, predicted, columns] = [20, 17, 48];
  const table = g.module(
    'Table',
    { weight: parameter([rows, columns]) },
    {
      embed: (m, ids: g.Value) => g.embedding(ids, m.weight),
      head: (m, x: g.Value) => g.linear(x, g.slice(m.weight, 0, 0, predicted)),
    },
  );
  const ids = { dtype: 'int64', shape: ['batch', 'sequence'] } as const;
  const graph = g.trace({ table }, { ids }, (inputs) => ({ y: table.head(table.embed(inputs.ids)) }));
  const chosen = [3, 19, 0, 7];
  const feeds = { ids: new Tensor('int64', BigInt64Array.from(chosen, BigInt), [2, 2]) };

  it.each(forms.filter(({ blockSize }) => blockSize <= 64))(
    'of $bits bits by $blockSize, zero points $zeros, serves words and the head that predicts some of them',
    async ({ zeros, ...form }) => {
      const weight = quantize(
        randomTensor([rows, columns], 7).data,
        { ...form, shape: [rows, columns] },
        { zeroPoints: zeros },
      );
      const numbers = dequantize(weight);
      const words = {
        shape: [2, 2, columns],
        data: chosen.flatMap((id) => [...numbers.subarray(id * columns, (id + 1) * columns)]),
      };
      const expected = product(words, numbers.subarray(0, predicted * columns), predicted);
      const weights = await write({ 'table.weight': weight });
      for (const target of [exact, targets.reference]) {
        const { y, has } = await run(graph, weights, feeds, target);
        expect([has('GatherBlockQuantized'), has('MatMulNBits')]).toEqual(
          Array.from({ length: 2 }, () => target === exact),
        );
        assertClose(y, expected, { tolerance: 1e-5, what: target.name });
      }
      const { y } = await run(graph, weights, feeds);
      const bound = roundingBound(words, numbers.subarray(0, predicted * columns), {
        ...weight,
        shape: [predicted, columns],
      });
      assertClose(y, expected, { tolerance: bound + 1e-5 * largestOf(expected), scale: 1, what: 'level 4' });
    },
  );

  it('is read from the file once for both', async () => {
    const weight = quantize(randomTensor([rows, columns], 7).data, {
      bits: 8,
      blockSize: 16,
      shape: [rows, columns],
    });
    const weights = await write({ 'table.weight': weight });
    const { bytes } = emitModel(graph, { weights });
    // The table itself is nowhere in the model, neither as float32 nor as bytes.
    expect(bytes.length).toBeLessThan(2000);
    expect(new TextDecoder('latin1').decode(bytes).split('.safetensors').length - 1).toBe(4);
  });
});

describe('experts in blocks', () => {
  const [rows, columns] = [10, 32];
  const experts = (layout: g.MatrixLayout) => {
    const shape = layout === 'out-in' ? [rows, columns] : [columns, rows];
    return g.module(
      'Experts',
      { list: g.repeat(3, () => parameter(shape)) },
      (m, x: g.Value, groups: g.Value) => g.groupedLinear(x, groups, m.list, layout),
    );
  };

  it.each(['out-in', 'in-out'] as const)('multiply the rows of their groups (%s)', async (layout) => {
    const part = experts(layout);
    const types = { x: f32('n', columns), groups: { dtype: 'int64', shape: ['n'] } } as const;
    const graph = g.trace({ part }, types, (inputs) => ({ y: part(inputs.x, inputs.groups) }));
    const [x, groups] = [randomTensor([5, columns], 8), [2, 0, 2, 0, 0]];
    const shape = (layout === 'out-in' ? [rows, columns] : [columns, rows]) as [number, number];
    const list = [0, 1, 2].map((i) =>
      quantize(randomTensor(shape, 20 + i).data, { bits: 4, blockSize: 16, shape }),
    );
    const weights = await write(Object.fromEntries(list.map((weight, i) => [`part.list.${i}`, weight])));
    const data = groups.flatMap((group, row) => {
      const numbers = dequantize(list[group]!);
      const turned = Float32Array.from(numbers, (_, i) =>
        layout === 'out-in' ? numbers[i]! : numbers[(i % columns) * rows + Math.floor(i / columns)]!,
      );
      const own = { shape: [1, columns], data: x.data.slice(row * columns, (row + 1) * columns) };
      return Array.from(product(own, turned, rows).data, Number);
    });
    const feeds = { x: feed(x), groups: new Tensor('int64', BigInt64Array.from(groups, BigInt), [5]) };
    for (const target of [exact, targets.reference, targets.webgpu]) {
      const { y, has } = await run(graph, weights, feeds, target);
      expect(has('MatMulNBits')).toBe(target === exact && layout === 'out-in');
      assertClose(y, { shape: [5, rows], data }, { tolerance: 1e-5, what: target.name });
    }
  });
});
