import type { CoordinatePoint, CoordinateSize } from './coordinates.js';

/** Points that an answer of Molmo names in one tag. */
export interface Pointing {
  /** First character of the tag. */
  readonly start: number;
  /** After the last character. */
  readonly end: number;
  /** In the order of their numbers. */
  readonly points: readonly CoordinatePoint[];
  /** The words within the tag. */
  readonly label: string;
  /** The words of its `alt`; mostly those within the tag. */
  readonly alt: string;
}

/** Attributes are quoted, so their text may hold any other sign. */
const tag = /<points?((?:\s+\w+="[^"]*")+)\s*>(?:([^<>]*)<\/points?>)?/g;
const attribute = /(\w+?)(\d*)="([^"]*)"/g;

/**
 * All points in an answer of Molmo, tag by tag: `<point x="63.5" y="44.5" alt="star">star</point>`, or several as
 * `<points x1="…" y1="…" x2="…" y2="…" alt="…">…</points>`. Numbers are hundredths of the width and the height from the
 * upper left corner, with decimals. Points beyond the picture are left out, as in Molmo's own evaluation.
 *
 * @param options.size sides of the picture; 1 x 1 unless given, so that coordinates are shares of it
 * @see `extract_points` in https://github.com/allenai/molmo/blob/793fa387edfd6fd0f5b21eb8e0a7620a1f3799e1/olmo/util.py
 */
export function findPointings(
  text: string,
  { size = { width: 1, height: 1 } }: { readonly size?: CoordinateSize } = {},
): Pointing[] {
  return [...text.matchAll(tag)].flatMap(({ index, 0: whole, 1: attributes = '', 2: label = '' }) => {
    const found = new Map<string, Map<string, string>>();
    for (const [, name = '', number = '', value = ''] of attributes.matchAll(attribute))
      found.set(name, (found.get(name) ?? new Map<string, string>()).set(number, value.trim()));
    const across = [...(found.get('x') ?? [])].toSorted(([a], [b]) => Number(a) - Number(b));
    const points = across.flatMap(([number, x]): CoordinatePoint[] => {
      const share = [x, found.get('y')?.get(number) ?? ''].map(hundredths);
      const [left, top] = share;
      if (left === undefined || top === undefined) return [];
      return [{ x: (left * size.width) / 100, y: (top * size.height) / 100 }];
    });
    if (points.length === 0) return [];
    const alt = found.get('alt')?.get('') ?? '';
    return [{ start: index, end: index + whole.length, points, label: label.trim() || alt, alt }];
  });
}

const hundredths = (text: string): number | undefined =>
  /^\d+(?:\.\d+)?$/.test(text) && Number(text) <= 100 ? Number(text) : undefined;

/**
 * Points as Molmo was trained to write them: hundredths with one decimal, from left to right and of one column from above.
 *
 * @param options.size sides in which the points are given; 1 x 1 unless given
 * @param options.alt the words of `alt`; those of the label unless given
 * @see `points_to_text` in https://github.com/allenai/molmo/blob/793fa387edfd6fd0f5b21eb8e0a7620a1f3799e1/olmo/data/data_formatter.py
 */
export function writePointing(
  points: readonly CoordinatePoint[],
  label: string,
  {
    size = { width: 1, height: 1 },
    alt = label,
  }: { readonly size?: CoordinateSize; readonly alt?: string } = {},
): string {
  const tenth = (value: number, side: number): number => Math.round((value * 1000) / side) / 10;
  const ordered = points
    .map(({ x, y }) => ({ x: tenth(x, size.width), y: tenth(y, size.height) }))
    .toSorted((a, b) => a.x * 10000 + a.y - (b.x * 10000 + b.y));
  const name = ordered.length === 1 ? 'point' : 'points';
  const numbers = ordered.map(({ x, y }, i) => {
    const number = ordered.length === 1 ? '' : String(i + 1);
    return ` x${number}="${x.toFixed(1)}" y${number}="${y.toFixed(1)}"`;
  });
  return `<${name}${numbers.join('')} alt="${alt}">${label}</${name}>`;
}
