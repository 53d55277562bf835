import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@weft/errors';
import * as g from '@weft/graph';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { emitModel } from './emit.js';
import type { ExternalTensor } from './model-proto.js';
import { checkBlocks, dequantize, sliceRows, type BlockData, type Blocks } from './stored-weight.js';
import { cpuTarget } from './targets/cpu.js';
import { targets } from './targets/index.js';

/** Three rows of 6 numbers, in blocks of 4 with 4 bits: two blocks each, the second half filled. */
const tiny: BlockData = {
  bits: 4,
  blockSize: 4,
  shape: [3, 6],
  data: Uint8Array.of(0x98, 0xba, 0x10, 0x00, 0x07, 0xf0, 0x99, 0x00, 0x21, 0x43, 0x65, 0x00),
  scales: Float32Array.of(1, 2, 0.5, 0.25, 1, 1),
};

describe('a weight in blocks', () => {
  const place = { location: 'w', offset: 0, length: 256, dtype: 'uint8', shape: [8, 32] } as const;
  const weight = (shape: readonly [number, number]): Blocks => ({
    bits: 8,
    blockSize: 32,
    shape,
    data: place,
    scales: { ...place, dtype: 'float32', length: 32, shape: [8, 1] },
  });

  it('has the rows of its parameter, not only as many numbers', () => {
    expect(() => checkBlocks('head.weight', weight([8, 32]), [8, 32])).not.toThrow();
    const transposed = () => checkBlocks('head.weight', weight([8, 32]), [32, 8]);
    expect(transposed).toThrow(ConfigError);
    expect(transposed).toThrow(/has the shape \[8, 32\], the parameter \[32, 8\]/);
  });
});

describe('the numbers of blocks', () => {
  it('are differences from the middle times the scale, the first of a byte in its low bits', () => {
    expect([...dequantize(tiny)]).toEqual([
      ...[0, 1, 2, 3, -16, -14],
      ...[-0.5, -4, -4, 3.5, 0.25, 0.25],
      ...[-7, -6, -5, -4, -3, -2],
    ]);
  });

  it('are differences from the zero point of their block where there is one', () => {
    const zeroPoints = Uint8Array.of(0x08, 0xf7, 0x21);
    expect([...dequantize({ ...tiny, zeroPoints })]).toEqual([
      ...[0, 1, 2, 3, 0, 2],
      ...[0, -3.5, -3.5, 4, -1.5, -1.5],
      ...[0, 1, 2, 3, 3, 4],
    ]);
  });

  it('of 8 bits have 128 in the middle', () => {
    const data = Uint8Array.of(128, 0, 255, 129);
    expect([
      ...dequantize({ bits: 8, blockSize: 2, shape: [1, 4], data, scales: Float32Array.of(1, 0.5) }),
    ]).toEqual([0, -128, 63.5, 0.5]);
  });
});

const external = (length: number, dtype: ExternalTensor['dtype'] = 'uint8'): ExternalTensor => ({
  location: 'w',
  offset: 100,
  length,
  dtype,
  shape: [3, length / 3],
});
const blocks: Blocks = {
  bits: 4,
  blockSize: 4,
  shape: [3, 6],
  data: external(12),
  scales: external(24, 'float32'),
  zeroPoints: external(3),
};

describe('a weight in blocks', () => {
  it('is cut into rows without copying', () => {
    const { shape, data, scales, zeroPoints } = sliceRows(blocks, 1, 3);
    expect(shape).toEqual([2, 6]);
    expect([data, scales, zeroPoints].map((part) => [part!.offset, part!.length])).toEqual([
      [104, 8],
      [108, 16],
      [101, 2],
    ]);
  });

  const layer = g.module('Layer', { w: new g.Parameter([3, 6]) }, (m, x: g.Value) => g.linear(x, m.w));
  const graph = g.trace({ layer }, { x: { dtype: 'float32', shape: ['n', 6] } }, ({ x }) => ({
    y: layer(x),
  }));

  it.each([
    ['another shape', { shape: [3, 7] }, /The weight has the shape \[3, 7\], the parameter \[3, 6\]/],
    ['other bits', { bits: 2 }, /Blocks of 4 numbers of 2 bits cannot be read/],
    ['blocks that are no whole bytes', { blockSize: 3 }, /Blocks of 3 numbers of 4 bits/],
    ['too few numbers', { data: external(9) }, /The numbers have 9 bytes, expected 12 for \[3, 6\]/],
    ['too many scales', { scales: external(48, 'float32') }, /The scales have 48 bytes, expected 24/],
    ['too many zero points', { zeroPoints: external(6) }, /The zero points have 6 bytes, expected 3/],
    [
      'numbers of another type',
      { data: external(12, 'int8') },
      /uint8, scales float32 or float16, but got int8/,
    ],
    ['scales of another type', { scales: external(12, 'bfloat16') }, /but got uint8, uint8 and bfloat16/],
  ])('of %s is refused', (_name, wrong, message) => {
    const emit = () => emitModel(graph, { weights: () => ({ ...blocks, ...wrong }) as Blocks });
    expect(emit).toThrow(ConfigError);
    expect(emit).toThrow(message);
    expect(emit).toThrow(/at layer\.w/);
  });

  it('may have scales of float16', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'weft-half-'));
    try {
      // Sixteen numbers, 128 + i, times 0.5; then the scale as half precision.
      const bytes = Uint8Array.of(...Array.from({ length: 16 }, (_, i) => 128 + i), 0x00, 0x38);
      await writeFile(join(folder, 'w'), bytes);
      const place = { location: 'w', offset: 0, length: 16, dtype: 'uint8', shape: [1, 16] } as const;
      const weight: Blocks = {
        bits: 8,
        blockSize: 16,
        shape: [1, 16],
        data: place,
        scales: { ...place, offset: 16, length: 2, dtype: 'float16', shape: [1, 1] },
      };
      const one = g.module('One', { w: new g.Parameter([1, 16]) }, (m, x: g.Value) => g.linear(x, m.w));
      const whole = g.trace(one, { x: { dtype: 'float32', shape: ['n', 16] } }, ({ x }) => ({ y: one(x) }));
      for (const target of [cpuTarget({ accuracyLevel: 0 }), targets.reference]) {
        const session = await InferenceSession.create(
          emitModel(whole, { target, weights: () => weight }).bytes,
          {
            logSeverityLevel: 3,
            extra: { 'session.model_external_initializers_file_folder_path': folder },
          },
        );
        const { y } = await session.run({ x: new Tensor('float32', new Float32Array(16).fill(1), [1, 16]) });
        expect([...(y!.data as Float32Array)]).toEqual([60]);
        await session.release();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
