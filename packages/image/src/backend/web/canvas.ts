import { UnsupportedError } from '@weft/errors';

/** RGBA samples that are not multiplied by their alpha, `[height, width, 4]`. */
interface Pixels {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/** The parts of a browser that are used here; the project has no types of browsers. */
interface Context {
  drawImage(bitmap: Bitmap, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): Pixels;
  putImageData(pixels: Pixels, x: number, y: number): void;
}
interface Canvas {
  getContext(kind: '2d', options: { readonly willReadFrequently: boolean }): Context | null;
  convertToBlob(options: { readonly type: string; readonly quality?: number }): Promise<Blob>;
}
export interface Bitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}
export interface Browser {
  readonly OffscreenCanvas: new (width: number, height: number) => Canvas;
  readonly ImageData: new (data: Uint8ClampedArray<ArrayBuffer>, width: number, height: number) => Pixels;
  createImageBitmap(source: Blob, options: Readonly<Record<string, string>>): Promise<Bitmap>;
}

/** @throws UnsupportedError where there is no canvas */
export function browser(): Browser {
  const found = globalThis as unknown as Partial<Browser>;
  if (found.OffscreenCanvas && found.ImageData && found.createImageBitmap) return found as Browser;
  throw new UnsupportedError({
    message: 'Reading and writing image files needs OffscreenCanvas, which is missing here.',
    hint: 'Use a newer browser, or pass pixels that are decoded already to raster().',
  });
}

/** @throws UnsupportedError if the browser has no memory for a canvas of this size */
export function canvasOf(
  width: number,
  height: number,
): { readonly canvas: Canvas; readonly context: Context } {
  const canvas = new (browser().OffscreenCanvas)(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context) return { canvas, context };
  throw new UnsupportedError({
    message: `The browser has no canvas of ${width} x ${height} pixels.`,
    hint: 'Make the picture smaller.',
  });
}
