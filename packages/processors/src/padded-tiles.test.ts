import { ConfigError, InputError } from '@weft/errors';
import { raster, type Raster } from '@weft/image';
import { describe, expect, it } from 'vitest';
import { contextOf } from '../test/context.js';
import { paddedTiles, planPadded, readPaddedTiles } from './padded-tiles.js';

const training = { tileSize: 672, minTiles: 4, maxTiles: 9 };

/** Pictures of this many columns and rows of blocks, each of one grey level: 10, 20, and so on, row by row. */
function blocks(columns: number, rows: number, side: number): Raster {
  const width = columns * side;
  const data = new Uint8Array(width * rows * side * 3).map((_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 10 * (Math.floor(y / side) * columns + Math.floor(x / side) + 1);
  });
  return raster(width, rows * side, data);
}

describe('planPadded', () => {
  it.each([
    // Worked examples of the paper's algorithm, width x height.
    [1000, 700, 2, 3, 1920, 1344],
    [2000, 1500, 3, 3, 2016, 1512],
    [800, 600, 2, 3, 1792, 1344],
    // Nothing covers it: the grid that shrinks it least.
    [1280, 2800, 4, 2, 1229, 2688],
    [100, 4000, 6, 1, 101, 4032],
    [10_000, 40, 1, 9, 6048, 24],
    // Squares fill all square grids: the smaller one.
    [500, 500, 2, 2, 1344, 1344],
    [3000, 3000, 3, 3, 2016, 2016],
  ])('fits %i x %i into %i x %i tiles', (width, height, rows, columns, fitWidth, fitHeight) => {
    expect(planPadded({ width, height }, training)).toEqual({
      rows,
      columns,
      width: fitWidth,
      height: fitHeight,
    });
  });

  it('never leaves more room than any other grid that covers the picture', () => {
    const config = { tileSize: 60, minTiles: 2, maxTiles: 7 };
    for (let i = 1; i <= 300; i++) {
      const [width, height] = [1 + ((i * 37) % 211), 1 + ((i * 101) % 173)];
      const { rows, columns } = planPadded({ width, height }, config);
      expect(rows * columns).toBeGreaterThanOrEqual(2);
      expect(rows * columns).toBeLessThanOrEqual(7);
      const scaleOf = (r: number, c: number) => Math.min((r * 60) / height, (c * 60) / width);
      const roomOf = (r: number, c: number) => r * c * 3600 - width * height * scaleOf(r, c) ** 2;
      const own = scaleOf(rows, columns);
      for (let r = 1; r <= 7; r++)
        for (let c = 1; c <= 7; c++) {
          if (r * c < 2 || r * c > 7) continue;
          if (own < 1) expect(scaleOf(r, c)).toBeLessThanOrEqual(own);
          else if (scaleOf(r, c) >= 1) expect(roomOf(r, c)).toBeGreaterThan(roomOf(rows, columns) - 0.01);
        }
    }
  });

  it('has more tiles at inference, and one tile where that is asked', () => {
    expect(planPadded({ width: 4000, height: 3000 }, { ...training, maxTiles: 16 })).toMatchObject({
      rows: 3,
      columns: 4,
    });
    expect(planPadded({ width: 500, height: 499 }, { ...training, minTiles: 1 })).toMatchObject({
      rows: 1,
      columns: 1,
    });
  });
});

