import { InputError } from '@weft/errors';

/**
 * Python's `x // y` on floats, bit for bit: the floor of the exact quotient, which `Math.floor(x / y)` is not where the
 * division rounds up to a whole number: `7.0 // 0.1` is 69.
 *
 * @throws InputError if `y` is 0
 * @see CPython, `_float_div_mod` in `Objects/floatobject.c`
 */
export function floorDivide(x: number, y: number): number {
  if (y === 0)
    throw new InputError({ message: `${x} cannot be divided by 0.`, hint: 'Check for a side of 0.' });
  // As C's fmod, exact: it has the sign of x.
  let rest = x % y;
  let quotient = (x - rest) / y;
  if (rest !== 0 && rest < 0 !== y < 0) {
    rest += y;
    quotient -= 1;
  }
  // A quotient of 0 has the sign of the true one, which is below 0 only if x is 0.
  if (quotient === 0) return Object.is(x / y, -0) ? -0 : 0;
  // What is left of rounding is less than a half.
  const whole = Math.floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}
