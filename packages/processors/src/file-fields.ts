import { ConfigError, type TakeNotice } from '@weft/errors';
import type { ResizeFilter } from '@weft/image';
import type { Json } from '@weft/spec';

/** Pillow's numbers of the resampling filters, as files have them. */
export const resizeFilters: readonly ResizeFilter[] = [
  'nearest',
  'lanczos',
  'bilinear',
  'bicubic',
  'box',
  'hamming',
];

/** Where a section stands, and who is told what of it is not applied. */
export interface FileContext {
  /** The file, with the section's key: `processor_config.json: image_processor`. */
  readonly place: string;
  readonly notice?: TakeNotice | undefined;
}

const context = Symbol('file context');

/** A section that knows where it stands, for messages; copies made by spreading know it too. */
export const inFile = (section: Json, found: FileContext): Json => ({ ...section, [context]: found }) as Json;

const contextOf = (section: Json): FileContext =>
  (section as { readonly [context]?: FileContext })[context] ?? { place: 'preprocessor_config.json' };

/** Where a section stands; `preprocessor_config.json` unless it says. */
export const placeOf = (section: Json): string => contextOf(section).place;

/** Sides as files state them, in one form. */
export interface StatedSize {
  readonly shortestEdge?: number;
  readonly longestEdge?: number;
  readonly height?: number;
  readonly width?: number;
}

/** Sets of keys of a size, as `get_size_dict` of transformers takes them. */
const sizeKeys: readonly (readonly [string, ...string[]])[] = [
  ['height', 'width'],
  ['shortest_edge'],
  ['longest_edge', 'shortest_edge'],
  ['longest_edge'],
];

/** Fields that every class of transformers knows and that change nothing here: pictures are RGB, results tensors. */
const neutral: readonly string[] = [
  'image_processor_type',
  'video_processor_type',
  'feature_extractor_type',
  'processor_class',
  'auto_map',
  'return_tensors',
  'data_format',
  'input_data_format',
  'device',
  'disable_grouping',
  'image_seq_length',
];

/**
 * Reads fields of an image processor's file as transformers 5.18 does: a field that is left out has its class's value, one
 * that is `null` has none, so that a step whose flag is `null` is off.
 */
