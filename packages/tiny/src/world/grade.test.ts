import { describe, expect, it } from 'vitest';
import { grade, intersectionOverUnion, parseBox } from './grade.js';

describe('parseBox', () => {
  it('reads hundredths', () => {
    expect(parseBox('<box>12 30 40 100</box>')).toEqual({ x1: 0.12, y1: 0.3, x2: 0.4, y2: 1 });
    expect(parseBox(' <box>0 0 1 1</box>\n')).toEqual({ x1: 0, y1: 0, x2: 0.01, y2: 0.01 });
  });

  it('refuses what is not a box', () => {
    for (const text of [
      '',
      'red',
      '<box>1 2 3</box>',
      '<box>1 2 3 4',
      '<box>9 2 3 4</box>',
      '<box>1 2 3 101</box>',
      '<box>1 2 1 4</box>',
      'at <box>1 2 3 4</box>',
    ])
      expect(parseBox(text)).toBeUndefined();
  });
});

describe('intersectionOverUnion', () => {
  const box = { x1: 0, y1: 0, x2: 0.4, y2: 0.4 };

  it('is 1 for the same box, 0 for boxes apart, and the shared part between', () => {
    expect(intersectionOverUnion(box, box)).toBeCloseTo(1, 12);
    expect(intersectionOverUnion(box, { x1: 0.5, y1: 0, x2: 0.9, y2: 0.4 })).toBe(0);
    expect(intersectionOverUnion(box, { x1: 0.2, y1: 0, x2: 0.6, y2: 0.4 })).toBeCloseTo(1 / 3, 12);
  });
});

describe('grade', () => {
  it('takes the exact text only, without the space around it', () => {
    expect(grade('color', 'red', ' red\n')).toBe(true);
    expect(grade('color', 'red', 'Red')).toBe(false);
    expect(grade('read', '472', '4721')).toBe(false);
  });

  it('takes a box that overlaps the expected one by three quarters', () => {
    expect(grade('box', '<box>10 10 30 30</box>', '<box>11 10 30 31</box>')).toBe(true);
    expect(grade('box', '<box>10 10 30 30</box>', '<box>15 10 35 30</box>')).toBe(false);
    expect(grade('box', '<box>10 10 30 30</box>', 'there')).toBe(false);
  });
});
