import { raster, type Raster } from './raster.js';

/** Samples as a decoder left them: `[height, width, channels]`, channels interleaved. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha; CMYK has 4, and 5 with alpha. */
  readonly channels: number;
  readonly data: Uint8Array | Uint16Array;
}

/** How the samples become RGB of 8 bits. */
export interface SamplesToRgb {
  readonly cmyk: boolean;
  /**
   * What happens to 16-bit samples: the high byte is kept, or values above 255 become 255. Pillow clips pictures
   * that are grey only, its mode `I;16`.
   */
  readonly narrow: 'high' | 'clip';
  /** Alpha is dropped, or the picture is laid on white. */
  readonly alpha: 'drop' | 'white';
}

/** `round(x / 255)` for 0 to 65025, as Pillow's `DIV255`. */
function by255(x: number): number {
  const t = x + 128;
  return ((t >> 8) + t) >> 8;
}

/** Turns decoded samples into RGB with the arithmetic of Pillow's `convert('RGB')`; no colour profile is applied. */
export function samplesToRgb(samples: Samples, options: SamplesToRgb): Raster {
  const { width, height, channels } = samples;
  const { cmyk, alpha } = options;
  const source = samples.data instanceof Uint16Array ? narrowed(samples.data, options.narrow) : samples.data;
  if (channels === 3) return raster(width, height, source);
  const result = raster(width, height);
  const target = result.data;
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  const alphaAt = cmyk ? (channels > 4 ? 4 : -1) : channels % 2 === 0 ? channels - 1 : -1;
  for (let from = 0, to = 0; to < target.length; from += channels, to += 3) {
    target[to] = source[from]!;
    target[to + 1] = source[from + green]!;
    target[to + 2] = source[from + blue]!;
    if (cmyk) {
      const light = 255 - source[from + 3]!;
      for (let k = to; k < to + 3; k++) target[k] = Math.max(0, light - by255(target[k]! * light));
    }
    if (alphaAt < 0 || alpha === 'drop') continue;
    const opacity = source[from + alphaAt]!;
    for (let k = to; k < to + 3; k++) target[k] = by255(target[k]! * opacity + 255 * (255 - opacity));
  }
  return result;
}

function narrowed(samples: Uint16Array, how: 'high' | 'clip'): Uint8Array {
  const result = new Uint8Array(samples.length);
  if (how === 'high') for (let i = 0; i < samples.length; i++) result[i] = samples[i]! >> 8;
  else for (let i = 0; i < samples.length; i++) result[i] = Math.min(255, samples[i]!);
  return result;
}