export function fileReader(section: Json) {
  const { place, notice } = contextOf(section);
  const asked = new Set<string>(neutral);
  const wrong = (key: string, wanted: string): never => {
    throw new ConfigError({
      message: `${place}: ${key} is ${JSON.stringify(section[key])}, expected ${wanted}.`,
      hint: `Fields that the file leaves out have the value of its class in transformers.`,
    });
  };
  const raw = (key: string): unknown => {
    asked.add(key);
    return Object.hasOwn(section, key) ? section[key] : undefined;
  };
  /** The value, the class's where there is none, `null` where the file says so. */
  const value = <T>(
    key: string,
    usual: T,
    isRight: (found: unknown) => boolean,
    wanted: string,
  ): T | null => {
    const found = raw(key);
    if (found === undefined) return usual;
    if (found === null) return null;
    return isRight(found) ? (found as T) : wrong(key, wanted);
  };
  const isNumber = (found: unknown): boolean => typeof found === 'number' && Number.isFinite(found);
  const isSide = (found: unknown, most = mostSide): boolean =>
    Number.isInteger(found) && (found as number) >= 1 && (found as number) <= most;
  const required = <T>(key: string, found: T | null, wanted: string): T => found ?? wrong(key, wanted);
  return {
    place,
    wrong,
    has: (key: string): boolean => raw(key) !== undefined,
    raw,
    flag: (key: string, usual: boolean): boolean =>
      value(key, usual, (found) => typeof found === 'boolean', 'true or false') ?? false,
    number: (key: string, usual: number): number =>
      required(key, value(key, usual, isNumber, 'a number'), 'a number'),
    /** A whole number of at least 1. */
    count: (key: string, usual: number): number => {
      const wanted = `a whole number from 1 to ${mostSide}`;
      return required(key, value(key, usual, isSide, wanted), wanted);
    },
    text: (key: string, usual: string): string =>
      required(
        key,
        value(key, usual, (found) => typeof found === 'string', 'a text'),
        'a text',
      ),
    section: (key: string, usual: Json): Json => {
      const isObject = (found: unknown): boolean => typeof found === 'object' && !Array.isArray(found);
      return inFile(required(key, value(key, usual, isObject, 'an object'), 'an object'), {
        place: `${place}: ${key}`,
        notice,
      });
    },
    oneOf: <const T extends string>(key: string, choices: readonly T[], usual: T): T =>
      required(
        key,
        value(key, usual, (found) => choices.includes(found as T), `one of ${choices.join(', ')}`),
        `one of ${choices.join(', ')}`,
      ),
    /** A filter by Pillow's number; `null` if the file says so. */
    filter: (key: string, usual: number): ResizeFilter | null => {
      const isKnown = (found: unknown): boolean => typeof found === 'number' && found in resizeFilters;
      const wanted = `the number of a filter: ${resizeFilters.map((name, i) => `${i} ${name}`).join(', ')}`;
      const found = value(key, usual, isKnown, wanted);
      return found === null ? null : resizeFilters[found]!;
    },
    /** One number for each channel; `null` if the file says so. */
    channels: (key: string, usual: readonly number[]): readonly number[] | null => {
      const found = value<number | readonly number[]>(
        key,
        usual,
        (given) => isNumber(given) || (Array.isArray(given) && given.length === 3 && given.every(isNumber)),
        'a number, or one for each of three channels',
      );
      return typeof found === 'number' ? [found, found, found] : found;
    },
    /**
     * Sides of a picture.
     *
     * @param isSquare whether a number alone means a square; otherwise it is the shorter edge
     * @param most largest number, where it counts something else than sides
     */
    size: (key: string, usual: StatedSize | null, isSquare: boolean, most = mostSide): StatedSize | null => {
      const found = raw(key);
      if (found === undefined) return usual;
      if (found === null) return null;
      if (isSide(found, most)) return isSquare ? square(found as number) : { shortestEdge: found as number };
      if (Array.isArray(found) && found.length === 2 && found.every((side) => isSide(side, most)))
        return { height: found[0] as number, width: found[1] as number };
      if (typeof found === 'object' && !Array.isArray(found)) {
        const keys = Object.keys(found).toSorted();
        const sides = found as Readonly<Record<string, unknown>>;
        if (
          sizeKeys.some((known) => known.join() === keys.join()) &&
          keys.every((one) => isSide(sides[one], most))
        )
          return Object.fromEntries(keys.map((one) => [sizeNames[one]!, sides[one]])) as StatedSize;
      }
      return wrong(key, 'pixels: a number, or an object of shortest_edge, longest_edge, or height and width');
    },
    /** Tells of every field that was not asked for. Called once all are read. */
    tellRest: (): void => {
      for (const key of Object.keys(section))
        if (!asked.has(key))
          notice?.({
            where: `${place}: ${key}`,
            message: 'Its class does not know this field; it changes nothing.',
          });
    },
    tell: (key: string, message: string): void => {
      raw(key);
      notice?.({ where: `${place}: ${key}`, message });
    },
  };
}

/** Fields of an image processor's file, read as transformers does. */
export type FileReader = ReturnType<typeof fileReader>;

/** Sides above this are no pictures: a mistake, or a file that would make the machine run out of memory. */
const mostSide = 65536;

const sizeNames: Readonly<Record<string, keyof StatedSize>> = {
  height: 'height',
  width: 'width',
  shortest_edge: 'shortestEdge',
  longest_edge: 'longestEdge',
};

export const square = (side: number): Required<Pick<StatedSize, 'height' | 'width'>> => ({
  height: side,
  width: side,
});
