import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namedParameters } from '@weft/graph';
import { initialWeights, modelOf } from '@weft/models';
import { cpuTarget } from '@weft/onnx';
import { readPublished, type PublishedForm, type PublishedPiece } from '@weft/quantize';
import type { Json } from '@weft/spec';
import { fromFloat32, writeCheckpoint, type TensorToWrite } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load, loadStored, type LoadOptions } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { seededRandom } from './random.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-published-'));
  process.env['WEFT_CACHE'] = join(root, 'cache');
});
afterAll(async () => {
  delete process.env['WEFT_CACHE'];
  await rm(root, { recursive: true });
});

const random = seededRandom(5);
const upTo = (count: number): number => Math.floor(random.uniform() * count);

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const words = (...shape: readonly number[]): PublishedPiece => ({
  dtype: 'I32',
  shape,
  bytes: bytesOf(Uint32Array.from({ length: sizeOf(shape) }, () => upTo(2 ** 32))),
});
const small = (...shape: readonly number[]): PublishedPiece => ({
  dtype: 'F16',
  shape,
  bytes: fromFloat32(
    Float32Array.from({ length: sizeOf(shape) }, () => 0.002 + random.uniform() / 100),
    'F16',
  ),
});
const single = (scale: number, ...shape: readonly number[]): PublishedPiece => ({
  dtype: 'F32',
  shape,
  bytes: bytesOf(Float32Array.from({ length: sizeOf(shape) }, () => random.uniform() * scale)),
});
const octets = (
  dtype: 'U8' | 'I8' | 'F8_E4M3',
  most: number,
  ...shape: readonly number[]
): PublishedPiece => ({
  dtype,
  shape,
  bytes: Uint8Array.from({ length: sizeOf(shape) }, () => upTo(most)),
});
const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** How a method stores a matrix: its form, and its tensors by role with the ends of their names. */
interface Method {
  readonly name: string;
  readonly config: Json;
  readonly isFloat?: boolean;
  readonly make: (
    rows: number,
    columns: number,
  ) => {
    readonly form: PublishedForm;
    readonly pieces: Readonly<Record<string, readonly [end: string, piece: PublishedPiece]>>;
  };
}

const methods: Method[] = [
  {
    name: 'GPTQ',
    config: { quant_method: 'gptq', bits: 4, group_size: 16, desc_act: false },
    make: (rows, columns) => ({
      form: { kind: 'gptq', bits: 4, groupSize: 16, zeroShift: 1 },
      pieces: {
        qweight: ['qweight', words(columns / 8, rows)],
        // Stored zero points of 15 stand for 16, which no number of 4 bits is.
        qzeros: [
          'qzeros',
          { ...words(columns / 16, rows / 8), bytes: octets('U8', 7, columns / 16, rows / 2).bytes },
        ],
        scales: ['scales', small(columns / 16, rows)],
      },
    }),
  },
  {
    name: 'GPTQ in another order of columns',
    config: { quant_method: 'gptq', bits: 8, group_size: 16, desc_act: true, checkpoint_format: 'gptq_v2' },
    isFloat: true,
    make: (rows, columns) => {
      const index = Uint32Array.from({ length: columns }, (_, i) => (i * 7) % (columns / 16));
      return {
        form: { kind: 'gptq', bits: 8, groupSize: 16, zeroShift: 0 },
        pieces: {
          qweight: ['qweight', words(columns / 4, rows)],
          qzeros: ['qzeros', words(columns / 16, rows / 4)],
          scales: ['scales', small(columns / 16, rows)],
          g_idx: ['g_idx', { dtype: 'I32', shape: [columns], bytes: bytesOf(index) }],
        },
      };
    },
  },
  {
    name: 'AWQ',
    config: { quant_method: 'awq', bits: 4, group_size: 32, zero_point: true, version: 'gemm' },
    make: (rows, columns) => ({
      form: { kind: 'awq', groupSize: 32 },
      pieces: {
        qweight: ['qweight', words(columns, rows / 8)],
        qzeros: ['qzeros', words(Math.ceil(columns / 32), rows / 8)],
        scales: ['scales', small(Math.ceil(columns / 32), rows)],
      },
    }),
  },
  {
    name: 'bitsandbytes nf4',
    config: { quant_method: 'bitsandbytes', load_in_4bit: true, bnb_4bit_quant_type: 'nf4' },
    isFloat: true,
    make: (rows, columns) => ({
      form: { kind: 'bnb-4bit' },
      pieces: {
        weight: ['weight', octets('U8', 256, (rows * columns) / 2, 1)],
        absmax: ['weight.absmax', single(0.2, Math.ceil((rows * columns) / 64))],
        quant_map: ['weight.quant_map', single(1, 16)],
        quant_state: [
          'weight.quant_state.bitsandbytes__nf4',
          ((text) => ({ dtype: 'U8', shape: [text.length], bytes: text }) as const)(
            new TextEncoder().encode(JSON.stringify({ blocksize: 64, quant_type: 'nf4' })),
          ),
        ],
      },
    }),
  },
  {
    name: 'bitsandbytes int8',
    config: { quant_method: 'bitsandbytes', load_in_8bit: true },
    isFloat: true,
    make: (rows, columns) => ({
      form: { kind: 'bnb-int8' },
      pieces: { weight: ['weight', octets('I8', 256, rows, columns)], SCB: ['SCB', single(0.3, rows)] },
    }),
  },
  {
    name: 'FP8',
    config: { quant_method: 'fp8', weight_block_size: [16, 32], activation_scheme: 'dynamic' },
    isFloat: true,
    make: (rows, columns) => ({
      form: { kind: 'scaled', block: [16, 32] },
      pieces: {
        weight: ['weight', octets('F8_E4M3', 96, rows, columns)],
        scale: ['weight_scale_inv', single(0.01, Math.ceil(rows / 16), Math.ceil(columns / 32))],
      },
    }),
  },
  {
    name: 'compressed-tensors',
    config: {
      quant_method: 'compressed-tensors',
      format: 'pack-quantized',
      config_groups: { group_0: { weights: { num_bits: 4, group_size: 16, symmetric: true } } },
    },
    make: (rows, columns) => ({
      form: { kind: 'packed', bits: 4, groupSize: 16 },
      pieces: {
        weight: ['weight_packed', words(rows, columns / 8)],
        scale: ['weight_scale', small(rows, columns / 16)],
      },
    }),
  },
];

