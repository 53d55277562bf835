import { readFileSync } from 'node:fs';
import { SessionError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { argmax, keepTopK, keepTopP } from './logits-warpers.js';
import { seededRandom, type Random } from './random.js';
import { chooseToken, processorsOf, type SamplingSettings } from './sampling.js';

interface Sample {
  readonly settings: Partial<SamplingSettings>;
  readonly ids: number[];
  readonly logits: number[];
  readonly expected: (number | null)[];
}
const { samples } = JSON.parse(
  readFileSync(new URL('./__fixtures__/logits.json', import.meta.url), 'utf8'),
) as {
  samples: Sample[];
};
const sampling: SamplingSettings = {
  doSample: true,
  logitsProcessors: [],
  numBeams: 1,
  endTokenIds: new Set(),
};

/** Applies all that the settings say, then chooses. */
function choose(
  logits: Float32Array,
  ids: readonly number[],
  settings: SamplingSettings,
  random: Random,
): number {
  for (const processor of processorsOf(settings, { promptIds: ids, most: 9 })) processor(logits, ids);
  return chooseToken(logits, settings.doSample, random);
}

describe('processors and warpers', () => {
  it.each(samples.map((sample, i) => [i, JSON.stringify(sample.settings), sample] as const))(
    'give the logits of transformers, sample %i: %s',
    (_, __, { settings, ids, logits, expected }) => {
      const actual = Float32Array.from(logits);
      const bounds = { promptIds: ids, most: 9 };
      for (const processor of processorsOf({ ...sampling, ...settings }, bounds)) processor(actual, ids);
      for (const [i, value] of expected.entries()) {
        if (value === null) expect(actual[i], `token ${i}`).toBe(-Infinity);
        else expect(actual[i], `token ${i}`).toBeCloseTo(value, 5);
      }
    },
  );

  it('keep logits that are equal to the last of the top k', () => {
    const logits = Float32Array.of(1, 3, 2, 2, 0);
    keepTopK(logits, 2);
    expect([...logits]).toEqual([-Infinity, 3, 2, 2, -Infinity]);
  });

  it('never leave top-p without a token', () => {
    const logits = Float32Array.of(0, 0, 0, 0);
    keepTopP(logits, 1e-9);
    expect(logits.filter((logit) => logit > -Infinity).length).toBe(1);
  });

  it('run a caller’s processor after the penalties and before the temperature', () => {
    const seen: number[] = [];
    const logitsProcessors = [(logits: Float32Array) => void seen.push(logits[0]!)];
    choose(
      Float32Array.of(4, 1),
      [0],
      { ...sampling, temperature: 8, repetitionPenalty: 2, logitsProcessors },
      seededRandom(1),
    );
    expect(seen).toEqual([2]);
  });
});

describe('chooseToken', () => {
  it('takes the first of equal largest logits when greedy', () => {
    expect(argmax(Float32Array.of(1, 5, 5, 2))).toBe(1);
    expect(choose(Float32Array.of(1, 5, 5, 2), [], { ...sampling, doSample: false }, seededRandom(1))).toBe(
      1,
    );
  });

  it('draws tokens as often as their probabilities say', () => {
    const random = seededRandom(7);
    const probabilities = [0.5, 0.3, 0.15, 0.05];
    const counts = [0, 0, 0, 0];
    const draws = 20_000;
    for (let i = 0; i < draws; i++)
      counts[choose(Float32Array.from(probabilities, Math.log), [], sampling, random)]!++;
    // Four standard deviations of the largest count.
    for (const [i, count] of counts.entries())
      expect(Math.abs(count / draws - probabilities[i]!)).toBeLessThan(0.0142);
  });

  it('draws the same tokens for the same seed and others for another', () => {
    const run = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 40 }, () => choose(new Float32Array(50), [], sampling, random));
    };
    expect(run(5)).toEqual(run(5));
    expect(run(5)).not.toEqual(run(6));
    expect(run(5)).not.toEqual(run(5 + 2 ** 32));
  });

  it('refuses logits that leave no token', () => {
    expect(() => choose(Float32Array.of(NaN, NaN), [], sampling, seededRandom(1))).toThrow(SessionError);
    expect(() =>
      choose(
        Float32Array.of(1, 2),
        [],
        { ...sampling, logitsProcessors: [(l) => l.fill(-Infinity)] },
        seededRandom(1),
      ),
    ).toThrow(/No token can follow/);
  });
});

describe('seededRandom', () => {
  it('is uniform in mean and variance', () => {
    const random = seededRandom(3);
    const statistics = (draw: () => number) => {
      const values = Array.from({ length: 20_000 }, draw);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
    };
    const uniform = statistics(random.uniform);
    expect(Math.abs(uniform.mean - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(uniform.variance - 1 / 12)).toBeLessThan(0.004);
  });
});
