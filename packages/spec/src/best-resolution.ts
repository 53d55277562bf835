/**
 * The resolution that keeps most of a picture's pixels, and wastes least; of equals the first. `undefined` if it would
 * vanish in all. Sizes in pixels.
 */
export function bestResolution(
  width: number,
  height: number,
  resolutions: readonly (readonly [height: number, width: number])[],
): readonly [number, number] | undefined {
  let best:
    | { readonly fit: readonly [number, number]; readonly effective: number; readonly wasted: number }
    | undefined;
  for (const fit of resolutions) {
    const scale = Math.min(fit[1] / width, fit[0] / height);
    const effective = Math.min(Math.trunc(width * scale) * Math.trunc(height * scale), width * height);
    const wasted = fit[0] * fit[1] - effective;
    if (effective > (best?.effective ?? 0) || (best && effective === best.effective && wasted < best.wasted))
      best = { fit, effective, wasted };
  }
  return best?.fit;
}
