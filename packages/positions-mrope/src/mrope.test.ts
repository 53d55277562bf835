import { InputError } from '@weft/errors';
import type { VisualLayout } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { mropePositions, type MropeConfig } from './mrope.js';

const config: MropeConfig = {
  mergeSize: 2,
  tokensPerSecond: null,
  advance: 'largest',
};
const tokens = { imageTokenId: 151, videoTokenId: 152 };
const image = (rows: number, columns: number): VisualLayout => ({ kind: 'image', frames: 1, rows, columns });
const video = (frames: number, rows: number, columns: number, interval?: number): VisualLayout => ({
  kind: 'video',
  frames,
  rows,
  columns,
  interval,
});
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

/** Two words, the start of a picture, its tokens, the end, two words. */
const around = (tokens: number[]): number[] => [1, 2, 153, ...tokens, 154, 5, 6];

describe('mropePositions', () => {
  it('gives a picture one time and its rows and columns, and goes on after its longer side', () => {
    // Of transformers 5.18, get_rope_index of Qwen2-VL.
    const { axes, next } = mropePositions(config)(tokens).assign(around(times(6, 151)), [image(4, 6)]);
    expect(axes).toEqual([
      [0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7, 8],
      [0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7, 8],
      [0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8],
    ]);
    expect(next).toBe(9);
  });

  it('counts text without pictures, also where their tokens stand in it', () => {
    expect(mropePositions(config)(tokens).assign([7, 151, 8], [])).toEqual({
      axes: times(3, [0, 1, 2]),
      next: 3,
    });
  });

  it.each([
    ['largest', [8, 9, 10]],
    ['side', [5, 6, 7]],
  ] as const)('goes on after a long video by the rule %s', (advance, rest) => {
    const { axes, next } = mropePositions({ ...config, advance })(tokens).assign(around(times(20, 152)), [
      video(5, 4, 4),
    ]);
    expect(axes[0]).toEqual([0, 1, 2, ...[3, 4, 5, 6, 7].flatMap((time) => times(4, time)), ...rest]);
    // Also transformers 5 lets the answer begin after the largest position.
    expect(next).toBe(Math.max(7, ...rest) + 1);
  });

  it.each([
    [1, [3, 5, 7, 9, 11]],
    [0.3, [3, 3, 4, 4, 5]],
  ])(
    'takes the time of moments %d s apart from the clock, truncated, where the model has one',
    (interval, expected) => {
      const { axes } = mropePositions({ ...config, tokensPerSecond: 2 })(tokens).assign(
        around(times(5, 152)),
        [video(5, 2, 2, interval)],
      );
      expect(axes[0]!.slice(3, 8)).toEqual(expected);
      const { axes: still } = mropePositions({ ...config, tokensPerSecond: 2 })(tokens).assign(
        around([151]),
        [image(2, 2)],
      );
      expect(still[0]![3]).toBe(3);
    },
  );

  it('takes pictures and videos in the order of their tokens, neighbours too', () => {
    const { axes, next } = mropePositions(config)(tokens).assign(
      [152, 152, 151, 151, 9],
      [video(2, 2, 2), image(2, 4)],
    );
    expect(axes).toEqual([
      [0, 1, 2, 2, 4],
      [0, 0, 2, 2, 4],
      [0, 0, 2, 3, 4],
    ]);
    expect(next).toBe(5);
  });

  it('gives a token positions that depend on those before it only', () => {
    const rule = mropePositions(config)(tokens);
    const ids = [1, 151, 151, 2, 152, 152, 3, 4];
    const whole = rule.assign(ids, [image(2, 4), video(2, 2, 2)]).axes;
    const start = rule.assign(ids.slice(0, 4), [image(2, 4)]);
    expect(start.axes).toEqual(whole.map((axis) => axis.slice(0, 4)));
    expect(start.next).toBe(whole[0]![4]);
  });

  it('refuses tokens and pictures that do not add up', () => {
    const { assign } = mropePositions(config)(tokens);
    expect(() => assign(around([151, 151]), [image(2, 4), image(2, 2)])).toThrow(InputError);
    expect(() => assign(around([151, 151]), [image(2, 4), image(2, 2)])).toThrow(
      /2 pictures were given, but the tokens have places for 1/,
    );
    expect(() => assign([1, 151], [image(4, 4)])).toThrow(/needs 3 tokens more/);
    expect(() => assign([151, 152], [image(2, 2)])).toThrow(
      /ask for video 1 at place 1, but only 1 were given/,
    );
    expect(() => assign([152], [image(2, 2)])).toThrow(/ask for video 0 at place 0, but image was given/);
  });
});
