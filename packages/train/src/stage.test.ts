import { describe, expect, it } from 'vitest';
import { globToRegExp, planStage, scheduleFactor, type Stage } from './stage.js';

const stage: Stage = {
  name: 'align',
  trainable: ['connector'],
  steps: 110,
  batchSize: 4,
  learningRate: 1e-3,
};
const parameters = [
  { path: 'vision_tower.layers.0.fc1.weight', shape: [8, 4], part: 'encoder' },
  { path: 'multi_modal_projector.linear_1.weight', shape: [4, 4], part: 'connector' },
  { path: 'multi_modal_projector.linear_1.bias', shape: [4], part: 'connector' },
  { path: 'language_model.layers.0.self_attn.q_proj.weight', shape: [4, 4], part: 'backbone' },
];
const paths = (changes: Partial<Stage>) => planStage({ ...stage, ...changes }, parameters).map((p) => p.path);

describe('a stage', () => {
  it('trains a whole part by its name', () => {
    expect(paths({})).toEqual([
      'multi_modal_projector.linear_1.weight',
      'multi_modal_projector.linear_1.bias',
    ]);
  });

  it('trains by globs: one star stays in a segment, two cross segments', () => {
    expect(paths({ trainable: ['**.self_attn.**'] })).toEqual([
      'language_model.layers.0.self_attn.q_proj.weight',
    ]);
    expect(globToRegExp('a.*.b').test('a.x.b')).toBe(true);
    expect(globToRegExp('a.*.b').test('a.x.y.b')).toBe(false);
    expect(globToRegExp('a.**.b').test('a.x.y.b')).toBe(true);
    expect(globToRegExp('a.**').test('a.x.y')).toBe(true);
    expect(globToRegExp('**.b').test('b')).toBe(true);
    expect(globToRegExp('a.b').test('axb')).toBe(false);
  });

  it('takes frozen patterns out again, and a rate of 0 freezes', () => {
    expect(paths({ frozen: ['**.bias'] })).toEqual(['multi_modal_projector.linear_1.weight']);
    expect(
      paths({ trainable: ['connector', 'backbone'], rates: [{ match: 'backbone', learningRate: 0 }] }),
    ).toHaveLength(2);
  });

  it('gives rates by group and decays matrices only', () => {
    const planned = planStage(
      {
        ...stage,
        trainable: ['connector', 'backbone'],
        weightDecay: 0.1,
        rates: [{ match: 'backbone', learningRate: 1e-5 }],
      },
      parameters,
    );
    expect(planned.map((p) => [p.group, p.learningRate, p.weightDecay])).toEqual([
      ['connector', 1e-3, 0.1],
      ['connector', 1e-3, 0],
      ['backbone', 1e-5, 0.1],
    ]);
  });

  it('lets matrices learn by Muon, never vectors', () => {
    const planned = planStage(
      { ...stage, trainable: ['connector', 'backbone'], muon: ['connector'] },
      parameters,
    );
    expect(planned.map((p) => p.rule)).toEqual(['muon', 'adamw', 'adamw']);
    expect(() => paths({ muon: ['**.mlp.**'] })).toThrow(/'\*\*\.mlp\.\*\*' matches no parameter/);
  });

  it('names a pattern that matches nothing, and a stage in which nothing learns', () => {
    expect(() => paths({ trainable: ['conector'] })).toThrow(
      /'conector' matches no parameter[\s\S]*stage 'align'[\s\S]*connector/,
    );
    expect(() => paths({ frozen: ['connector'] })).toThrow(/Nothing would learn/);
  });

  it.each(['trainable', 'frozen', 'muon'])(
    'refuses a pattern in %s that is longer than any path',
    (field) => {
      const stage: Stage = {
        name: 's',
        trainable: ['**'],
        steps: 1,
        batchSize: 1,
        learningRate: 1,
        [field]: ['y'.repeat(100_000)],
      };
      expect(() => planStage(stage, [{ path: 'a.b', shape: [1], part: 'connector' }])).toThrow(
        /100000 characters, expected at most 1000: 'y{40}…'/,
      );
    },
  );
});

describe('the schedule', () => {
  it('warms up linearly and follows half a cosine', () => {
    const warm: Stage = { ...stage, warmupSteps: 10 };
    expect(scheduleFactor(warm, 1)).toBeCloseTo(0.1, 12);
    expect(scheduleFactor(warm, 10)).toBeCloseTo(1, 12);
    expect(scheduleFactor(warm, 60)).toBeCloseTo(0.5, 12);
    expect(scheduleFactor(warm, 110)).toBeCloseTo(0, 12);
  });

  it('ends at the floor: the values of OLMo', () => {
    const floor: Stage = { ...stage, warmupSteps: 10, floorRatio: 0.1 };
    expect([1, 9, 10, 60, 110, 200].map((step) => Number(scheduleFactor(floor, step).toFixed(6)))).toEqual([
      0.1, 0.9, 1, 0.55, 0.1, 0.1,
    ]);
  });

  it('stays constant after the warm-up if asked', () => {
    expect(scheduleFactor({ ...stage, schedule: 'constant', warmupSteps: 4 }, 100)).toBe(1);
  });
});
