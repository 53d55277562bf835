import { ConfigError } from '@weft/errors';
import { trace } from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { readRope, rotary, ropeFrequencies, type RopeConfig } from './rotary.js';

const plain: RopeConfig = { ropeTheta: 10000, rotaryDim: 4 };
const llama3: RopeConfig = {
  ropeTheta: 500000,
  rotaryDim: 128,
  ropeScaling: {
    type: 'llama3',
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositionEmbeddings: 8192,
  },
};

describe('ropeFrequencies', () => {
  it('fall from one radian for each token by powers of theta', () => {
    expect([...ropeFrequencies(plain)]).toEqual([1, Math.fround(0.01)]);
  });

  it('are divided by the factor of linear scaling', () => {
    expect([...ropeFrequencies({ ...plain, ropeScaling: { type: 'linear', factor: 4 } })]).toEqual([
      0.25,
      Math.fround(0.0025),
    ]);
  });

  it('of Llama 3 stay where waves are short, and are divided by the factor where they are long', () => {
    const unscaled = ropeFrequencies({ ropeTheta: 500000, rotaryDim: 128 });
    const ratio = ropeFrequencies(llama3).map((frequency, i) => unscaled[i]! / frequency);
    expect(ratio[0]).toBe(1);
    expect(ratio.at(-1)).toBeCloseTo(8, 5);
    expect(ratio.every((value, i) => value >= (ratio[i - 1] ?? 1) - 1e-6)).toBe(true);
    expect(ratio.filter((value) => value > 1.01 && value < 7.99).length).toBeGreaterThan(0);
  });
});

describe('rotary', () => {
  it('gives half as many angles as channels turn', () => {
    const graph = trace(
      {},
      { position_ids: { dtype: 'int64', shape: ['batch', 'sequence'] } },
      ({ position_ids }) => ({ ...rotary(position_ids, llama3) }),
    );
    expect(graph.outputs['cos']).toMatchObject({ dtype: 'float32', shape: ['batch', 'sequence', 64] });
    expect(graph.outputs['sin']?.shape).toEqual(['batch', 'sequence', 64]);
  });
});

describe('readRope', () => {
  const scaling = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };

  it('reads the published spelling and that of transformers 5 alike', () => {
    const published = readRope(
      { rope_theta: 500000, rope_scaling: { rope_type: 'llama3', ...scaling } },
      128,
    );
    expect(published).toMatchObject(llama3);
    expect(
      readRope({ rope_parameters: { rope_type: 'llama3', rope_theta: 500000, ...scaling } }, 128),
    ).toEqual(published);
    expect(readRope({ rope_scaling: { type: 'linear', factor: 2 } }, 64)).toMatchObject({
      ropeTheta: 10000,
      rotaryDim: 64,
      ropeScaling: { type: 'linear', factor: 2 },
    });
  });

  it('turns a part of the channels where the config says so', () => {
    expect(readRope({ partial_rotary_factor: 0.5 }, 80).rotaryDim).toBe(40);
  });

  it('refuses scaling that it does not know, and fields that are no numbers', () => {
    expect(() => readRope({ rope_scaling: { type: 'yarn', factor: 4 } }, 128)).toThrow(
      /'yarn' is not known\.\n {2}Known: default, linear, llama3/,
    );
    expect(() => readRope({ rope_theta: '10000' }, 128)).toThrow(ConfigError);
  });
});
