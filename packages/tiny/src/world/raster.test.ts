import { describe, expect, it } from 'vitest';
import { addJpegArtefacts, addNoise, blur, randomCanvas } from './augment.js';
import { Random } from './random.js';
import { ink, paint, palette, paper, type Raster } from './raster.js';
import { randomScene, type Scene, type SceneObject } from './scene.js';

const pixel = ({ width, data }: Raster, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

const square = (x1: number, y1: number, x2: number, y2: number): SceneObject => ({
  shape: 'square',
  color: 'red',
  size: 'small',
  cx: (x1 + x2) / 2,
  cy: (y1 + y2) / 2,
  radius: (x2 - x1) / 2,
  outline: [x1, y1, x2, y1, x2, y2, x1, y2],
  box: { x1, y1, x2, y2 },
});

const scene = (...objects: SceneObject[]): Scene => ({ background: 'night', objects });

describe('paint', () => {
  it('covers whole pixels with the exact colour and leaves the others as paper', () => {
    const picture = paint(scene(square(0.25, 0.25, 0.5, 0.5)), 64);
    expect(pixel(picture, 16, 16)).toEqual(palette.red);
    expect(pixel(picture, 31, 31)).toEqual(palette.red);
    expect(pixel(picture, 15, 16)).toEqual(paper.night);
    expect(pixel(picture, 32, 31)).toEqual(paper.night);
  });

  it('mixes colour and paper by the covered share of a pixel', () => {
    const picture = paint(scene(square(10.25 / 64, 20 / 64, 20 / 64, 30.5 / 64)), 64);
    const mix = (share: number) =>
      palette.red.map((value, i) => Math.round(paper.night[i]! * (1 - share) + value * share));
    expect(pixel(picture, 10, 22)).toEqual(mix(0.75));
    expect(pixel(picture, 12, 30)).toEqual(mix(0.5));
    expect(pixel(picture, 10, 30)).toEqual(mix(0.375));
  });

  it('shifts by parts of a pixel', () => {
    const shifted = paint(scene(square(10 / 64, 20 / 64, 20 / 64, 30 / 64)), 64, { shift: [0.25, 0] });
    expect(shifted.data).toEqual(paint(scene(square(10.25 / 64, 20 / 64, 20.25 / 64, 30 / 64)), 64).data);
  });

  it('covers as much as the shape has area, at every size and for every shape', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = new Random(seed);
      const [object] = randomScene(random).objects as [SceneObject];
      const size = random.integer(64, 256);
      const picture = paint({ background: 'night', objects: [object] }, size);
      const [from, to] = [paper.night[0], palette[object.color][0]];
      let covered = 0;
      for (let i = 0; i < picture.data.length; i += 3) covered += (picture.data[i]! - from) / (to - from);
      expect(Math.abs(covered / size ** 2 - area(object.outline))).toBeLessThan(0.0015);
    }
  });

  it('keeps what it draws within the box of the answer', () => {
    for (let seed = 0; seed < 20; seed++) {
      const [object] = randomScene(new Random(seed)).objects as [SceneObject];
      const picture = paint({ background: 'white', objects: [object] }, 100);
      const touched: [number, number][] = [];
      for (let y = 0; y < 100; y++) {
        for (let x = 0; x < 100; x++)
          if (pixel(picture, x, y).join() !== paper.white.join()) touched.push([x, y]);
      }
      const { x1, y1, x2, y2 } = object.box;
      expect(Math.abs(Math.min(...touched.map(([x]) => x)) - x1 * 100)).toBeLessThan(2);
      expect(Math.abs(Math.max(...touched.map(([x]) => x)) + 1 - x2 * 100)).toBeLessThan(2);
      expect(Math.abs(Math.min(...touched.map(([, y]) => y)) - y1 * 100)).toBeLessThan(4);
      expect(Math.abs(Math.max(...touched.map(([, y]) => y)) + 1 - y2 * 100)).toBeLessThan(2);
    }
  });

  it('leaves the holes of digits open', () => {
    const box = { x1: 0.3, y1: 0.3, x2: 0.6, y2: 0.8 };
    const number = { text: '0', x: 0.3, y: 0.3, height: 0.5, font: 'dejavusans-400', box };
    const picture = paint({ background: 'white', objects: [], number }, 128);
    const row = Array.from({ length: 128 }, (_, x) => pixel(picture, x, 70).join());
    const inked = row.map((value, x) => (value === ink.join() ? x : -1)).filter((x) => x >= 0);
    const between = row.slice(inked[0], inked.at(-1)).filter((value) => value === paper.white.join());
    expect(inked.length).toBeGreaterThan(8);
    expect(between.length).toBeGreaterThan(8);
  });
});

describe('wear', () => {
  const picture = (): Raster => paint(randomScene(new Random(5)), 90);
  const difference = (a: Raster, b: Raster): number =>
    Math.sqrt(a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0) / a.data.length);

  it('adds noise of the wanted strength', () => {
    const grey: Raster = { width: 100, height: 100, channels: 3, data: new Uint8Array(30_000).fill(128) };
    const noisy = { ...grey, data: grey.data.slice() };
    addNoise(noisy, 6, new Random(1));
    expect(difference(noisy, grey)).toBeGreaterThan(5.4);
    expect(difference(noisy, grey)).toBeLessThan(6.6);
  });

  it('loses more at a lower JPEG quality and nearly nothing at quality 100', () => {
    const errors = [100, 80, 40].map((quality) => {
      const worn = picture();
      addJpegArtefacts(worn, quality, false);
      return difference(worn, picture());
    });
    expect(errors[0]).toBeLessThan(1);
    expect(errors[1]).toBeGreaterThan(errors[0]!);
    expect(errors[2]).toBeGreaterThan(errors[1]!);
    expect(errors[2]).toBeLessThan(20);
  });

  it('smears colour when chroma is halved', () => {
    const [kept, halved] = [picture(), picture()];
    addJpegArtefacts(kept, 95, false);
    addJpegArtefacts(halved, 95, true);
    expect(difference(halved, picture())).toBeGreaterThan(difference(kept, picture()));
  });

  it('blurs without changing the mean', () => {
    const soft = picture();
    blur(soft, 0.2);
    const mean = ({ data }: Raster) => data.reduce((sum, value) => sum + value, 0) / data.length;
    expect(difference(soft, picture())).toBeGreaterThan(2);
    expect(Math.abs(mean(soft) - mean(picture()))).toBeLessThan(0.5);
  });

  it('draws canvases from 64 to 512 pixels', () => {
    const random = new Random(2);
    const widths = Array.from({ length: 2000 }, () => randomCanvas(random));
    expect(Math.min(...widths)).toBe(64);
    expect(Math.max(...widths)).toBeGreaterThan(400);
    expect(Math.max(...widths)).toBeLessThanOrEqual(512);
  });
});

/** Area of a polygon (shoelace formula). */
function area(outline: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < outline.length; i += 2) {
    const j = (i + 2) % outline.length;
    sum += outline[i]! * outline[j + 1]! - outline[j]! * outline[i + 1]!;
  }
  return Math.abs(sum) / 2;
}
