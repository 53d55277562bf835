import { InputError } from '@weft/errors';

/** How a matrix is rounded to small whole numbers. */
export interface Scheme {
  /** Bits of a number. */
  readonly bits: 4 | 8;
  /** Consecutive numbers of a row that share a scale. */
  readonly blockSize: 16 | 32 | 64 | 128 | 256;
  /** Whether each block has a zero point of its own; otherwise it is the middle of the range. */
  readonly zeroPoints: boolean;
  /**
   * `nearest`: scales by the range of each block. `search`: the scale, and the zero point if there is one, of the least
   * squared error among few.
   */
  readonly rounding: 'nearest' | 'search';
}

/** Schemes by name. */
export const schemes = {
  q8: { bits: 8, blockSize: 32, zeroPoints: false, rounding: 'nearest' },
  q4: { bits: 4, blockSize: 32, zeroPoints: false, rounding: 'search' },
  'q4-zero-points': { bits: 4, blockSize: 32, zeroPoints: true, rounding: 'search' },
  'q4-64': { bits: 4, blockSize: 64, zeroPoints: true, rounding: 'search' },
  'q4-128': { bits: 4, blockSize: 128, zeroPoints: true, rounding: 'search' },
} as const satisfies Readonly<Record<string, Scheme>>;

export type SchemeName = keyof typeof schemes;

/** The form of a weight: a scheme or its name (blocks of 32 without zero points, by searching, unless it says more), or `float32` for weights as their files have them. */
export type WeightDtype = SchemeName | (Pick<Scheme, 'bits'> & Partial<Scheme>) | 'float32';

/**
 * The scheme that a value means, `undefined` for weights that stay as they are.
 *
 * @param further names beside these that the caller takes, for the error
 * @throws InputError for anything else
 */
export function schemeOf(
  dtype: unknown,
  where = 'dtype',
  further: readonly string[] = [],
): Scheme | undefined {
  if (dtype === 'float32') return undefined;
  if (typeof dtype === 'string' && Object.hasOwn(schemes, dtype)) return schemes[dtype as SchemeName];
  if (typeof dtype === 'object' && dtype !== null)
    return checkedScheme(dtype as Record<string, unknown>, where);
  throw new InputError({
    message: `The form of weights is ${shown(dtype)}, expected one of ${[...new Set(['float32', ...Object.keys(schemes), ...further])].join(', ')}.`,
    where,
    hint: "In code a scheme is a form as well: { bits: 4, blockSize: 32, zeroPoints: false, rounding: 'search' }.",
  });
}

const choices = {
  bits: [4, 8],
  blockSize: [16, 32, 64, 128, 256],
  zeroPoints: [true, false],
  rounding: ['nearest', 'search'],
} as const satisfies { readonly [K in keyof Scheme]: readonly Scheme[K][] };

function checkedScheme(given: Record<string, unknown>, where: string): Scheme {
  for (const key of Object.keys(given))
    if (!Object.hasOwn(choices, key))
      throw new InputError({
        message: `A scheme has the field '${key}', which is not read.`,
        where,
        hint: `Its fields are ${Object.keys(choices).join(', ')}.`,
      });
  const scheme = { zeroPoints: false, rounding: 'search', blockSize: 32, ...given };
  for (const [key, allowed] of Object.entries(choices)) {
    const value = (scheme as Record<string, unknown>)[key];
    if (!(allowed as readonly unknown[]).includes(value))
      throw new InputError({
        message: `${key} of a scheme is ${shown(value)}, expected ${allowed.join(', ')}.`,
        where,
      });
  }
  return scheme as unknown as Scheme;
}

const shown = (value: unknown): string =>
  value === undefined ? 'missing' : (JSON.stringify(value) ?? String(value));

/** A scheme in a few letters, for keys and tables: `int4 block 32 zero points search`. */
export const describeScheme = ({ bits, blockSize, zeroPoints, rounding }: Scheme): string =>
  `int${bits} block ${blockSize}${zeroPoints ? ' zero points' : ''} ${rounding}`;
