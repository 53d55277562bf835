import { InputError } from '@weft/errors';

/**
 * Rounds to the nearest whole number and a tie to the even one, as Python's `round`, which image processors use for
 * sizes: 0.5 gives 0, 1.5 and 2.5 give 2.
 *
 * @throws InputError when `x` is not finite
 */
export function roundHalfEven(x: number): number {
  if (!Number.isFinite(x))
    throw new InputError({
      message: `roundHalfEven needs a finite number, found ${x}.`,
      hint: 'Check for a side of 0.',
    });
  // The sum turns -0 into 0.
  const below = Math.floor(x) + 0;
  const rest = x - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}
