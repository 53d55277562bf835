/** Which patches to cut, and from what. */
export interface PatchCut {
  /** Of the pixels. */
  readonly shape: readonly [channels: number, height: number, width: number];
  /** Patches to cut, counted from the upper left corner. */
  readonly grid: readonly [rows: number, columns: number];
  /** Side of a patch, pixels. */
  readonly patchSize: number;
}

/** Pixels `[C, H, W]` as patches `[rows * columns, C * p * p]`, in the order of a convolution's weight. */
export function cutPatches(
  pixels: Float32Array,
  { shape: [channels, height, width], grid: [rows, columns], patchSize: p }: PatchCut,
): Float32Array<ArrayBuffer> {
  const patches = new Float32Array(rows * columns * channels * p * p);
  let to = 0;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      for (let channel = 0; channel < channels; channel++)
        for (let y = 0; y < p; y++, to += p) {
          const from = (channel * height + row * p + y) * width + column * p;
          patches.set(pixels.subarray(from, from + p), to);
        }
  return patches;
}
