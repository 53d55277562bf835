import { InputError } from '@weft/errors';
import { encodedFaces, type EncodedFace } from './digit-outlines.js';

/** A closed polygon, `x0 y0 x1 y1 …`. */
export type Contour = readonly number[];

/** One digit: its advance width and outlines in units of the digit height, y downwards from the digits' top. */
export interface Glyph {
  readonly advance: number;
  readonly contours: readonly Contour[];
}

/** A typeface whose digits can be drawn. */
export interface Face {
  readonly name: string;
  readonly style: 'sans' | 'serif';
  /** Whether training never sees this face. */
  readonly heldOut: boolean;
  /** Glyphs of the digits 0 to 9. */
  readonly digits: readonly Glyph[];
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const unit = 1024;

const readNumbers = (text: string): number[] => {
  const out: number[] = [];
  for (let i = 0; i < text.length; i += 2) {
    const value = alphabet.indexOf(text.charAt(i)) * 64 + alphabet.indexOf(text.charAt(i + 1));
    out.push((value - unit) / unit);
  }
  return out;
};

const decodeGlyph = (text: string): Glyph => {
  const [advance, ...contours] = text.split(',').map(readNumbers);
  return { advance: advance?.[0] as number, contours };
};

const decodeFace = ({ digits, ...face }: EncodedFace): Face => ({ ...face, digits: digits.map(decodeGlyph) });

let decoded: readonly Face[] | undefined;

/** All faces, decoded once on first use. */
export const faces = (): readonly Face[] => (decoded ??= encodedFaces.map(decodeFace));

/**
 * The face of this name.
 *
 * @throws InputError when there is none.
 */
export const face = (name: string): Face => {
  const found = faces().find((each) => each.name === name);
  if (!found) {
    throw new InputError({
      message: `No face is called '${name}'.`,
      hint: `The faces are ${faces()
        .map((each) => each.name)
        .join(', ')}.`,
    });
  }
  return found;
};

/** Outlines of a line of digits whose ink begins at `x` 0 and `y` 0, in units of the digit height. */
export interface LineOfDigits {
  readonly contours: readonly Contour[];
  readonly width: number;
  readonly height: number;
}

/**
 * Sets digits side by side in a face and measures their ink.
 *
 * @param text - Digits only.
 * @param name - Name of a face.
 */
export const setDigits = (text: string, name: string): LineOfDigits => {
  const { digits } = face(name);
  const placed: number[][] = [];
  let pen = 0;
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const character of text) {
    const glyph = digits[Number(character)] as Glyph;
    for (const contour of glyph.contours) {
      const moved = contour.map((value, i) => (i % 2 === 0 ? value + pen : value));
      placed.push(moved);
      for (let i = 0; i < moved.length; i += 2) {
        left = Math.min(left, moved[i] as number);
        right = Math.max(right, moved[i] as number);
        top = Math.min(top, moved[i + 1] as number);
        bottom = Math.max(bottom, moved[i + 1] as number);
      }
    }
    pen += glyph.advance;
  }
  return {
    contours: placed.map((contour) => contour.map((value, i) => value - (i % 2 === 0 ? left : top))),
    width: right - left,
    height: bottom - top,
  };
};
