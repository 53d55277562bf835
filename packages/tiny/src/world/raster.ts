import { setDigits } from './digits.js';
import type { Background, Color, Scene } from './scene.js';

/** An 8-bit RGB picture, rows from top to bottom, `[height, width, 3]`. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly channels: 3;
  readonly data: Uint8Array;
}

type Rgb = readonly [number, number, number];

/** The colours of objects, 0 to 255. */
export const palette: Readonly<Record<Color, Rgb>> = {
  red: [220, 50, 47],
  green: [60, 160, 60],
  blue: [50, 90, 210],
  yellow: [235, 200, 40],
  purple: [140, 70, 180],
  orange: [240, 140, 40],
};

/** The colours of backgrounds, 0 to 255. */
export const paper: Readonly<Record<Background, Rgb>> = {
  white: [255, 255, 255],
  ivory: [235, 235, 225],
  night: [30, 30, 36],
  sky: [210, 225, 240],
};

/** The grey of printed numbers. */
export const ink: Rgb = [120, 120, 120];

/** How a scene is put on the pixel grid. */
export interface PaintOptions {
  /** Shift to the right and downwards in pixels, usually below one. */
  readonly shift?: readonly [number, number] | undefined;
}

/**
 * Adds one edge to an accumulation buffer: each cell gets the signed area that the edge newly covers to its right.
 *
 * @see font-rs by Raph Levien, `raster.rs`.
 */
const addEdge = (
  area: Float32Array,
  stride: number,
  rows: number,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
): void => {
  if (y0 === y1) return;
  const direction = y0 < y1 ? 1 : -1;
  const [topX, topY, endX, endY] = y0 < y1 ? [x0, y0, x1, y1] : [x1, y1, x0, y0];
  const slope = (endX - topX) / (endY - topY);
  let x = topX;
  const last = Math.min(rows, Math.ceil(endY));
  for (let row = Math.floor(topY); row < last; row++) {
    const line = row * stride;
    const dy = Math.min(row + 1, endY) - Math.max(row, topY);
    const next = x + slope * dy;
    const d = dy * direction;
    const left = x < next ? x : next;
    const right = x < next ? next : x;
    const leftFloor = Math.floor(left);
    const rightCeil = Math.ceil(right);
    if (rightCeil <= leftFloor + 1) {
      const middle = 0.5 * (x + next) - leftFloor;
      area[line + leftFloor] = area[line + leftFloor]! + d - d * middle;
      area[line + leftFloor + 1] = area[line + leftFloor + 1]! + d * middle;
    } else {
      const s = 1 / (right - left);
      const leftPart = left - leftFloor;
      const a0 = 0.5 * s * (1 - leftPart) ** 2;
      const rightPart = right - rightCeil + 1;
      const am = 0.5 * s * rightPart ** 2;
      area[line + leftFloor] = area[line + leftFloor]! + d * a0;
      if (rightCeil === leftFloor + 2) {
        area[line + leftFloor + 1] = area[line + leftFloor + 1]! + d * (1 - a0 - am);
      } else {
        const a1 = s * (1.5 - leftPart);
        area[line + leftFloor + 1] = area[line + leftFloor + 1]! + d * (a1 - a0);
        for (let column = leftFloor + 2; column < rightCeil - 1; column++) {
          area[line + column] = area[line + column]! + d * s;
        }
        const a2 = a1 + (rightCeil - leftFloor - 3) * s;
        area[line + rightCeil - 1] = area[line + rightCeil - 1]! + d * (1 - a2 - am);
      }
      area[line + rightCeil] = area[line + rightCeil]! + d * am;
    }
    x = next;
  }
};

/** Fills closed polygons together (winding not zero) with exact area coverage. */
const fill = (
  picture: Raster,
  contours: readonly (readonly number[])[],
  scale: number,
  offsetX: number,
  offsetY: number,
  color: Rgb,
): void => {
  const { width, height, data } = picture;
  const place = (value: number, offset: number, limit: number): number =>
    Math.min(limit, Math.max(0, value * scale + offset));
  let [minX, minY, maxX, maxY] = [width, height, 0, 0];
  for (const contour of contours) {
    for (let i = 0; i < contour.length; i += 2) {
      const x = place(contour[i]!, offsetX, width);
      const y = place(contour[i + 1]!, offsetY, height);
      minX = Math.min(minX, x);
      maxX = Math.max(maxX, x);
      minY = Math.min(minY, y);
      maxY = Math.max(maxY, y);
    }
  }
  const [left, top] = [Math.floor(minX), Math.floor(minY)];
  const [columns, rows] = [Math.ceil(maxX) - left, Math.ceil(maxY) - top];
  if (columns <= 0 || rows <= 0) return;
  const stride = columns + 2;
  const area = new Float32Array(stride * rows);
  for (const contour of contours) {
    let x0 = place(contour.at(-2) as number, offsetX, width) - left;
    let y0 = place(contour.at(-1) as number, offsetY, height) - top;
    for (let i = 0; i < contour.length; i += 2) {
      const x1 = place(contour[i]!, offsetX, width) - left;
      const y1 = place(contour[i + 1]!, offsetY, height) - top;
      addEdge(area, stride, rows, x0, y0, x1, y1);
      x0 = x1;
      y0 = y1;
    }
  }
  const [red, green, blue] = color;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    let at = ((row + top) * width + left) * 3;
    for (let column = 0; column < columns; column++, at += 3) {
      sum += area[row * stride + column]!;
      const coverage = Math.min(1, Math.abs(sum));
      if (coverage < 1 / 512) continue;
      data[at] = data[at]! * (1 - coverage) + red * coverage + 0.5;
      data[at + 1] = data[at + 1]! * (1 - coverage) + green * coverage + 0.5;
      data[at + 2] = data[at + 2]! * (1 - coverage) + blue * coverage + 0.5;
    }
  }
};

/**
 * Paints a scene with anti-aliased edges (exact area coverage).
 *
 * @param size - Width and height in pixels.
 */
export const paint = (scene: Scene, size: number, options: PaintOptions = {}): Raster => {
  const picture: Raster = { width: size, height: size, channels: 3, data: new Uint8Array(size * size * 3) };
  const [red, green, blue] = paper[scene.background];
  const { data } = picture;
  for (let i = 0; i < data.length; i += 3) {
    data[i] = red;
    data[i + 1] = green;
    data[i + 2] = blue;
  }
  const [dx, dy] = options.shift ?? [0, 0];
  for (const object of scene.objects) fill(picture, [object.outline], size, dx, dy, palette[object.color]);
  if (scene.number) {
    const { text, font, x, y, height } = scene.number;
    fill(picture, setDigits(text, font).contours, height * size, x * size + dx, y * size + dy, ink);
  }
  return picture;
};
