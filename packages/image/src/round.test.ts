import { InputError } from '@weft/errors';
import { expect, it } from 'vitest';
import { roundHalfEven } from './round.js';

// Values of Python's round().
it.each([
  [0.5, 0],
  [1.5, 2],
  [2.5, 2],
  [3.5, 4],
  [-0.5, 0],
  [-1.5, -2],
  [-2.5, -2],
  [-0, 0],
  [-0.2, 0],
  [0.49999999999999994, 0],
  [2.500000001, 3],
  [2.499999999, 2],
  [4503599627370495.5, 4503599627370496],
  [9007199254740991, 9007199254740991],
  [1e300, 1e300],
])('rounds %d to %d, as Python does', (x, expected) => {
  expect(roundHalfEven(x)).toBe(expected);
});

it('refuses what is not finite', () => {
  expect(() => roundHalfEven(Number.NaN)).toThrow(InputError);
  expect(() => roundHalfEven(Infinity)).toThrow(/found Infinity/);
});
