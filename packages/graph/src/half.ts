/** Bits of the float16 that is nearest to a number, the even one of two; what is too large becomes infinite. */
export function halfBits(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  // Half a unit beyond the largest, 65504, is the first that rounds up to infinity.
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const unit = 2 ** (exponent - 10);
  const units = roundToEven(size / unit);
  // A fraction that rounds up to the next power of two carries into the exponent by itself.
  return sign | (units < 1024 ? units : (exponent + 14) * 1024 + units);
}

function roundToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
