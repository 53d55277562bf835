import { readFileSync } from 'node:fs';
import { UnsupportedError, WeightError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { dequantizeGguf, ggufBlock } from './gguf-blocks.js';

interface Case {
  readonly name: string;
  readonly type: number;
  /** Base64. */
  readonly data: string;
  /** Float32 in base64. */
  readonly values: string;
}

const path = new URL('../__fixtures__/gguf-blocks.json', import.meta.url);
const cases = JSON.parse(readFileSync(path, 'utf8')) as Case[];
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

describe('dequantizeGguf', () => {
  it.each(cases)('gives the numbers of gguf-py, bit for bit: $name', ({ name, type, data, values }) => {
    const bytes = bytesOf(data);
    const expected = new Float32Array(bytesOf(values).buffer);
    const { size, bytes: width, name: own } = ggufBlock(type);
    expect([own, (bytes.length / width) * size]).toEqual([name, expected.length]);
    expect(dequantizeGguf(bytes, type)).toEqual(expected);
  });

  it('refuses types that it does not know, and parts of blocks', () => {
    expect(() => ggufBlock(16)).toThrow(/GGUF type 16 are not read[^]*Q4_K/);
    expect(() => dequantizeGguf(new Uint8Array(18), 99)).toThrow(UnsupportedError);
    expect(() => dequantizeGguf(new Uint8Array(19), 2)).toThrow(WeightError);
  });
});