/** A folder in the form of a method, and one of the numbers that it stands for. */
async function twoFolders({
  config,
  make,
  name,
}: Method): Promise<{ readonly stored: string; readonly float: string; readonly count: number }> {
  const source = fixture('text-llama3');
  const [stored, float] = [join(root, `stored ${name}`), join(root, `float ${name}`)];
  for (const folder of [stored, float]) await cp(source, folder, { recursive: true });
  const published = JSON.parse(await readFile(join(source, 'config.json'), 'utf8')) as Json;
  const own = { ...published, head_dim: 16, hidden_size: 64, intermediate_size: 96 };
  await writeFile(join(stored, 'config.json'), JSON.stringify({ ...own, quantization_config: config }));
  await writeFile(join(float, 'config.json'), JSON.stringify(own));
  const [packed, plain]: [TensorToWrite[], TensorToWrite[]] = [[], []];
  let count = 0;
  const model = await modelOf(own);
  const values = initialWeights(model.module, 9);
  for (const [tensor, { shape }] of namedParameters(model.module)) {
    const [rows = 0, columns = 0] = shape;
    if (!tensor.endsWith('_proj.weight') || rows % 16 !== 0 || columns % 16 !== 0) {
      const data = fromFloat32(values.get(tensor)!, 'F32');
      for (const list of [packed, plain]) list.push({ name: tensor, dtype: 'F32', shape, data });
      continue;
    }
    count++;
    const { form, pieces } = make(rows, columns);
    const base = tensor.slice(0, -'weight'.length);
    for (const [end, { dtype: type, shape: own, bytes }] of Object.values(pieces))
      packed.push({ name: `${base}${end}`, dtype: type, shape: own, data: bytes });
    const byRole = Object.fromEntries(Object.entries(pieces).map(([role, [, piece]]) => [role, piece]));
    const meant = readPublished({ form, shape: [rows, columns], pieces: byRole });
    plain.push({ name: tensor, dtype: 'F32', shape, data: fromFloat32(meant, 'F32') });
  }
  await writeCheckpoint(stored, packed);
  await writeCheckpoint(float, plain);
  return { stored, float, count };
}

const ids = [5, 200, 17, 0, 31, 42, 42, 9];

async function outcome(open: Promise<LoadedModel>) {
  const model = await open;
  try {
    const input = { dtype: 'int64', shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) } as const;
    const { data } = await model.forward({ input_ids: input });
    return { data, notices: model.notices };
  } finally {
    await model.close();
  }
}

const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0) /
  b.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);

describe('a checkpoint in a published quantized form', () => {
  const options: LoadOptions = { worker: false, threads: 1 };

  it.each(methods)('computes with the numbers that it stands for: $name', async (method) => {
    const { stored, float, count } = await twoFolders(method);
    expect(count).toBeGreaterThan(3);
    const expected = await outcome(load(float, options));
    const exact = await outcome(loadStored(stored, options, { target: cpuTarget({ accuracyLevel: 0 }) }));
    expect(distance(exact.data, expected.data)).toBeLessThan(2e-5);
    expect(exact.notices.some(({ message }) => message.includes("A dtype of 'q8'"))).toBe(
      method.isFloat === true,
    );
    const rounded = await outcome(load(stored, { ...options, dtype: 'q8' }));
    expect(distance(rounded.data, expected.data)).toBeLessThan(0.1);
    expect(rounded.notices.some(({ message }) => message.includes("A dtype of 'q8'"))).toBe(false);
  });
});
