import { exchanged } from './text.js';
import type { Str } from './values.js';

const encoder = new TextEncoder();

/** `urllib.parse.quote` in UTF-8: letters, digits and `_.-~` stay, and the given characters. */
export const urlQuoted = (value: Str, safe: string): Str =>
  exchanged(value, /[^A-Za-z0-9_.\-~]/gu, (character) =>
    safe.includes(character)
      ? character
      : Array.from(
          encoder.encode(character),
          (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
        ).join(''),
  );
