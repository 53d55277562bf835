import { InputError, ShapeError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { drawMarks, type Mark } from './draw.js';
import { inkOf, printableText } from './font.js';
import { raster, type Raster } from './raster.js';

const grey = (width: number, height: number): Raster =>
  raster(width, height, new Uint8Array(width * height * 3).fill(128));

const at = ({ width, data }: Raster, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];
const changed = (picture: Raster): { x: number; y: number }[] =>
  Array.from({ length: picture.width * picture.height }, (_, i) => ({
    x: i % picture.width,
    y: Math.floor(i / picture.width),
  })).filter(({ x, y }) => at(picture, x, y).some((sample) => sample !== 128));

const box = (x1: number, y1: number, x2: number, y2: number, label = ''): Mark => ({
  kind: 'box',
  x1,
  y1,
  x2,
  y2,
  label,
});
const [firstColour, secondColour] = [
  [213, 94, 0],
  [0, 114, 178],
];

describe('drawMarks', () => {
  it('frames a box at its corners and leaves what is in it', () => {
    const drawn = drawMarks(grey(240, 120), [box(60, 30, 180, 90)]);
    for (const [x, y] of [
      [60, 30],
      [179, 30],
      [60, 89],
      [179, 89],
      [120, 30],
    ] as const)
      expect(at(drawn, x, y)).toEqual(firstColour);
    expect(at(drawn, 120, 60)).toEqual([128, 128, 128]);
    expect(changed(drawn).every(({ x, y }) => x >= 57 && x <= 182 && y >= 27 && y <= 92)).toBe(true);
  });

  it('does not change the picture it is given', () => {
    const picture = grey(60, 40);
    drawMarks(picture, [box(1, 1, 50, 30, 'a')]);
    expect(picture.data.every((sample) => sample === 128)).toBe(true);
  });

  it('shows frames on the edge of the picture whole', () => {
    const drawn = drawMarks(grey(100, 80), [box(0, 0, 100, 80)]);
    for (const [x, y] of [
      [0, 0],
      [99, 0],
      [0, 79],
      [99, 79],
    ] as const)
      expect(at(drawn, x, y)).toEqual(firstColour);
  });

  it('draws points as dots, and every mark in a colour of its own', () => {
    const drawn = drawMarks(grey(100, 80), [
      { kind: 'point', x: 50, y: 40, label: '' },
      { kind: 'point', x: 10, y: 10, label: '' },
    ]);
    expect(at(drawn, 50, 40)).toEqual(firstColour);
    expect(at(drawn, 10, 10)).toEqual(secondColour);
    expect(at(drawn, 50, 45)).not.toEqual(firstColour);
  });

  it('writes labels above what they name, and below where there is no room', () => {
    const rows = (mark: Mark) =>
      changed(drawMarks(grey(200, 200), [mark]))
        .map(({ y }) => y)
        .toSorted((a, b) => a - b);
    expect(rows(box(20, 100, 180, 150, 'Star'))[0]).toBeLessThan(90);
    const low = rows(box(20, 0, 180, 50, 'Star'));
    expect([low[0], low.at(-1)! > 55]).toEqual([0, true]);
  });

  it('keeps the labels of equal boxes apart', () => {
    const one = changed(drawMarks(grey(300, 300), [box(50, 100, 250, 200, 'one')])).length;
    const both = changed(
      drawMarks(grey(300, 300), [box(50, 100, 250, 200, 'one'), box(50, 100, 250, 200, 'one')]),
    ).length;
    const frame = changed(drawMarks(grey(300, 300), [box(50, 100, 250, 200)])).length;
    // The second label covers as much as the first, save for what both have of the frame.
    expect(both - one).toBeGreaterThan(0.8 * (one - frame));
  });

  it('covers no point with the label of a box', () => {
    const drawn = drawMarks(grey(300, 300), [
      { kind: 'point', x: 70, y: 90, label: '' },
      box(50, 100, 250, 200, 'label of a box'),
    ]);
    expect(at(drawn, 70, 90)).toEqual(firstColour);
  });

  it('writes letters that can be told apart, larger in larger pictures', () => {
    const letters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
    const shapes = letters.map((letter) => JSON.stringify(inkOf(letter)));
    expect(new Set(shapes).size).toBe(95);
    const art = Array.from({ length: 8 }, (_, row) =>
      Array.from({ length: 5 }, (_column, column) =>
        inkOf('A').some(([x, y]) => x === column && y === row) ? '#' : '.',
      ).join(''),
    );
    expect(art).toEqual(['.###.', '#...#', '#...#', '#...#', '#####', '#...#', '#...#', '.....']);
    const height = (side: number): number => {
      const rows = changed(
        drawMarks(grey(side, side), [{ kind: 'point', x: side / 2, y: side / 2, label: 'A' }]),
      );
      return Math.max(...rows.map(({ y }) => y)) - Math.min(...rows.map(({ y }) => y));
    };
    expect(height(1280)).toBeGreaterThan(2 * height(320));
  });

  it('cuts labels that are longer than the picture, and draws hostile ones without harm', () => {
    const label = `</text><script>\u0000\u202e${'x'.repeat(10_000)}`;
    for (const side of [1, 3, 40]) {
      const drawn = drawMarks(grey(side, side), [box(0, 0, side, side, label), box(-5, -5, 1e9, 1e9, label)]);
      expect([drawn.width, drawn.height]).toEqual([side, side]);
    }
    expect(printableText('naïve\u0000 café\n東京 ﬁ\u202e!')).toBe('naive  cafe ?? fi!');
  });

  it('refuses coordinates that are no numbers and samples that do not fill the picture', () => {
    expect(() => drawMarks(grey(9, 9), [box(0, Number.NaN, 5, 5)])).toThrow(InputError);
    expect(() => drawMarks(grey(9, 9), [box(0, 0, Infinity, 5)])).toThrow(
      /A box to draw needs coordinates that are numbers, found 0, 0, Infinity, 5/,
    );
    expect(() => drawMarks({ ...grey(9, 9), width: 8 }, [])).toThrow(ShapeError);
  });
});
