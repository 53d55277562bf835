import { faces, setDigits, type Contour } from './digits.js';
import type { Random } from './random.js';

export const shapes = ['circle', 'square', 'triangle', 'star'] as const;
export type Shape = (typeof shapes)[number];

export const colors = ['red', 'green', 'blue', 'yellow', 'purple', 'orange'] as const;
export type Color = (typeof colors)[number];

export const sizes = ['small', 'large'] as const;
export type Size = (typeof sizes)[number];

export const backgrounds = ['white', 'ivory', 'night', 'sky'] as const;
export type Background = (typeof backgrounds)[number];

/** Left, top, right and bottom edge in units of the canvas, `0` to `1`. */
export interface Box {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

/** One coloured shape; lengths in units of the canvas, `0` to `1`. */
export interface SceneObject {
  readonly shape: Shape;
  readonly color: Color;
  readonly size: Size;
  /** Centre. */
  readonly cx: number;
  readonly cy: number;
  /** Nominal radius; painters disagree on how a square or triangle of that radius is drawn. */
  readonly radius: number;
  /** What is drawn, as a polygon. */
  readonly outline: Contour;
  /** Extent of what is drawn. */
  readonly box: Box;
}

/** A printed number; lengths in units of the canvas. */
export interface SceneNumber {
  readonly text: string;
  /** Left and top edge of the ink. */
  readonly x: number;
  readonly y: number;
  /** Digit height. */
  readonly height: number;
  /** Name of a face. */
  readonly font: string;
  readonly box: Box;
}

/** Everything that is in a picture. */
export interface Scene {
  readonly background: Background;
  readonly objects: readonly SceneObject[];
  readonly number?: SceneNumber;
}

/** What kind of scenes to draw. */
export interface SceneOptions {
  /** Which faces print the number: those of training (default), or those that training never sees. */
  readonly faces?: 'training' | 'held-out' | undefined;
  /** Least difference of two centres in x, so that the order from left to right is plain; default 0.02. */
  readonly minimumGap?: number | undefined;
}

const polygonOfCircle = 64;

/** Outline around the origin. The ways of painters: half-side or equal-sided, sharp or fat star. */
const drawOutline = (shape: Shape, size: Size, radius: number, random: Random): number[] => {
  const out: number[] = [];
  if (shape === 'circle') {
    for (let i = 0; i < polygonOfCircle; i++) {
      const angle = (2 * Math.PI * i) / polygonOfCircle;
      out.push(radius * Math.cos(angle), radius * Math.sin(angle));
    }
  } else if (shape === 'square') {
    // A large inscribed square would be as small as a small circumscribed one.
    const half = radius * random.pick([1, random.between(size === 'small' ? 0.7 : 0.8, 1)]);
    out.push(-half, -half, half, -half, half, half, -half, half);
  } else if (shape === 'triangle') {
    const style = random.integer(0, 2);
    const width = style === 0 ? Math.sqrt(3) / 2 : style === 1 ? 1 : random.between(0.82, 1);
    const base = style === 0 ? 0.5 : style === 1 ? 1 : random.between(0.5, 1);
    out.push(0, -radius, radius * width, radius * base, -radius * width, radius * base);
  } else {
    const inner = random.pick([0.382, random.between(0.38, 0.5)]);
    for (let i = 0; i < 10; i++) {
      const angle = (Math.PI * i) / 5;
      const r = i % 2 === 0 ? radius : radius * inner;
      out.push(r * Math.sin(angle), -r * Math.cos(angle));
    }
  }
  return out;
};

const extent = (outline: Contour): Box => {
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < outline.length; i += 2) {
    x1 = Math.min(x1, outline[i]!);
    x2 = Math.max(x2, outline[i]!);
    y1 = Math.min(y1, outline[i + 1]!);
    y2 = Math.max(y2, outline[i + 1]!);
  }
  return { x1, y1, x2, y2 };
};

/** Half the side of the square that has the area of the box. */
const halfExtent = (box: Box): number => Math.sqrt((box.x2 - box.x1) * (box.y2 - box.y1)) / 2;

/** Where `small` ends and `large` begins, as half extents of the canvas: between them no object is drawn. */
const smallest = { small: 0.065, large: 0.115 };
const largest = { small: 0.111, large: 0.17 };

const drawForm = (
  shape: Shape,
  size: Size,
  random: Random,
): { radius: number; outline: number[]; box: Box } => {
  for (;;) {
    const radius = size === 'small' ? random.between(0.085, 0.112) : random.between(0.135, 0.165);
    const outline = drawOutline(shape, size, radius, random);
    const box = extent(outline);
    const half = halfExtent(box);
    if (half >= smallest[size] && half <= largest[size]) return { radius, outline, box };
  }
};

