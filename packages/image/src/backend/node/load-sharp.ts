import { UnsupportedError } from '@weft/errors';

/** The entry function of sharp. */
export type SharpFactory = typeof import('sharp').default;

/**
 * Loads sharp on first use, so that what reads no image files does without it.
 *
 * @throws UnsupportedError when sharp is not installed or has no binary for this machine
 */
export async function loadSharp(): Promise<SharpFactory> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new UnsupportedError({
      message: 'Reading and writing image files needs sharp, which does not load here.',
      hint: 'Install sharp for this platform, or pass pixels that are decoded already to raster().',
      cause,
    });
  }
}
