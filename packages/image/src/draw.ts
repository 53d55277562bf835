import { InputError } from '@weft/errors';
import { inkOf, letterColumns, letterRows, printableText } from './font.js';
import { raster, requireRaster, type Raster, type Rgb } from './raster.js';

/** A place of a picture and its name; coordinates in pixels from the top left corner. */
export type Mark = { readonly label: string } & (
  | {
      readonly kind: 'box';
      readonly x1: number;
      readonly y1: number;
      readonly x2: number;
      readonly y2: number;
    }
  | { readonly kind: 'point'; readonly x: number; readonly y: number }
);

/** Colours that people with any kind of colour vision can tell apart (Okabe and Ito 2008). */
const palette: readonly Rgb[] = [
  [213, 94, 0],
  [0, 114, 178],
  [0, 158, 115],
  [204, 121, 167],
  [230, 159, 0],
  [86, 180, 233],
  [240, 228, 66],
];
const [black, white]: readonly Rgb[] = [
  [0, 0, 0],
  [255, 255, 255],
];

interface Area {
  readonly left: number;
  readonly top: number;
  /** After the last column. */
  readonly right: number;
  /** After the last row. */
  readonly bottom: number;
}

/**
 * The picture with boxes and points drawn on it, each in a colour of its own with an edge that stands out on any ground,
 * and with its label. Lines and letters grow with the picture; labels avoid each other, and are cut where they are longer
 * than the picture is wide. Letters beyond ASCII lose their accents or become question marks.
 *
 * @throws InputError if a coordinate is not a number
 */
export function drawMarks(picture: Raster, marks: readonly Mark[]): Raster {
  requireRaster('drawMarks', picture);
  const result = raster(picture.width, picture.height, picture.data.slice());
  const thickness = Math.max(2, Math.round(Math.max(picture.width, picture.height) / 240));
  const outlines = marks.map((mark, i) => {
    requireNumbers(mark);
    return drawOutline(result, mark, palette[i % palette.length]!, thickness);
  });
  // Labels may cover frames, but not points.
  const taken: Area[] = outlines.filter((_, i) => marks[i]!.kind === 'point');
  for (const [i, { label }] of marks.entries())
    if (label.trim() !== '') drawLabel(result, label, outlines[i]!, palette[i % palette.length]!, taken);
  return result;
}

function requireNumbers(mark: Mark): void {
  const values = mark.kind === 'box' ? [mark.x1, mark.y1, mark.x2, mark.y2] : [mark.x, mark.y];
  if (!values.every(Number.isFinite))
    throw new InputError({
      message: `A ${mark.kind} to draw needs coordinates that are numbers, found ${values.join(', ')}.`,
      hint: 'Give them in pixels of the picture.',
    });
}

const clamp = (value: number, least: number, most: number): number => Math.max(least, Math.min(value, most));

/** Draws a frame or a dot, moved as far into the picture as it takes to be seen, and returns what it covers. */
function drawOutline(target: Raster, mark: Mark, colour: Rgb, thickness: number): Area {
  const edge = Math.max(1, Math.floor(thickness / 2));
  const { width, height } = target;
  if (mark.kind === 'point') {
    const radius = 2 * thickness;
    const [x, y] = [clamp(Math.round(mark.x), 0, width - 1), clamp(Math.round(mark.y), 0, height - 1)];
    fillDisc(target, x, y, radius + edge, contrastTo(colour));
    fillDisc(target, x, y, radius, colour);
    return { left: x - radius, top: y - radius, right: x + radius + 1, bottom: y + radius + 1 };
  }
  const line = (at: number, side: number): number =>
    clamp(Math.round(at - thickness / 2), 0, Math.max(0, side - thickness));
  const [left, top, right, bottom] = [
    line(mark.x1, width),
    line(mark.y1, height),
    line(mark.x2, width) + thickness,
    line(mark.y2, height) + thickness,
  ];
  const bars: readonly Area[] = [
    { left, top, right, bottom: top + thickness },
    { left, top: bottom - thickness, right, bottom },
    { left, top, right: left + thickness, bottom },
    { left: right - thickness, top, right, bottom },
  ];
  for (const bar of bars) fill(target, widened(bar, edge), contrastTo(colour));
  for (const bar of bars) fill(target, bar, colour);
  return { left, top, right, bottom };
}

/** Writes a label above what it names, or else below, within or wherever the other labels leave room. */
function drawLabel(target: Raster, label: string, named: Area, colour: Rgb, taken: Area[]): void {
  const { width, height } = target;
  const unit = Math.max(1, Math.round(Math.max(width, height) / 400));
  const padding = 2 * unit;
  const step = (letterColumns + 1) * unit;
  const text = shortened(printableText(label).trim(), Math.floor((width - 2 * padding) / step));
  if (text === '') return;
  const size = {
    width: text.length * step - unit + 2 * padding,
    height: letterRows * unit + 2 * padding,
  };
  const at = (left: number, top: number): Area => {
    const x = clamp(left, 0, Math.max(0, width - size.width));
    const y = clamp(top, 0, Math.max(0, height - size.height));
    return { left: x, top: y, right: x + size.width, bottom: y + size.height };
  };
  const rows = [named.top - size.height, named.bottom, named.top, named.bottom - size.height];
  const fits = (area: Area): boolean => !taken.some((other) => overlaps(area, other));
  const inside = rows.filter((top) => top >= 0 && top + size.height <= height);
  const usual = inside
    .flatMap((top) => [named.left, named.right - size.width].map((left) => at(left, top)))
    .find(fits);
  // A pile of labels goes down the picture; where there is no room at all they cover each other.
  const below = (): Area | undefined =>
    Array.from({ length: Math.floor(height / size.height) }, (_, i) => at(named.left, i * size.height)).find(
      fits,
    );
  const area = usual ?? below() ?? at(named.left, rows[0]!);
  taken.push(area);
  fill(target, area, colour);
  const ink = contrastTo(colour);
  for (const [i, character] of [...text].entries())
    for (const [column, row] of inkOf(character)) {
      const left = area.left + padding + i * step + column * unit;
      const top = area.top + padding + row * unit;
      fill(target, { left, top, right: left + unit, bottom: top + unit }, ink);
    }
}

const shortened = (text: string, most: number): string =>
  text.length <= most ? text : most < 4 ? text.slice(0, Math.max(0, most)) : `${text.slice(0, most - 3)}...`;

const widened = ({ left, top, right, bottom }: Area, by: number): Area => ({
  left: left - by,
  top: top - by,
  right: right + by,
  bottom: bottom + by,
});

const overlaps = (a: Area, b: Area): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Black on light colours, white on dark ones, by their luminance. */
const contrastTo = ([red, green, blue]: Rgb): Rgb =>
  0.299 * red + 0.587 * green + 0.114 * blue > 140 ? black! : white!;

/** Fills the part of an area that lies within the picture. */
function fill(target: Raster, { left, top, right, bottom }: Area, colour: Rgb): void {
  const [from, to] = [Math.max(0, left), Math.min(target.width, right)];
  for (let y = Math.max(0, top); y < Math.min(target.height, bottom); y++)
    for (let x = from; x < to; x++) target.data.set(colour, (y * target.width + x) * 3);
}

function fillDisc(target: Raster, x: number, y: number, radius: number, colour: Rgb): void {
  for (let row = -radius; row <= radius; row++) {
    const half = Math.floor(Math.sqrt((radius + 0.5) ** 2 - row ** 2));
    fill(target, { left: x - half, top: y + row, right: x + half + 1, bottom: y + row + 1 }, colour);
  }
}
