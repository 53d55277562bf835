import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { printableLine } from '@weft/errors';
import { decodeImage, drawMarks, encodePng, resize, type Mark, type Raster } from '@weft/image';
import {
  findPlaces,
  findPointings,
  type CoordinateBox,
  type CoordinatePoint,
  type FoundPlace,
  type Pointing,
} from '@weft/text';
import { writeFileAtomic } from '@weft/weights';
import { UsageError } from './failure.js';

/** Longer side up to which pictures are enlarged before they are drawn on, pixels: labels need room. */
const roomySide = 480;

/** A place that was drawn; coordinates in pixels of the picture as it was given, upright. */
export type DrawnPlace = { readonly label: string } & (
  | ({ readonly kind: 'box' } & CoordinateBox)
  | ({ readonly kind: 'point' } & CoordinatePoint)
);

/** What came of an answer's places. */
export interface Drawing {
  readonly places: readonly DrawnPlace[];
  /** What looks like a place but is none, with the reason. */
  readonly refused: readonly string[];
}

/**
 * Checks, before a model is loaded, that there will be a place for the drawing.
 *
 * @throws UsageError if there is not exactly one picture, the file is no PNG or the picture itself, or its folder is
 * missing
 */
export async function checkDrawing(images: readonly string[], file: string): Promise<void> {
  const write = 'Write: weft ask IMAGE "QUESTION" --draw out.png';
  if (images.length !== 1)
    throw new UsageError(`--draw needs one picture to draw on, found ${images.length}.`, write);
  if (!/\.png$/i.test(file)) throw new UsageError(`--draw writes PNG, but the file is ${file}.`, write);
  const [folder, target, source] = await Promise.all(
    [dirname(resolve(file)), file, images[0]!].map((path) => stat(path).catch(() => undefined)),
  );
  if (!folder?.isDirectory())
    throw new UsageError(`There is no folder ${dirname(file)}.`, 'Make it first, or choose another one.');
  if (target?.isDirectory()) throw new UsageError(`${file} is a folder.`, write);
  if (target && source && target.ino === source.ino && target.dev === source.dev)
    throw new UsageError(`--draw would overwrite the picture ${file}.`, 'Choose another file.');
}

/**
 * Draws the places of an answer on its picture, upright as the model saw it, and writes a PNG file; nothing is written if
 * there are none. Small pictures are enlarged by a whole factor, so that labels can be read.
 *
 * @throws InputError if the picture cannot be read
 */
export async function drawAnswer(
  answer: string,
  image: string,
  file: string,
  signal: AbortSignal,
): Promise<Drawing> {
  const picture = await decodeImage(image, { signal });
  const found = findPlaces(answer, { size: picture });
  const pointed = findPointings(answer, { size: picture });
  const places = [...found.flatMap(drawnPlace), ...pointed.flatMap(drawnPoints)];
  const refused = found.flatMap(({ start, end, result }) =>
    result.place ? [] : [`${printableLine(answer.slice(start, end))} ${reasons[result.problem]}`],
  );
  if (places.length > 0) await writeFileAtomic(file, await encodePng(drawPlaces(picture, places)));
  return { places, refused };
}

const reasons = {
  syntax: 'is not well-formed',
  range: 'lies beyond the picture',
  area: 'encloses nothing',
} as const;

function drawnPlace({ label, result: { place } }: FoundPlace): DrawnPlace[] {
  if (!place) return [];
  return place.kind === 'box'
    ? [{ kind: 'box', label, ...place.box }]
    : [{ kind: 'point', label, ...place.point }];
}

const drawnPoints = ({ label, points }: Pointing): DrawnPlace[] =>
  points.map((point) => ({ kind: 'point', label, ...point }));

/** Labels are the words of the answer, with numbers in its order where there are several places or no words. */
function drawPlaces(picture: Raster, places: readonly DrawnPlace[]): Raster {
  const factor = Math.ceil(roomySide / Math.max(picture.width, picture.height));
  const larger =
    factor > 1
      ? resize(picture, {
          width: picture.width * factor,
          height: picture.height * factor,
          filter: 'bicubic',
        })
      : picture;
  const marks = places.map((place, i): Mark => {
    const label = places.length > 1 || place.label === '' ? `${i + 1} ${place.label}`.trim() : place.label;
    return place.kind === 'box'
      ? {
          kind: 'box',
          label,
          x1: place.x1 * factor,
          y1: place.y1 * factor,
          x2: place.x2 * factor,
          y2: place.y2 * factor,
        }
      : { kind: 'point', label, x: place.x * factor, y: place.y * factor };
  });
  return drawMarks(larger, marks);
}

/** What to say of a drawing: `2 boxes and 1 point drawn in out.png`. */
export function drawingText({ places, refused }: Drawing, file: string): string {
  const count = (kind: DrawnPlace['kind'], plural: string): string[] => {
    const number = places.filter((place) => place.kind === kind).length;
    return number === 0 ? [] : [`${number} ${number === 1 ? kind : plural}`];
  };
  const drawn = [...count('box', 'boxes'), ...count('point', 'points')].join(' and ');
  const lines =
    places.length > 0
      ? [`${drawn} drawn in ${printableLine(file)}`]
      : ['The answer names no place; nothing is drawn.'];
  return [...lines, ...refused.map((text) => `Not drawn: ${text}.`)].join('\n');
}
