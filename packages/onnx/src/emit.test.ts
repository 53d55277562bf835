import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, UnsupportedError } from '@weft/errors';
import * as g from '@weft/graph';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emitModel } from './emit.js';
import { inference } from './inference.js';
import type { ExternalTensor, StorageType } from './model-proto.js';
import { targets, type TargetName } from './targets/index.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });

const open = (bytes: Uint8Array, folder?: string) =>
  InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: {
      session: {
        intra_op: { allow_spinning: '0' },
        ...(folder ? { model_external_initializers_file_folder_path: folder } : {}),
      },
    },
  });

describe('weights inside a .safetensors', () => {
  const values = [0, 1, -2, 0.5, 1024, -0.25];
  const encoded: Record<'F32' | 'F16' | 'BF16', Uint8Array> = {
    F32: new Uint8Array(Float32Array.from(values).buffer),
    // 0, 1, -2, 0.5, 1024 and -0.25 as half precision numbers.
    F16: new Uint8Array(Uint16Array.of(0, 0x3c00, 0xc000, 0x3800, 0x6400, 0xb400).buffer),
    BF16: new Uint8Array(
      Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >> 16).buffer,
    ),
  };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weft-emit-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** A file whose tensor `w` starts at an odd offset, after one byte of another tensor. */
  const write = async (name: string, dtype: keyof typeof encoded): Promise<number> => {
    const data = encoded[dtype];
    const header = JSON.stringify({
      pad: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
      w: { dtype, shape: [3, 2], data_offsets: [1, 1 + data.length] },
    });
    const text = new TextEncoder().encode(header.padEnd(Math.ceil(header.length / 8) * 8));
    const file = new Uint8Array(8 + text.length + 1 + data.length);
    new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
    file.set(text, 8);
    file.set(data, 8 + text.length + 1);
    await writeFile(join(folder, name), file);
    return 8 + text.length + 1;
  };

  const part = g.module('Linear', { w: new g.Parameter([3, 2]) }, (m, x: g.Value) => g.linear(x, m.w));
  const graph = g.trace({ model: { layers: [part] } }, { x: f32('n', 2) }, ({ x }) => ({ y: part(x) }));

  it.each([
    ['F32', 'float32'],
    ['F16', 'float16'],
    ['BF16', 'bfloat16'],
  ] as const)('are read in place at an odd offset (%s)', async (dtype, storage) => {
    const location = `${dtype}.safetensors`;
    const offset = await write(location, dtype);
    expect(offset % 2).toBe(1);
    const asked: string[] = [];
    const weights = (path: string): ExternalTensor => {
      asked.push(path);
      return {
        location,
        offset,
        length: encoded[dtype].length,
        dtype: storage satisfies StorageType,
        shape: [3, 2],
      };
    };
    for (const target of Object.values(targets)) {
      const session = await open(emitModel(graph, { weights, target }).bytes, folder);
      const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 0, 0, 1), [2, 2]) });
      expect([...(y!.data as Float32Array)]).toEqual([0, -2, 1024, 1, 0.5, -0.25]);
      await session.release();
    }
    expect(asked).toEqual(Object.keys(targets).map(() => 'model.layers.0.w'));
  });

  it('must have as many elements as their parameter', () => {
    const weights = (): ExternalTensor => ({
      location: 'x',
      offset: 0,
      length: 4,
      dtype: 'float32',
      shape: [3, 3],
    });
    expect(() => emitModel(graph, { weights })).toThrow(ConfigError);
    expect(() => emitModel(graph, { weights })).toThrow(
      /The weight has the shape \[3, 3\], the parameter \[3, 2\][^]*at model\.layers\.0\.w/,
    );
  });
});

