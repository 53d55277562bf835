/**
 * The resolution that keeps most of a picture's pixels, and wastes least; of equals the first. Sizes in pixels. A picture
 * so thin that it has no whole pixel in any of them gets the smallest. `undefined` if there are none.
 *
 * @see transformers 5.18, `select_best_resolution` in `image_processing_utils.py`
 */
export function bestResolution(
  width: number,
  height: number,
  resolutions: readonly (readonly [height: number, width: number])[],
): readonly [number, number] | undefined {
  let fit: readonly [number, number] | undefined;
  let [most, least] = [0, Infinity];
  for (const resolution of resolutions) {
    const scale = Math.min(resolution[1] / width, resolution[0] / height);
    const effective = Math.min(Math.trunc(width * scale) * Math.trunc(height * scale), width * height);
    const wasted = resolution[0] * resolution[1] - effective;
    if (effective > most || (effective === most && wasted < least))
      [fit, most, least] = [resolution, effective, wasted];
  }
  return fit;
}
