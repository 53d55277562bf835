import { InputError } from '@weft/errors';

/** Corners of a rectangle; x grows to the right, y downward. */
export interface CoordinateBox {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

export interface CoordinatePoint {
  readonly x: number;
  readonly y: number;
}

/** Sides in which coordinates are measured: pixels of a picture, or 1 and 1 for shares of it. */
export interface CoordinateSize {
  readonly width: number;
  readonly height: number;
}

/** A box or a point of a picture. */
export type Place =
  | { readonly kind: 'box'; readonly box: CoordinateBox }
  | { readonly kind: 'point'; readonly point: CoordinatePoint };

/** Why text is not a place: not well-formed, a number beyond the picture, or a box whose corners enclose nothing. */
export type CoordinateProblem = 'syntax' | 'range' | 'area';

/** A place, or why the text is none. */
export type CoordinateResult =
  | { readonly place: Place; readonly problem?: undefined }
  | { readonly problem: CoordinateProblem; readonly place?: undefined };

/** Text is not a place of a picture. */
export class CoordinateError extends InputError {
  constructor(
    readonly problem: CoordinateProblem,
    text: string,
    hint: string,
  ) {
    super({ message: `${shown(text)} is not a place of a picture: it ${problems[problem]}.`, hint });
  }
}

/**
 * Ways to write places: `tags` as the embedded model does, `<box>x1 y1 x2 y2</box>` in hundredths, and `mm1.5`,
 * `<x1,y1,x2,y2>` in thousandths.
 */
export type CoordinateFormat = keyof typeof grammars;

/** A place within a text. */
export interface FoundPlace {
  readonly format: CoordinateFormat;
  /** First character. */
  readonly start: number;
  /** After the last character. */
  readonly end: number;
  /** What the text calls it, without article; empty if it does not say. */
  readonly label: string;
  readonly result: CoordinateResult;
}

/** Writes places as text and reads them. */
export interface CoordinateCodec {
  readonly format: CoordinateFormat;
  /** Corners outside of the picture are moved to its edge. @param size 1 x 1 unless given */
  writeBox(box: CoordinateBox, size?: CoordinateSize): string;
  writePoint(point: CoordinatePoint, size?: CoordinateSize): string;
  /** Reads a text that is one place, with space around it at most. */
  parse(text: string, size?: CoordinateSize): CoordinateResult;
  /** The same. @throws CoordinateError if the text is none */
  read(text: string, size?: CoordinateSize): Place;
}

interface Grammar {
  /** Parts into which a side is cut. */
  readonly steps: number;
  /** To the nearest step, or down to the step before, as `int()` does. */
  readonly rounding: 'nearest' | 'down';
  /** Whether the words for a place stand before it or after it. */
  readonly words: 'before' | 'after';
  readonly example: string;
  readonly write: (kind: Place['kind'], numbers: readonly number[]) => string;
  /** What looks like a place, well-formed or not. Bounded, so that no text takes long. */
  readonly candidates: RegExp;
  /** Numbers of a candidate as text; `undefined` if it is not well-formed. */
  readonly split: (text: string) => { readonly kind: Place['kind']; readonly numbers: string[] } | undefined;
}

const grammars = {
  tags: {
    steps: 100,
    rounding: 'nearest',
    words: 'after',
    example: '<box>12 30 40 55</box>',
    write: (kind, numbers) => `<${kind}>${numbers.join(' ')}</${kind}>`,
    candidates: /<(?:box|point)>[^<>]{0,64}(?:<\/(?:box|point)>)?/g,
    split: (text) => {
      const [, kind, inner] = /^<(box|point)>([\d ]*)<\/\1>$/.exec(text) ?? [];
      return kind ? { kind: kind as Place['kind'], numbers: inner!.split(' ') } : undefined;
    },
  },
  'mm1.5': {
    steps: 1000,
    rounding: 'down',
    words: 'before',
    example: '<120,300,400,550>',
    write: (_, numbers) => `<${numbers.join(',')}>`,
    candidates: /<[\d\s+.-]{0,32},[\d\s,+.-]{0,64}>/g,
    split: (text) => {
      const numbers = text
        .slice(1, -1)
        .split(',')
        .map((number) => number.trim());
      return { kind: numbers.length === 2 ? 'point' : 'box', numbers };
    },
  },
} as const satisfies Readonly<Record<string, Grammar>>;

const problems: Readonly<Record<CoordinateProblem, string>> = {
  syntax: 'is not well-formed',
  range: 'lies beyond the picture',
  area: 'encloses nothing',
};

const unit: CoordinateSize = { width: 1, height: 1 };

/** All formats that `findPlaces` knows. */
export const coordinateFormats = (): CoordinateFormat[] => Object.keys(grammars) as CoordinateFormat[];

/** The codec of a format. */
export function coordinateCodec(format: CoordinateFormat): CoordinateCodec {
  const grammar: Grammar = grammars[format];
  const { steps, rounding } = grammar;
  const step = (value: number, side: number): number => {
    const exact = (value * steps) / side;
    const whole = rounding === 'down' ? Math.trunc(exact) : Math.round(exact);
    return Math.min(steps, Math.max(0, whole));
  };
  const parse = (text: string, size = unit): CoordinateResult => parsePlace(text.trim(), grammar, size);
  return {
    format,
    writeBox: ({ x1, y1, x2, y2 }, { width, height } = unit) =>
      grammar.write('box', [step(x1, width), step(y1, height), step(x2, width), step(y2, height)]),
    writePoint: ({ x, y }, { width, height } = unit) =>
      grammar.write('point', [step(x, width), step(y, height)]),
    parse,
    read: (text, size) => {
      const { place, problem } = parse(text, size);
      if (place) return place;
      throw new CoordinateError(
        problem,
        text,
        `Expected for example ${grammar.example}, in steps of 1/${steps} of each side.`,
      );
    },
  };
}

function parsePlace(text: string, grammar: Grammar, size: CoordinateSize): CoordinateResult {
  const { kind, numbers } = grammar.split(text) ?? { kind: 'box', numbers: [] };
  const isWhole = numbers.every((number) => /^\d{1,4}$/.test(number));
  if (!isWhole || numbers.length !== (kind === 'box' ? 4 : 2)) return { problem: 'syntax' };
  const values = numbers.map(Number);
  if (values.some((value) => value > grammar.steps)) return { problem: 'range' };
  const [x1, y1, x2, y2] = values.map(
    (value, i) => (value * (i % 2 === 0 ? size.width : size.height)) / grammar.steps,
  ) as [number, number, number, number];
  if (kind === 'point') return { place: { kind, point: { x: x1, y: y1 } } };
  return x1 < x2 && y1 < y2 ? { place: { kind, box: { x1, y1, x2, y2 } } } : { problem: 'area' };
}

/**
 * All places in a text, such as the answer of a model, in their order; also those that look like one but are none.
 *
 * @param size sides of the picture; 1 x 1 unless given
 */
export function findPlaces(
  text: string,
  {
    size = unit,
    formats = coordinateFormats(),
  }: { size?: CoordinateSize; formats?: readonly CoordinateFormat[] } = {},
): FoundPlace[] {
  const found = formats
    .flatMap((format) =>
      [...text.matchAll(grammars[format].candidates)].map(({ index, 0: whole }) => ({
        format,
        start: index,
        end: index + whole.length,
        result: parsePlace(whole, grammars[format], size),
      })),
    )
    .toSorted((a, b) => a.start - b.start);
  return found.map((place, i) => {
    const isBefore = grammars[place.format].words === 'before';
    const words = isBefore
      ? text
          .slice(found[i - 1]?.end ?? 0, place.start)
          .split(/[,.;:!?\n]/)
          .at(-1)!
      : text.slice(place.end, found[i + 1]?.start ?? text.length).split(/[,.;:!?\n]/)[0]!;
    return { ...place, label: labelOf(words) };
  });
}

/** `and a large star and` to `large star`. */
const labelOf = (words: string): string =>
  words
    .slice(-200)
    .trim()
    .replace(/^(?:and|or)\s/i, '')
    .replace(/\s(?:and|or|at|in|is)$|^(?:and|or|at|in|is)$/i, '')
    .trim()
    .replace(/^(?:an?|the)\s/i, '')
    .trim();

/** A short piece of text for messages, without control characters. */
const shown = (text: string): string => {
  const plain = text.replace(/\p{Cc}/gu, ' ').trim();
  return JSON.stringify(plain.length > 60 ? `${plain.slice(0, 60)}…` : plain);
};
