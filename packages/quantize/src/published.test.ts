import { readFileSync } from 'node:fs';
import { WeightError } from '@weft/errors';
import type { SafetensorsDtype } from '@weft/weights';
import { describe, expect, it } from 'vitest';
import { readPublished, type PublishedForm } from './published.js';

interface Stored {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Base64. */
  readonly data: string;
}

interface Case {
  readonly form: PublishedForm;
  readonly shape: readonly [number, number];
  readonly pieces: Readonly<Record<string, Stored>>;
  /** Float32 in base64. */
  readonly values: string;
}

const path = new URL('../__fixtures__/published.json', import.meta.url);
const cases = (JSON.parse(readFileSync(path, 'utf8')) as Case[]).map((one) => ({
  ...one,
  name: `${JSON.stringify(one.form)} [${one.shape.join(', ')}] of ${Object.keys(one.pieces).join(', ')}`,
}));
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

const piecesOf = (pieces: Case['pieces']) =>
  Object.fromEntries(
    Object.entries(pieces).map(([role, { dtype, shape, data }]) => [
      role,
      { dtype, shape, bytes: bytesOf(data) },
    ]),
  );

describe('readPublished', () => {
  it.each(cases)('gives the numbers of $name', ({ form, shape, pieces, values }) => {
    const expected = new Float32Array(bytesOf(values).buffer);
    const found = readPublished({ form, shape, pieces: piecesOf(pieces) });
    expect(found.length).toBe(expected.length);
    // A product of two float32 numbers each, and one sum for nested scales.
    for (const [i, value] of expected.entries())
      expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * 1.3e-7);
  });

  it.each(cases)('refuses tensors that are missing or cut: $name', ({ form, shape, pieces }) => {
    const whole = piecesOf(pieces);
    for (const role of Object.keys(whole)) {
      const cut = { ...whole[role]!, bytes: whole[role]!.bytes.subarray(4) };
      expect(() => readPublished({ form, shape, pieces: { ...whole, [role]: cut } })).toThrow(WeightError);
      // These two may be missing: groups in their order, and zero points in the middle.
      if (role === 'g_idx' || role === 'zero_point') continue;
      const { [role]: _, ...rest } = whole;
      expect(() => readPublished({ form, shape, pieces: rest })).toThrow(role);
    }
  });
});
