/** Limits and choices of `decodeImage`. */
export interface DecodeOptions {
  /** Called with the size in the header, pixels, before anything is decoded; what it throws ends the decoding. */
  readonly admit?: ((size: { readonly width: number; readonly height: number }) => void) | undefined;
  /** Largest encoded image, bytes; 64 MiB when left out. */
  readonly maxBytes?: number | undefined;
  /** Largest picture, pixels; 100 million when left out. */
  readonly maxPixels?: number | undefined;
  /** `drop` (when left out) forgets alpha as Pillow's `convert('RGB')` does, `white` lays the picture on white. */
  readonly alpha?: 'drop' | 'white' | undefined;
  /** Stops between reading, looking at the header and decoding. */
  readonly signal?: AbortSignal | undefined;
}