describe('paddedTiles', () => {
  const config = readPaddedTiles({ min_tiles: 2, max_tiles: 6, resample: 0 });
  const vision = contextOf({ tileSize: 4, patchSize: 2 }, () => 3, { grid: [2, 2] });
  const processor = paddedTiles(config)(vision);
  const tokens = '<image>'.repeat(3);
  const grey = (level: number, channel: number): number =>
    Math.fround((level / 255 - config.mean[channel]!) / config.std[channel]!);

  it('says before each view where it is: pictures from 0, rows and columns from 1, the whole last', () => {
    const { prompt, plan, ...rest } = processor.place({ width: 8, height: 8 }, 1);
    expect(prompt).toBe(`(1,1,1)${tokens}(1,1,2)${tokens}(1,2,1)${tokens}(1,2,2)${tokens}(1,0,0)${tokens}`);
    expect(rest).toEqual({ tiles: 5, tokens: 15, formula: '(2 x 2 tiles + 1) of 3' });
    // The number of a picture is in its text, not in its pixels.
    expect(plan).toEqual(processor.place({ width: 8, height: 8 }).plan);
    const silent = paddedTiles({ ...config, indicators: 'none' })(vision);
    expect(silent.place({ width: 8, height: 8 }).prompt).toBe(tokens.repeat(5));
  });

  it('shows pictures whole only where a conversation has three', () => {
    const size = { width: 8, height: 8 };
    expect(processor.place(size, 0, 2).tiles).toBe(5);
    const whole = { rows: 1, columns: 1, width: 4, height: 4 };
    expect(processor.place(size, 2, 3)).toEqual({
      tiles: 1,
      tokens: 3,
      formula: '1 view of 3',
      prompt: `(2,0,0)${tokens}`,
      plan: { processor: processor.id, size, cut: { grid: whole, whole } },
    });
    const picture = blocks(2, 2, 4);
    const shapes = [[picture], [picture, picture], [picture, picture, picture]].map(
      (pictures) => processor.process(pictures).inputs['pixel_values']!.shape[0],
    );
    expect(shapes).toEqual([5, 10, 3]);
    // One at a time, as a runtime encodes them.
    const { inputs } = processor.process([picture], [processor.place(picture, 1, 3)]);
    expect(inputs['pixel_values']!.shape[0]).toBe(1);
  });

  it('cuts tiles row by row, and shows the whole last', () => {
    const { inputs } = processor.process([blocks(3, 2, 4)]);
    const { shape, data } = inputs['pixel_values']!;
    expect(shape).toEqual([7, 3, 4, 4]);
    const plane = (view: number, channel: number) =>
      Array.from({ length: 16 }, (_, i) => Number(data[(view * 3 + channel) * 16 + i]));
    for (let view = 0; view < 6; view++)
      for (let channel = 0; channel < 3; channel++)
        for (const value of plane(view, channel))
          expect(value).toBeCloseTo(grey(10 * (view + 1), channel), 5);
    expect(plane(6, 0)[0]).toBeCloseTo(grey(10, 0), 5);
  });

  it('fills what the picture leaves over with the mean, to the right and below', () => {
    // 8 x 6 pixels on 2 x 2 tiles of 4: two rows are left over.
    const picture = raster(8, 6, new Uint8Array(8 * 6 * 3).fill(200));
    const four = { ...config, minTiles: 4, maxTiles: 4 };
    const { inputs } = paddedTiles(four)(vision).process([picture]);
    const { data } = inputs['pixel_values']!;
    const value = (view: number, row: number, column: number): number =>
      Number(data[view * 48 + row * 4 + column]);
    expect(planPadded(picture, { ...four, tileSize: 4 })).toEqual({
      rows: 2,
      columns: 2,
      width: 8,
      height: 6,
    });
    expect(value(2, 1, 3)).toBeCloseTo(grey(200, 0), 5);
    // Bytes are whole, so the fill is the mean within half a byte.
    expect(Math.abs(value(2, 2, 0))).toBeLessThan(0.5 / 255 / config.std[0]!);
    expect(Math.abs(value(4, 3, 1))).toBeLessThan(0.5 / 255 / config.std[0]!);
    expect(value(4, 2, 1)).toBeCloseTo(grey(200, 0), 5);
  });

  it('refuses pictures without pixels', () => {
    expect(() => processor.place({ width: 0, height: 5 }, 4)).toThrow(InputError);
    expect(() => processor.place({ width: 0, height: 5 }, 4)).toThrow(/Picture 4 has no pixels/);
  });
});

describe('readPaddedTiles', () => {
  it('has the limits of training unless the file has others', () => {
    expect(readPaddedTiles({})).toMatchObject({
      minTiles: 4,
      maxTiles: 9,
      wholeFrom: 3,
      indicators: 'index',
    });
    expect(readPaddedTiles({ max_tiles: 16, indicators: 'none', whole_from: 5 })).toMatchObject({
      maxTiles: 16,
      wholeFrom: 5,
      indicators: 'none',
    });
    expect(readPaddedTiles({}).fill).toEqual([123, 117, 104]);
  });

  it.each([
    [{ min_tiles: 0 }, /min_tiles is 0, expected a whole number/],
    [{ min_tiles: 5, max_tiles: 4 }, /max_tiles is 4, expected at least min_tiles, which is 5/],
    [{ max_tiles: 5.5 }, /max_tiles is 5\.5, expected a whole number/],
    [{ indicators: 'colon' }, /indicators is "colon", expected one of index, none/],
    [{ min_tiles: 'four' }, /min_tiles is "four", expected a whole number/],
  ])('refuses %j', (config, message) => {
    expect(() => readPaddedTiles(config)).toThrow(ConfigError);
    expect(() => readPaddedTiles(config)).toThrow(message);
  });
});