/** Radius of the circle around a point that holds the outline. */
const reachFrom = (cx: number, cy: number, outline: Contour): number => {
  let reach = 0;
  for (let i = 0; i < outline.length; i += 2) {
    reach = Math.max(reach, Math.hypot(outline[i]! - cx, outline[i + 1]! - cy));
  }
  return reach;
};

const apart = (a: Box, b: Box, gap: number): boolean =>
  a.x2 + gap < b.x1 || b.x2 + gap < a.x1 || a.y2 + gap < b.y1 || b.y2 + gap < a.y1;

/** Colours and shapes of the objects; some scenes have one colour or one shape only, so that counts up to 5 occur. */
const drawKinds = (count: number, random: Random): { shape: Shape; color: Color }[] => {
  const mode = random.weighted([0.6, 0.13, 0.13, 0.14]);
  const color = random.pick(colors);
  const shape = random.pick(shapes);
  const few = { colors: [color, random.pick(colors)], shapes: [shape, random.pick(shapes)] };
  return Array.from({ length: count }, () => ({
    color: mode === 1 ? color : mode === 3 ? random.pick(few.colors) : random.pick(colors),
    shape: mode === 2 ? shape : mode === 3 ? random.pick(few.shapes) : random.pick(shapes),
  }));
};

const drawNumber = (random: Random, held: boolean): SceneNumber | undefined => {
  const digits = random.integer(1, 4);
  const text = String(random.integer(digits === 1 ? 0 : 10 ** (digits - 1), 10 ** digits - 1));
  const style = random.pick(['sans', 'serif'] as const);
  const font = random.pick(faces().filter((face) => face.heldOut === held && face.style === style)).name;
  const line = setDigits(text, font);
  const height = random.between(0.19, 0.28);
  const [width, tall] = [line.width * height, line.height * height];
  const margin = 0.015;
  if (width > 1 - 2 * margin) return undefined;
  const x = random.between(margin, 1 - margin - width);
  const y = random.between(margin, 1 - margin - tall);
  return { text, x, y, height, font, box: { x1: x, y1: y, x2: x + width, y2: y + tall } };
};

const placeObjects = (
  count: number,
  number: SceneNumber | undefined,
  minimumGap: number,
  random: Random,
): SceneObject[] | undefined => {
  const objects: SceneObject[] = [];
  const gap = random.between(0.008, 0.03);
  const margin = random.between(0, 0.02);
  for (const { shape, color } of drawKinds(count, random)) {
    const size = random.pick(sizes);
    const { radius, outline, box } = drawForm(shape, size, random);
    const reach = reachFrom(0, 0, outline);
    const limits = objects.map((other) => reach + reachFrom(other.cx, other.cy, other.outline) + gap);
    let placed: SceneObject | undefined;
    for (let attempt = 0; attempt < 60 && !placed; attempt++) {
      const cx = random.between(margin - box.x1, 1 - margin - box.x2);
      const cy = random.between(margin - box.y1, 1 - margin - box.y2);
      const moved = { x1: cx + box.x1, y1: cy + box.y1, x2: cx + box.x2, y2: cy + box.y2 };
      if (number && !apart(moved, number.box, gap)) continue;
      const free = objects.every(
        (other, i) =>
          Math.abs(other.cx - cx) >= minimumGap &&
          (apart(moved, other.box, gap) || Math.hypot(other.cx - cx, other.cy - cy) > limits[i]!),
      );
      if (!free) continue;
      placed = {
        shape,
        color,
        size,
        cx,
        cy,
        radius,
        outline: outline.map((value, i) => value + (i % 2 === 0 ? cx : cy)),
        box: moved,
      };
    }
    if (!placed) return undefined;
    objects.push(placed);
  }
  return objects;
};

/**
 * Draws a scene by lot: one to five objects that do not overlap, each wholly inside, and in 45 % of the scenes a
 * number of one to four digits beside them.
 */
export const randomScene = (random: Random, options: SceneOptions = {}): Scene => {
  const background = random.pick(backgrounds);
  const count = 1 + random.weighted([0.15, 0.2, 0.23, 0.22, 0.2]);
  const printed = random.chance(0.45);
  for (;;) {
    const number = printed ? drawNumber(random, options.faces === 'held-out') : undefined;
    if (printed && !number) continue;
    const objects = placeObjects(count, number, options.minimumGap ?? 0.02, random);
    if (objects) return { background, objects, ...(number && { number }) };
  }
};
