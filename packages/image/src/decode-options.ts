/** Limits and choices of `decodeImage`. */
export interface DecodeOptions {
  /** Largest encoded image, bytes; 64 MiB when left out. */
  readonly maxBytes?: number;
  /** Largest picture, pixels; 100 million when left out. */
  readonly maxPixels?: number;
  /** `drop` (when left out) forgets alpha as Pillow's `convert('RGB')` does, `white` lays the picture on white. */
  readonly alpha?: 'drop' | 'white';
  /** Stops between reading, looking at the header and decoding. */
  readonly signal?: AbortSignal;
}
