import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { describeScheme, schemeOf, schemes } from './scheme.js';

describe('schemeOf', () => {
  it('knows schemes by name, and what stays as it is', () => {
    expect(schemeOf('q4')).toBe(schemes.q4);
    expect(schemeOf('float32')).toBeUndefined();
    expect(schemeOf({ bits: 8, blockSize: 64 })).toEqual({
      bits: 8,
      blockSize: 64,
      zeroPoints: false,
      rounding: 'search',
    });
    expect(describeScheme(schemes['q4-zero-points'])).toBe('int4 block 32 zero points search');
  });

  it.each([
    ['q5', /is "q5", expected one of float32, q8, q4[^]*In code a scheme is a form as well/],
    ['toString', /is "toString"/],
    [undefined, /is missing/],
    [4, /is 4/],
    [{ bits: 5 }, /bits of a scheme is 5, expected 4, 8/],
    [{ bits: 4, blockSize: 48 }, /blockSize of a scheme is 48, expected 16, 32/],
    [{ bits: 4, size: 32 }, /field 'size', which is not read/],
    [{ bits: 4, rounding: 'up' }, /rounding of a scheme is "up"/],
    [{}, /bits of a scheme is missing/],
  ])('refuses %j', (value, message) => {
    expect(() => schemeOf(value)).toThrow(message);
    expect(() => schemeOf(value)).toThrow(InputError);
  });
});
