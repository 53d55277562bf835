import { trace } from '@weft/graph';
import { interpret } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import {
  frequenciesAt,
  frequencyRule,
  longestText,
  ropeFrequencies,
  type RopeScaling,
} from './rope-scaling.js';
import type { RopeConfig } from './rotary.js';

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
const longrope: RopeScaling = {
  type: 'longrope',
  shortFactor: [1, 2],
  longFactor: [4, 8],
  attentionFactor: 1.5,
  originalMaxPositionEmbeddings: 16,
};
const dynamic: RopeScaling = { type: 'dynamic', factor: 3, maxPositionEmbeddings: 16 };
const yarn: RopeScaling = {
  type: 'yarn',
  factor: 4,
  originalMaxPositionEmbeddings: 64,
  attentionFactor: 1.25,
  betaFast: 8,
  betaSlow: 1,
  truncate: true,
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

  it('of YaRN stay where waves are short, and are divided by the factor where they are long', () => {
    const config = { ropeTheta: 10000, rotaryDim: 32 };
    const ratio = ropeFrequencies({ ...config, ropeScaling: yarn }).map(
      (frequency, i) => ropeFrequencies(config)[i]! / frequency,
    );
    expect(ratio[0]).toBe(1);
    expect(ratio.at(-1)).toBeCloseTo(4, 5);
    expect(ratio.every((value, i) => value >= (ratio[i - 1] ?? 1) - 1e-6)).toBe(true);
    const atOnce = ropeFrequencies({ ...config, ropeScaling: { ...yarn, truncate: false } });
    expect([...atOnce]).not.toEqual([...ropeFrequencies({ ...config, ropeScaling: yarn })]);
  });

  it('of proportional positions stay still beyond the pairs that turn', () => {
    const config = { ropeTheta: 100, rotaryDim: 8 };
    const scaled = ropeFrequencies({
      ...config,
      ropeScaling: { type: 'proportional', factor: 2, turningPairs: 2 },
    });
    expect([...scaled]).toEqual([...ropeFrequencies(config)].map((one, j) => (j < 2 ? one / 2 : 0)));
  });

  it('of an odd number of channels are spread over that number, one pair more than whole ones', () => {
    expect([...ropeFrequencies({ ropeTheta: 1000, rotaryDim: 3 })]).toEqual([
      1,
      Math.fround(1 / Math.fround(1000 ** Math.fround(2 / 3))),
    ]);
  });
});

describe('heads', () => {
  it.each([65_538, 1e9, 2 ** 31])(
    'of %d channels that turn are refused before a list is made of them',
    (rotaryDim) => {
      expect(() => ropeFrequencies({ ...plain, rotaryDim })).toThrow(`${rotaryDim} channels`);
    },
  );
});

describe('frequencies that depend on the length of a text', () => {
  const at = (ropeScaling: RopeScaling, lengths: readonly number[]): number[][] => {
    const graph = trace({}, { lengths: { dtype: 'int64', shape: ['batch'] } }, (inputs) => ({
      frequencies: frequenciesAt({ ...plain, ropeScaling }, inputs.lengths),
    }));
    const { frequencies } = interpret(graph, { lengths: { shape: [lengths.length], data: lengths } });
    expect(frequencies!.shape).toEqual([lengths.length, 1, 2]);
    return lengths.map((_, row) => Array.from(frequencies!.data.subarray(2 * row, 2 * row + 2)));
  };

  it('are chosen for each row by its own length', () => {
    const [short, border, long] = at(longrope, [3, 16, 17]);
    expect(border).toEqual(short);
    expect(short![0]).toBeCloseTo(1, 6);
    expect(long![0]).toBeCloseTo(1 / 4, 6);
    expect(long![1]! / short![1]!).toBeCloseTo(2 / 8, 6);
  });

  it('grow slower the longer the text is, from the trained length on', () => {
    const [short, border, longer, longest] = at(dynamic, [1, 16, 17, 64]);
    expect(short).toEqual([...ropeFrequencies(plain)]);
    expect(border).toEqual(short);
    expect(longer![0]).toBe(1);
    // base * (factor * length / trained - (factor - 1)) ** (R / (R - 2))
    expect(longer![1]).toBeCloseTo(1 / Math.sqrt(10000 * ((3 * 17) / 16 - 2) ** 2), 8);
    expect(longest![1]).toBeCloseTo(1 / Math.sqrt(10000 * ((3 * 64) / 16 - 2) ** 2), 8);
  });

  it('have a name, the same for keys that fit together', () => {
    const names = (ropeScaling: RopeScaling) =>
      [1, 16, 17, 18].map((length) => frequencyRule({ ropeScaling })?.nameFor(length));
    expect(names(longrope)).toEqual(['', '', 'long', 'long']);
    expect(names(dynamic)).toEqual(['', '', '17', '18']);
    expect(frequencyRule({ ropeScaling: yarn })).toBeUndefined();
    expect(frequencyRule({ ropeScaling: longrope })?.readsAnewBeyond).toBeUndefined();
    expect(frequencyRule({ ropeScaling: { ...longrope, readsAnew: true } })?.readsAnewBeyond).toBe(16);
  });
});

describe('the longest text', () => {
  it('is as long as the stretching makes it, and as the file says at least', () => {
    expect(longestText({ ropeScaling: { type: 'linear', factor: 2.5 } }, 100)).toBe(250);
    expect(longestText({ ropeScaling: dynamic }, 16)).toBe(48);
    expect(longestText({ ropeScaling: yarn }, 64)).toBe(256);
    expect(longestText({ ropeScaling: yarn }, 1000)).toBe(1000);
    expect(longestText({ ropeScaling: longrope }, 64)).toBe(64);
    expect(longestText({}, 64)).toBe(64);
  });
});
