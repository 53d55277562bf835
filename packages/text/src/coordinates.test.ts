import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import {
  coordinateCodec,
  CoordinateError,
  coordinateFormats,
  findPlaces,
  type CoordinateFormat,
} from './coordinates.js';

const tags = coordinateCodec('tags');
const mm15 = coordinateCodec('mm1.5');

describe('writing places', () => {
  it('rounds tags to hundredths', () => {
    expect(tags.writeBox({ x1: 0.124, y1: 0.296, x2: 0.4, y2: 1 })).toBe('<box>12 30 40 100</box>');
    expect(tags.writePoint({ x: 0.5, y: 0.005 })).toBe('<point>50 1</point>');
  });

  it("cuts MM1.5's thousandths down, as int() does", () => {
    const size = { width: 640, height: 480 };
    expect(mm15.writeBox({ x1: 100, y1: 50, x2: 300.9, y2: 479.9 }, size)).toBe('<156,104,470,999>');
    expect(mm15.writePoint({ x: 640, y: 0 }, size)).toBe('<1000,0>');
    // 57 * 1000 / 100 is whole, while 0.57 * 100 * 10 is not.
    expect(mm15.writePoint({ x: 57, y: 29 }, { width: 100, height: 100 })).toBe('<570,290>');
  });

  it('moves what lies outside to the edge', () => {
    expect(mm15.writeBox({ x1: -3, y1: 0, x2: 700, y2: 500 }, { width: 640, height: 480 })).toBe(
      '<0,0,1000,1000>',
    );
    expect(tags.writeBox({ x1: -0.2, y1: 0.1, x2: 1.2, y2: 0.3 })).toBe('<box>0 10 100 30</box>');
  });
});

describe('reading places', () => {
  it('gives shares of the picture, or its pixels', () => {
    expect(tags.read(' <box>12 30 40 100</box>\n')).toEqual({
      kind: 'box',
      box: { x1: 0.12, y1: 0.3, x2: 0.4, y2: 1 },
    });
    expect(mm15.read('<250, 500>', { width: 640, height: 480 })).toEqual({
      kind: 'point',
      point: { x: 160, y: 240 },
    });
  });

  it.each(coordinateFormats())('reads back what %s writes, within a step', (format) => {
    const codec = coordinateCodec(format);
    const [size, step] = [{ width: 1237, height: 311 }, format === 'tags' ? 0.01 : 0.001];
    for (let i = 0; i < 200; i++) {
      const [a, b, c, d] = [1, 2, 3, 4].map((k) => Math.abs(Math.sin(k * 7.1 + i))) as [
        number,
        number,
        number,
        number,
      ];
      const box = { x1: a * 500, y1: b * 100, x2: 600 + c * 500, y2: 200 + d * 100 };
      const place = codec.read(codec.writeBox(box, size), size);
      if (place.kind !== 'box') throw new Error(`${format} wrote a ${place.kind}.`);
      for (const corner of ['x1', 'y1', 'x2', 'y2'] as const) {
        const side = corner.startsWith('x') ? size.width : size.height;
        expect(Math.abs(place.box[corner] - box[corner])).toBeLessThan(step * side);
      }
      const again = format === 'tags' ? codec.writeBox(place.box, size) : undefined;
      if (again) expect(again).toBe(codec.writeBox(box, size));
    }
  });

  it.each([
    ['tags', '<box>1 2 3</box>', 'syntax'],
    ['tags', '<box>1 2 3 4', 'syntax'],
    ['tags', 'at <box>1 2 3 4</box>', 'syntax'],
    ['tags', '<box>1 2 3 4</point>', 'syntax'],
    ['tags', '<box>1  2 3 4</box>', 'syntax'],
    ['tags', '<box>-1 2 3 4</box>', 'syntax'],
    ['tags', '<box>٣ 2 3 4</box>', 'syntax'],
    ['tags', '<box>1 2 3 101</box>', 'range'],
    ['tags', '<box>9 2 3 4</box>', 'area'],
    ['tags', '<box>1 2 1 4</box>', 'area'],
    ['tags', '', 'syntax'],
    ['mm1.5', '<1,2,3>', 'syntax'],
    ['mm1.5', '<1.5,2>', 'syntax'],
    ['mm1.5', '<1,2,3,4,5>', 'syntax'],
    ['mm1.5', '<1,1001>', 'range'],
    ['mm1.5', '<1,99999>', 'syntax'],
    ['mm1.5', '<5,5,5,9>', 'area'],
  ] as const)('%s: %s is refused (%s)', (format, text, problem) => {
    const codec = coordinateCodec(format);
    expect(codec.parse(text)).toEqual({ problem });
    expect(() => codec.read(text)).toThrow(CoordinateError);
    expect(() => codec.read(text)).toThrow(InputError);
  });

  it('says what it found and what it expected', () => {
    expect(() => tags.read('<box>1 2 3 101</box>')).toThrow(
      'is not a place of a picture: it lies beyond the picture.\n  Expected for example <box>12 30 40 55</box>, in steps of 1/100 of each side.',
    );
    expect(() => mm15.read(`\u001b[2J${'x'.repeat(500)}`)).toThrow(/^" ?\[2Jx{1,60}…" is not a place/);
  });
});

