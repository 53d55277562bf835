import { describe, expect, it } from 'vitest';
import { printable, printableJson, printableLine } from './index.js';

/** A terminal's title, a colour, both in the one-byte form, a carriage return, a backspace, an override and tags. */
const hostile = [
  '\x1b]0;title\x07',
  '\x1b[31mred',
  '\x9b31mred',
  '\x9d0;title\x9c',
  'error\rok',
  'ab\b\bcd',
  '\u202egnp.exe',
  '\u2066x\u2069',
  '\u{e0041}tag',
  '\u2028next',
  '\x7f\0',
];

describe('text of others in a terminal', () => {
  it.each(hostile)('%j loses what a terminal would obey', (text) => {
    for (const safe of [printable(text), printableLine(text), printableJson(text)])
      expect(safe).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u);
  });

  it('keeps its lines and tabs where it flows, and shows them where it is one line', () => {
    expect(printable('a\n\tb\r\nc')).toBe('a\n\tb\nc');
    expect(printableLine('a\n\tb\x1b[0m')).toBe('a\\n\\tb\\u001b[0m');
  });

  it('stays as it is in every script', () => {
    const text = 'Größe 大きい שלום مرحبا नमस्ते 👩‍👧 e\u0301 \u200d';
    expect(printable(text)).toBe(text);
    expect(printableLine(text)).toBe(text);
  });

  it('is the same value as JSON', () => {
    for (const text of hostile) {
      const json = JSON.stringify({ [text]: [text] }, null, 2);
      expect(JSON.parse(printableJson(json))).toEqual({ [text]: [text] });
    }
  });
});