describe('emitModel', () => {
  it('states names, types and symbolic shapes, which ONNX Runtime reads', async () => {
    const x = g.input('x', f32('batch', 3));
    const ids = g.input('ids', { dtype: 'int64', shape: ['batch'] });
    const model = emitModel(g.makeGraph({ sum: g.add(x, 1), small: g.less(ids, 2) }), {
      weights: 'input',
      metadata: { made: 'here' },
    });
    const session = await open(model.bytes);
    expect(session.inputNames).toEqual(['x', 'ids']);
    expect(session.outputNames).toEqual(['sum', 'small']);
    expect(session.inputMetadata[0]).toMatchObject({ name: 'x', type: 'float32', shape: ['batch', 3] });
    expect(session.outputMetadata[1]).toMatchObject({ name: 'small', type: 'bool', shape: ['batch'] });
    await session.release();
  });

  it('feeds weights as inputs after the others when they are trained', () => {
    const part = g.module('Scale', { weight: new g.Parameter([3]) }, (m, x: g.Value) => g.mul(x, m.weight));
    const graph = g.trace({ part }, { x: f32('n', 3) }, ({ x }) => ({ y: part(x) }));
    expect(emitModel(graph, { weights: 'input' }).inputs.map(({ name }) => name)).toEqual([
      'x',
      'part.weight',
    ]);
  });

  it('fuses what the processor has operators for, and nothing in the reference', () => {
    const [x, w] = [g.input('x', f32('n', 4)), g.input('w', f32(5, 4))];
    const graph = g.makeGraph({ y: g.silu(g.linear(x, w)) });
    const text = (name: TargetName) =>
      new TextDecoder('latin1').decode(emitModel(graph, { weights: 'input', target: targets[name] }).bytes);
    expect(text('cpu')).toContain('QuickGelu');
    expect(text('reference')).not.toContain('QuickGelu');
    expect(text('reference')).toContain('Sigmoid');
  });

  it('refuses a size that no input can tell', () => {
    const x = g.input('x', f32('n', 4));
    expect(() =>
      emitModel(g.makeGraph({ y: g.add(x, g.cast(g.dimSize('tiles'), 'float32')) }), { weights: 'input' }),
    ).toThrow(UnsupportedError);
  });

  it('finds a size in a multiple of it', async () => {
    const x = g.input('x', f32(g.multiplyDims(4, 'tiles')));
    const session = await open(
      emitModel(g.makeGraph({ y: g.add(g.dimSize('tiles'), 0), x2: g.add(x, x) }), { weights: 'input' })
        .bytes,
    );
    const { y } = await session.run({ x: new Tensor('float32', new Float32Array(12), [12]) });
    expect(Number((y!.data as BigInt64Array)[0])).toBe(3);
    await session.release();
  });
});

describe('inference', () => {
  const [q, kv] = [
    g.input('q', f32('batch', 'sequence', 4, 6)),
    g.input('kv', f32('batch', 'sequence', 2, 6)),
  ];

  it('gives every attention whose keys stay a place in the cache, in graph order', () => {
    const once = g.attend(q, kv, kv, { mask: 'causal', cache: 'append' });
    const graph = g.makeGraph({ y: g.attend(once, kv, kv, { mask: 'causal', cache: 'append', window: 3 }) });
    const { graph: cached, cache } = inference(graph);
    expect(cache.map(({ past, present, heads, size }) => [past, present, heads, size])).toEqual(
      [0, 1].flatMap((i) =>
        ['key', 'value'].map((name) => [`past_key_values.${i}.${name}`, `present.${i}.${name}`, 2, 6]),
      ),
    );
    expect([...cached.inputs.keys()]).toEqual(
      expect.arrayContaining(['attention_mask', 'past_key_values.1.value']),
    );
    expect(cached.outputs['present.0.key']!.shape).toEqual(['sequence', 'batch', 2, 6]);
    expect(cached.inputs.get('attention_mask')!.shape).toEqual(['batch', g.addDims('past', 'sequence')]);
  });

  it('leaves attention without such a promise as it is', () => {
    const graph = g.makeGraph({ y: g.attend(q, kv, kv) });
    const { graph: same, cache } = inference(graph);
    expect(cache).toEqual([]);
    expect(same.nodes).toEqual(graph.nodes);
  });
});