describe('finding places in an answer', () => {
  const labels = (text: string) =>
    findPlaces(text).map(({ format, label, result }) => [
      format,
      label,
      result.place?.kind ?? result.problem,
    ]);

  it('takes the words after a tag', () => {
    const text =
      '<box>1 2 30 40</box> a large red circle, <box>5 5 9 9</box> a small star, and <box>50 60 70 80</box> the number 7';
    expect(labels(text)).toEqual([
      ['tags', 'large red circle', 'box'],
      ['tags', 'small star', 'box'],
      ['tags', 'number 7', 'box'],
    ]);
    expect(labels('<box>1 2 3 4</box> a star and <point>7 7</point>')).toEqual([
      ['tags', 'star', 'box'],
      ['tags', '', 'point'],
    ]);
  });

  it("takes the words before MM1.5's coordinates", () => {
    expect(labels('There is a dog <120,300,400,550> and the red ball at <10,20>.')).toEqual([
      ['mm1.5', 'There is a dog', 'box'],
      ['mm1.5', 'red ball', 'point'],
    ]);
  });

  it('measures in pixels and tells where in the text', () => {
    const text = 'here: <box>10 20 30 40</box>';
    const [found] = findPlaces(text, { size: { width: 200, height: 50 } });
    expect(found).toMatchObject({ start: 6, end: text.length });
    expect(found!.result.place).toEqual({ kind: 'box', box: { x1: 20, y1: 10, x2: 60, y2: 20 } });
  });

  it('keeps what looks like a place but is none, and passes over other text', () => {
    expect(labels('<box>9 2 3 4</box> <box>1 2</box> <1,2,3> <box>1 2 3 4')).toEqual([
      ['tags', '', 'area'],
      ['tags', '', 'syntax'],
      ['mm1.5', '', 'syntax'],
      ['tags', '', 'syntax'],
    ]);
    expect(labels('I <3 you, 3 < 4, <b>bold</b>, a[1, 2], <|im_end|>')).toEqual([]);
  });

  it('looks for the formats that it is told only', () => {
    const formats: readonly CoordinateFormat[] = ['mm1.5'];
    expect(findPlaces('<box>1 2 3 4</box> <1,2>', { formats })).toHaveLength(1);
  });

  it.each(['<box>', '<', '<1,', '<box>1 2 3 4</box>', '<box><point>', ' and', '<1,2,3,4>,', '\n'])(
    'takes no long time over a hostile text of %j',
    (piece) => {
      const text = piece.repeat(200_000 / piece.length);
      const start = performance.now();
      findPlaces(text);
      // Linear work takes some tens of milliseconds, quadratic work minutes.
      expect(performance.now() - start).toBeLessThan(5000);
    },
  );
});
