import { ConfigError } from '@weft/errors';
import { trace } from '@weft/graph';
import { interpret, type Tensor } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import type { RopeScaling } from './rope-scaling.js';
import { rotary, type RopeConfig } from './rotary.js';

const longrope: RopeScaling = {
  type: 'longrope',
  shortFactor: [1, 2, 3],
  longFactor: [4, 8, 16],
  attentionFactor: 1.5,
  originalMaxPositionEmbeddings: 10,
};
const config: RopeConfig = { ropeTheta: 50, rotaryDim: 6, ropeScaling: longrope };

/** Cosines and sines at positions `[A, B, L]` or `[B, L]`. */
function anglesAt(
  given: RopeConfig,
  shape: readonly number[],
  positions: readonly number[],
  lengths?: readonly number[],
): { readonly cos: Tensor; readonly sin: Tensor } {
  const graph = trace(
    {},
    {
      positions: { dtype: 'int64', shape },
      ...(lengths ? { lengths: { dtype: 'int64', shape: [lengths.length] } as const } : {}),
    },
    (inputs) => ({ ...rotary(inputs.positions, given, inputs.lengths) }),
  );
  return interpret(graph, {
    positions: { shape, data: positions },
    ...(lengths ? { lengths: { shape: [lengths.length], data: lengths } } : {}),
  }) as ReturnType<typeof anglesAt>;
}

describe('rotary', () => {
  it('gives half as many angles as channels turn', () => {
    const graph = trace(
      {},
      { position_ids: { dtype: 'int64', shape: ['batch', 'sequence'] } },
      ({ position_ids }) => ({ ...rotary(position_ids, { ropeTheta: 500000, rotaryDim: 128 }) }),
    );
    expect(graph.outputs['cos']).toMatchObject({ dtype: 'float32', shape: ['batch', 'sequence', 64] });
    expect(graph.outputs['sin']?.shape).toEqual(['batch', 'sequence', 64]);
  });

  it('multiplies cosines and sines by the factor of the stretching', () => {
    const { cos, sin } = anglesAt(config, [1, 2], [0, 3]);
    expect([...cos.data.slice(0, 3)]).toEqual([1.5, 1.5, 1.5]);
    for (let j = 0; j < 3; j++) expect(Math.hypot(cos.data[3 + j]!, sin.data[3 + j]!)).toBeCloseTo(1.5, 6);
  });

  it('takes the length of each row from its largest position, or as it is given', () => {
    const both = anglesAt(config, [2, 2], [8, 9, 9, 10]);
    const [short] = [anglesAt(config, [1, 2], [8, 9])];
    const [long] = [anglesAt(config, [1, 2], [9, 10])];
    expect([...both.cos.data]).toEqual([...short.cos.data, ...long.cos.data]);
    const piece = anglesAt(config, [1, 2], [8, 9], [11]);
    expect([...piece.cos.data]).not.toEqual([...short.cos.data]);
    expect([...piece.cos.data.slice(3)]).toEqual([...long.cos.data.slice(0, 3)]);
  });

  it('of three axes goes by the largest position of any of them', () => {
    const axes: RopeConfig = { ...config, mropeSection: [1, 1, 1] };
    const [low, high] = [anglesAt(axes, [3, 1, 1], [2, 9, 3]), anglesAt(axes, [3, 1, 1], [2, 10, 3])];
    // The third axis has the same position in both, and another frequency.
    expect(low.cos.data[2]).not.toBe(high.cos.data[2]);
    expect(high.cos.data[2]).toBeCloseTo(1.5 * Math.cos(3 / (16 * 50 ** (4 / 6))), 6);
    expect(low.cos.data[0]).toBeCloseTo(1.5 * Math.cos(2), 6);
  });

  it('of several axes wants sections', () => {
    expect(() => anglesAt(config, [3, 1, 1], [1, 2, 3])).toThrow(ConfigError);
  });
});
