import type { PatchGrid, PixelLayout, ProcessorContext } from '@weft/spec';

/** The neighbours of a processor under test: an encoder of these pixels, a connector that counts like this. */
export const contextOf = (
  pixels: PixelLayout,
  countTokens: (grid: PatchGrid) => number,
  {
    grid = null,
    placeholder = '<image>',
    ...others
  }: Partial<ProcessorContext> & { grid?: PatchGrid | null } = {},
): ProcessorContext => ({
  encoder: { id: 'encoder-test', grid, pixels },
  connector: { countTokens },
  placeholder,
  ...others,
});
