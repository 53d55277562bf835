import { UnsupportedError } from '@weft/errors';

/** The entry function of sharp. */
export type SharpFactory = typeof import('sharp').default;

/**
 * Loads sharp on first use; no other file imports it, so that the rest of the package runs in a browser.
 *
 * @throws UnsupportedError when sharp is not installed or has no binary for this machine
 */
export async function loadSharp(): Promise<SharpFactory> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new UnsupportedError({
      message: 'Reading and writing image files needs sharp, which does not load here.',
      hint: 'In Node install sharp for this platform. In a browser draw the picture on a canvas and pass its pixels to raster().',
      cause,
    });
  }
}
